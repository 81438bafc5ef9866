// The arguments of ESEARCH: which mailboxes, what to answer, what to look for. RFC 7377 2, 4.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "wire/imap/lexer.h"
#include "wire/imap/mailbox_name.h"
#include "wire/imap/search.h"

namespace godwit::imap {

/// Groups of mailboxes, and names of all groups together, that one ESEARCH may have.
inline constexpr std::size_t multisearch_groups_max = 32;
inline constexpr std::size_t multisearch_names_max = 256;

enum class SearchSource : std::uint8_t {
    Selected,
    Inboxes,
    Personal,
    Subscribed,
    Subtree,
    SubtreeOne,  ///< And its children.
    Mailboxes,
};
struct SearchSourceGroup {
    SearchSource source = SearchSource::Selected;
    std::vector<std::string> names{};  ///< Of Subtree, SubtreeOne and Mailboxes.
};

struct MultisearchArguments {
    std::vector<SearchSourceGroup> sources;  ///< At least one.
    SearchProgram program;                   ///< `returns` is given always.

    /// RFC 7377 2.2: where SAVE is valid.
    [[nodiscard]] bool is_selected_alone() const;
    [[nodiscard]] bool has_selected() const;
};

/// ErrorCode::Unsupported: the charset is not known, as parse_search().
Result<MultisearchArguments> parse_multisearch(Lexer& lexer, NameSpelling spelling);

}  // namespace godwit::imap
