#include "serve/imap/message_source.h"

#include <algorithm>

#include "flow/read.h"
#include "store/mailbox/mailbox.h"

namespace godwit::serve {

net::Task<Result<std::vector<std::optional<store::MessageRecord>>>> read_records(
    const flow::Services* services, AccountId account, std::vector<EmailId> emails) {
    using Records = std::vector<std::optional<store::MessageRecord>>;
    check(emails.size() <= kRecordBatch, "records are read in bounded steps");
    co_return co_await flow::read(
        services,
        [account, emails = std::move(emails)](const store::Snapshot& snapshot, store::ReadTier tier)
            -> Result<Records> { return store::read_records(snapshot, tier, account, emails); });
}

Result<std::string> read_octets(store::Store& store, store::ReadTier tier,
                                const store::MessageRecord& record, imap::ByteRange range) {
    const std::uint64_t prefix = record.prefix.size();
    std::string out;
    if (range.offset < prefix) {
        out = record.prefix.substr(range.offset, range.size);
        range.size -= out.size();
        range.offset = prefix;
    }
    const std::uint64_t at = range.offset - prefix;
    if (range.size == 0 || at >= record.blob_size) {
        return out;
    }
    std::string body = TRY(store.blobs().read(record.blob, at, range.size, tier));
    if (out.empty()) {
        return body;
    }
    out += body;
    return out;
}

net::Task<Result<std::string>> read_message(const flow::Services* services,
                                            const store::MessageRecord* record,
                                            imap::ByteRange range) {
    Result<std::string> near =
        read_octets(*services->store, store::ReadTier::Cached, *record, range);
    if (near || near.error().code != ErrorCode::WouldBlock) {
        co_return near;
    }
    store::MessageRecord copy;  // The job may outlive the session.
    copy.blob = record->blob;
    copy.blob_size = record->blob_size;
    copy.prefix = record->prefix;
    store::Store* store = services->store;
    co_return co_await net::offload(services->offload, [store, copy = std::move(copy), range] {
        return read_octets(*store, store::ReadTier::Disk, copy, range);
    });
}

}  // namespace godwit::serve
