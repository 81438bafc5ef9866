// Stored messages as clients see them: the lines put in front at delivery, then the body.
// docs/storage.md; ARCHITECTURE.md house rule 2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flow/services.h"
#include "net/io/task.h"
#include "store/commit/plan.h"
#include "store/store.h"
#include "wire/imap/section_range.h"

namespace godwit::serve {

/// Records of emails, in order; nullopt for those that are gone. At most kRecordBatch at once.
inline constexpr std::size_t kRecordBatch = 64;
net::Task<Result<std::vector<std::optional<store::MessageRecord>>>> read_records(
    const flow::Services* services, AccountId account, std::vector<EmailId> emails);

/// Octets of prefix and body together, cut at the end. Synchronous: for steps of flow::read.
Result<std::string> read_octets(store::Store& store, store::ReadTier tier,
                                const store::MessageRecord& record, imap::ByteRange range);
/// The same from a shard: from memory at once, else on the offload pool. `record` outlives the
/// wait.
net::Task<Result<std::string>> read_message(const flow::Services* services,
                                            const store::MessageRecord* record,
                                            imap::ByteRange range);

}  // namespace godwit::serve
