#include "flow/message_record.h"

#include "base/crypto.h"
#include "mail/message/summary.h"

namespace godwit::flow {

std::uint64_t reference_hash(std::string_view message_id) {
    const Sha256Digest digest = sha256(message_id);
    std::uint64_t hash = 0;
    __builtin_memcpy(&hash, digest.data(), sizeof hash);
    return hash;
}

store::MessageRecord make_record(const mail::ParsedMessage& message, const store::NewBody& body) {
    const mail::MessageSummary summary = mail::summarize(message);
    store::MessageRecord record;
    record.blob = body.id;
    record.blob_size = body.size;
    record.summary = summary.encode();
    record.sent_at = summary.sent ? summary.sent->unix_seconds : 0;
    if (const std::string own = summary.message_id(); !own.empty()) {
        record.reference_hashes.push_back(reference_hash(own));
    }
    for (const std::string& reference : summary.references()) {
        record.reference_hashes.push_back(reference_hash(reference));
    }
    return record;
}

}  // namespace godwit::flow
