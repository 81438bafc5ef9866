// Searches of the selected mailbox whose results a client is kept told of: RETURN (UPDATE).
// RFC 5267 4.3.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "net/io/task.h"
#include "wire/imap/search.h"
#include "wire/imap/sort.h"
#include "wire/imap/writer.h"

namespace godwit::serve::imap_desk {

class Conversation;
class Selected;
enum class Numbering : std::uint8_t;

/// One of them.
struct LiveSearch {
    std::string tag;  ///< Of its command.
    Numbering numbering;
    imap::SearchProgram program;
    std::vector<imap::SortCriterion> order{};  ///< Empty: the order of the mailbox.
    std::vector<Uid> results{};                ///< What the client was told of, in that order.

    [[nodiscard]] bool is_sorted() const { return !order.empty(); }
};

/// Those of one session. They end with the mailbox being left. Own shard.
class LiveSearches {
public:
    /// RFC 5267 4.3.1, 6: past these an update is refused, or ends.
    static constexpr std::size_t kSearchesMax = 16;
    static constexpr std::size_t kResultsMax = 262'144;       ///< Of all of them together.
    static constexpr std::size_t kSortedResultsMax = 16'384;  ///< Of one that SORT began.
    /// Changed messages that are remembered one by one; past them all are looked at.
    static constexpr std::size_t kTouchedMax = 4'096;

    [[nodiscard]] bool has(std::string_view tag) const;
    /// False: there is no room for it.
    [[nodiscard]] bool add(LiveSearch search);
    void cancel(std::string_view tag);
    [[nodiscard]] std::span<LiveSearch> all() { return searches_; }
    /// They hold no more than they may, `search` among them.
    [[nodiscard]] bool is_within_bounds(const LiveSearch& search) const;

    /// One may be added soon: what is touched from now on, while it searches, counts.
    void expect() { is_expecting_ = true; }
    /// A message came, or changed.
    void touch(Uid uid);
    /// The messages up to `last` that were touched.
    struct Touched {
        bool are_all = false;
        std::vector<Uid> uids{};  ///< Rising; where they are not all.
    };
    [[nodiscard]] bool has_touched(Uid last) const;
    [[nodiscard]] Touched take_touched(Uid last);

    /// Tells that the messages leave which the client is about to be told the EXPUNGE of
    /// (RFC 5267 4.3.4).
    void tell_gone(imap::ResponseWriter& out, const Selected& selected);

private:
    std::vector<LiveSearch> searches_;
    std::vector<Uid> touched_;
    bool are_all_touched_ = false;
    bool is_expecting_ = false;
};

/// Tells what came to, and left, the results of the live searches. The store's errors end a search
/// with NOUPDATE. The error is the connection's.
net::Task<Result<>> tell_live_searches(Conversation* c);

/// The program as it can be kept: what it says of message numbers and of "$" is settled now (RFC
/// 5267 4.3). nullopt: its results change with time alone, or it cannot be settled.
std::optional<imap::SearchProgram> kept_program(const imap::SearchProgram& program,
                                                const Selected& selected);
/// Keeps `search` from now on; says NOUPDATE where that cannot be: there is none, or no room.
void keep_search(Conversation* c, std::string_view tag, std::optional<LiveSearch> search);

}  // namespace godwit::serve::imap_desk
