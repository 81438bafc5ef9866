// Asks an account's search index. Law: docs/storage.md ("The search index").
// The index answers as reading each message would, or says that it does not know: it is never
// wrong, and never stale, as what came since it was written is not known to it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "store/kv/kv.h"
#include "store/search/email_set.h"
#include "store/search/rows.h"

namespace godwit::store {

enum class IndexedPlace : std::uint8_t {
    Header,  ///< The body of some header field of one name.
    Body,    ///< Text parts.
    Text,    ///< Those, and header fields with their names.
};

/// Is the needle anywhere in that place?
struct IndexQuestion {
    IndexedPlace place = IndexedPlace::Text;
    std::string header_name{};  ///< With Header only.
    std::string needle{};       ///< By fold_for_search. Empty with Header: is there such a field?
};

enum class IndexAnswer : std::uint8_t { No, Yes, Unknown };

/// Fields whose terms tell of that place; the name with Header only.
std::span<const TermField> fields_of(IndexedPlace place, std::string_view header_name);

/// An account's index as it is in one snapshot.
struct OpenIndex {
    IndexState state;
    std::vector<SegmentHead> heads;          ///< One a segment of the state.
    std::shared_ptr<const EmailSet> unsure;  ///< Of all segments.
};
/// nullopt: there is none. Corrupt: it is damaged.
Result<std::optional<OpenIndex>> open_index(const Snapshot& snapshot, AccountId account);

/// What an index says to one question.
class IndexAnswers {
public:
    [[nodiscard]] IndexAnswer of(EmailId email) const {
        if (!is_known_ || email.value() >= end_ || unsure_->contains(email) ||
            maybe_.contains(email)) {
            return IndexAnswer::Unknown;
        }
        return sure_.contains(email) ? IndexAnswer::Yes : IndexAnswer::No;
    }

private:
    friend class IndexReading;
    bool is_known_ = false;
    std::uint32_t end_ = 0;
    std::shared_ptr<const EmailSet> unsure_;
    EmailSet sure_;
    EmailSet maybe_;
};

/// One a question, in their order. Reads up to all terms of the account: some milliseconds for a
/// hundred thousand messages. Blocks on the disk. Corrupt when the index is damaged: it is to be
/// made anew (plan_index_anew), and messages tell themselves.
Result<std::vector<IndexAnswers>> ask_index(const Snapshot& snapshot, AccountId account,
                                            std::span<const IndexQuestion> questions);

}  // namespace godwit::store
