// What SEARCH and SORT say of the messages it found. RFC 3501 7.2.5; RFC 4731 3.1; RFC 5182; RFC
// 7162 3.1.6, 3.1.10; RFC 9394 3. Q38.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "net/io/task.h"
#include "serve/imap/conversation.h"
#include "serve/imap/search_scope.h"
#include "wire/imap/search_return.h"

namespace godwit::serve::imap_desk {

/// Which mailbox an answer is about, where that need not be the selected one. RFC 7377 2.1.
struct SearchedMailbox {
    std::string name;  ///< Empty: the answer says neither.
    UidValidity uid_validity;
};

struct SearchAnswer {
    std::string tag;
    imap::SearchReturns returns;
    Numbering numbering = Numbering::Sequence;
    bool has_mod_seq = false;            ///< MODSEQ was among the keys.
    std::vector<Uid> found{};            ///< Rising; of SORT: in its order.
    std::vector<std::uint8_t> scores{};  ///< One each of `found`, with RELEVANCY (RFC 6203 4).
    SearchedMailbox mailbox{};
    std::optional<SearchScopeView> scope{};  ///< None: the selected mailbox.
    bool is_sorted = false;                  ///< SORT: RFC 5256 4, RFC 5267 3.
};

/// Writes the answer, and keeps what SAVE asks for. `answer` must outlive the task. The error is
/// the connection's.
net::Task<Result<>> write_search_answer(Conversation* c, const SearchAnswer* answer);

}  // namespace godwit::serve::imap_desk
