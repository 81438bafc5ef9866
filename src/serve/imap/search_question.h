// A SEARCH program with what of it depends on the session and on the mailbox resolved, and what its
// keys say of a message: by its row and the search index, by its summary, by reading it.
// RFC 3501 6.4.4; RFC 5032 3; RFC 6203 3, 4; RFC 7162 3.1.5; RFC 8474 6; RFC 8514 4.3; RFC
// 9738 3.2.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "mail/message/summary.h"
#include "mail/text/fuzzy.h"
#include "serve/imap/search_scope.h"
#include "store/search/ask_fuzzy.h"
#include "store/store.h"
#include "wire/imap/search.h"

namespace godwit::serve::imap_desk {

/// FUZZY words of one command (RFC 6203 8): for each, the index is looked through, and holds a few
/// bits for every message while the command runs.
inline constexpr std::size_t fuzzy_words_max = 32;

/// What the search index knows of the texts of one program.
struct IndexKnowledge {
    std::vector<store::IndexAnswers> exact;  ///< By node.
    std::vector<store::FuzzyAnswers> fuzzy;  ///< By node with a fuzzy needle.
};

/// Shared with jobs of the pool, which may outlive the session; immutable but for what the index
/// says, which is put in before the first message is asked.
struct SearchQuestion {
    imap::SearchProgram program;
    std::vector<imap::NumberSet> sets;                  ///< By SearchNode::set.
    std::vector<store::KeywordSet> keywords;            ///< By node.
    std::vector<std::string> needles;                   ///< By node, folded.
    std::vector<std::optional<std::uint32_t>> objects;  ///< By node, of ObjectIDs.
    /// By node; none for those that match exactly. FUZZY needles without a word do, too.
    std::vector<std::optional<mail::FuzzyNeedle>> fuzzy;
    std::shared_ptr<const IndexKnowledge> known;  ///< Not null where a text is asked for.
    std::int64_t now = 0;                         ///< When it was asked; unix seconds.

    [[nodiscard]] std::size_t index_of(const imap::SearchNode& node) const {
        return static_cast<std::size_t>(&node - program.nodes.data());
    }
    [[nodiscard]] bool has_fuzzy_words() const;
};

/// What is asked, of the mailbox as it is now. LimitExceeded: too many FUZZY words.
Result<std::shared_ptr<SearchQuestion>> make_question(imap::SearchProgram program,
                                                      const SearchScopeView& scope,
                                                      const KeywordTable& keywords, WallTime now);
/// Some key looks for a text.
bool asks_for_text(const imap::SearchProgram& program);

/// Knows nothing where the index cannot be asked. Synchronous: on the offload pool.
IndexKnowledge ask_index_for(store::Store* store, AccountId account,
                             const SearchQuestion& question);

/// A message that needs more than its row.
struct SearchCandidate {
    store::MessageRow row;
    std::uint32_t number = 0;
    bool is_recent = false;
};
imap::Truth ask_row(const SearchQuestion& question, const imap::SearchNode& node,
                    const SearchCandidate& candidate);
imap::Truth ask_summary(const SearchQuestion& question, const imap::SearchNode& node,
                        const store::MessageRecord& record, const mail::MessageSummary& summary);

struct OpenCase {
    SearchCandidate candidate;
    store::MessageRecord record;
    mail::MessageSummary summary;
};
/// Reads the message. `stemmers` may be null where no needle is fuzzy. Pool.
Result<bool> ask_message(const SearchQuestion& question, store::Store* store,
                         const mail::Stemmers* stemmers, const OpenCase& open);

/// How relevant a message is that was found, 1 to 100, as far as the index knows it.
std::optional<unsigned> score_by_index(const SearchQuestion& question, EmailId email);
/// The same from reading it. Pool.
Result<unsigned> score_message(const SearchQuestion& question, store::Store* store,
                               const mail::Stemmers& stemmers, const OpenCase& open);

}  // namespace godwit::serve::imap_desk
