// The octets of a section of a stored message, as FETCH BODY[section]<partial> gives them, in
// steps. RFC 3501 6.4.5; docs/storage.md (prefix and body).
#pragma once

#include <optional>
#include <string>

#include "flow/services.h"
#include "net/io/task.h"
#include "store/commit/plan.h"
#include "wire/imap/fetch.h"
#include "wire/imap/section_range.h"

namespace godwit::serve {

/// Which piece of a message.
struct SectionPiece {
    imap::Section section;
    std::optional<imap::Partial> partial;
};

/// Read once, from its first octet to its last. `services` outlives it. One shard.
class SectionOctets {
public:
    /// nullopt: the message has no such part. Errors are the store's, and Corrupt for a damaged
    /// record.
    static net::Task<Result<std::optional<SectionOctets>>> open(const flow::Services* services,
                                                                store::MessageRecord record,
                                                                SectionPiece piece);

    /// Octets that are still to come.
    [[nodiscard]] std::uint64_t size() const { return filtered_ ? filtered_->size() : range_.size; }
    /// The next ones, at most limits::stream_write_buffer_max of a body; nothing at the end.
    net::Task<Result<std::string>> next();
    /// All that is to come can be read: its size may be promised.
    net::Task<Result<>> check_whole();
    /// What was promised broke off: the body is looked at again next time.
    void note_broken() const;

private:
    SectionOctets(const flow::Services* services, store::MessageRecord record)
        : services_(services), record_(std::move(record)) {}

    const flow::Services* services_;
    store::MessageRecord record_;
    imap::ByteRange range_;
    std::optional<std::string> filtered_;  ///< Header fields that were asked for by name.
};

}  // namespace godwit::serve
