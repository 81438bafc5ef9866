#include "serve/imap/live_search.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <numeric>
#include <utility>

#include "base/log.h"
#include "base/probe.h"
#include "serve/imap/conversation.h"
#include "serve/imap/search_run.h"
#include "serve/imap/sort_run.h"

namespace godwit::serve::imap_desk {

namespace {

// "* ESEARCH (TAG "x") UID ADDTO (1 5,3 9 7)".
class UpdateLine {
public:
    UpdateLine(imap::ResponseWriter& out, const LiveSearch& search, const Selected& selected,
               std::string_view word)
        : out_(out), search_(search), selected_(selected), word_(word) {}
    UpdateLine(const UpdateLine&) = delete;
    UpdateLine& operator=(const UpdateLine&) = delete;
    ~UpdateLine() {
        if (has_any_) {
            out_.raw(")").crlf();
        }
    }

    void add(std::size_t position, std::span<const Uid> uids) {
        if (!has_any_) {
            out_.raw("* ESEARCH (TAG ").string(search_.tag).raw(")");
            out_.raw(search_.numbering == Numbering::Uid ? " UID " : " ").raw(word_).raw(" (");
        }
        out_.raw(has_any_ ? " " : "")
            .number(position)
            .raw(" ")
            .raw(imap::write_uid_set(named(uids)));
        has_any_ = true;
    }

private:
    // Also of one that is expunged and not told so: its number holds until EXPUNGE.
    [[nodiscard]] std::vector<Uid> named(std::span<const Uid> uids) const {
        std::vector<Uid> names(uids.begin(), uids.end());
        if (search_.numbering == Numbering::Sequence) {
            for (Uid& name : names) {
                name = Uid(selected_.number_at(selected_.view().lower_bound(name), name));
            }
        }
        return names;
    }

    imap::ResponseWriter& out_;
    const LiveSearch& search_;
    const Selected& selected_;
    std::string_view word_;
    bool has_any_ = false;
};

// Takes `leaving` (rising) out of the results, and tells.
void tell_removed(imap::ResponseWriter& out, LiveSearch* search, const Selected& selected,
                  const std::vector<Uid>& leaving) {
    if (leaving.empty()) {
        return;
    }
    UpdateLine line(out, *search, selected, "REMOVEFROM");
    const auto leaves = [&leaving](Uid uid) { return std::ranges::binary_search(leaving, uid); };
    if (search->is_sorted()) {
        // From the end, so that the positions before it hold.
        const std::span<const Uid> results = search->results;
        for (std::size_t end = results.size(); end > 0;) {
            std::size_t begin = end;
            while (begin > 0 && leaves(results[begin - 1])) {
                --begin;
            }
            if (begin == end) {
                --end;
                continue;
            }
            line.add(begin + 1, results.subspan(begin, end - begin));
            end = begin;
        }
    } else {
        line.add(0, leaving);
    }
    std::erase_if(search->results, leaves);
}

std::vector<Uid> rising(const std::vector<Uid>& uids) {
    std::vector<Uid> sorted = uids;
    if (!std::ranges::is_sorted(sorted)) {
        std::ranges::sort(sorted);
    }
    return sorted;
}

std::vector<Uid> without(const std::vector<Uid>& some, const std::vector<Uid>& others) {
    std::vector<Uid> left;
    std::ranges::set_difference(some, others, std::back_inserter(left));
    return left;
}

// `order` is the results, and those that come, where they belong.
void tell_added_in_order(imap::ResponseWriter& out, LiveSearch* search, const Selected& selected,
                         std::vector<Uid> order, const std::vector<Uid>& coming) {
    UpdateLine line(out, *search, selected, "ADDTO");
    const std::span<const Uid> all = order;
    for (std::size_t begin = 0; begin < all.size(); ++begin) {
        std::size_t end = begin;
        while (end < all.size() && std::ranges::binary_search(coming, all[end])) {
            ++end;
        }
        if (end > begin) {
            line.add(begin + 1, all.subspan(begin, end - begin));
            begin = end;
        }
    }
    search->results = std::move(order);
}

net::Task<Result<>> tell_sorted(Conversation* c, LiveSearch* search,
                                const std::vector<Uid>* coming) {
    auto found = std::make_shared<FoundMessages>();
    std::ranges::merge(rising(search->results), *coming, std::back_inserter(found->uids));
    const Result<std::vector<Uid>> order = co_await sort_messages(c, search->order, found);
    if (!order) {
        co_return std::unexpected(order.error());
    }
    // What was expunged while the store was read leaves before EXPUNGE says so.
    const std::vector<Uid> there = rising(*order);
    tell_removed(c->out(), search, *c->selected(), without(rising(search->results), there));
    tell_added_in_order(c->out(), search, *c->selected(), *order, *coming);
    co_return Result<>();
}

net::Task<Result<>> update(Conversation* c, LiveSearch* search,
                           const LiveSearches::Touched* touched) {
    const Result<FoundMessages> found =
        co_await find_messages(c, SearchScopeView(c->selected()), search->program, Scores::Unwanted,
                               nullptr, touched->are_all ? nullptr : &touched->uids);
    if (!found) {
        co_return std::unexpected(found.error());
    }
    const std::vector<Uid> known = rising(search->results);
    std::vector<Uid> leaving = without(known, found->uids);
    if (!touched->are_all) {
        std::erase_if(leaving, [touched](Uid uid) {
            return !std::ranges::binary_search(touched->uids, uid);
        });
    }
    tell_removed(c->out(), search, *c->selected(), leaving);
    const std::vector<Uid> coming = without(found->uids, known);
    if (coming.empty()) {
        co_return Result<>();
    }
    if (search->is_sorted()) {
        co_return co_await tell_sorted(c, search, &coming);
    }
    UpdateLine(c->out(), *search, *c->selected(), "ADDTO").add(0, coming);
    std::vector<Uid> all;
    std::ranges::merge(rising(search->results), coming, std::back_inserter(all));
    search->results = std::move(all);
    co_return Result<>();
}

void refuse(Conversation* c, std::string_view tag, std::string_view text) {
    probe<"imap.updates_refused">();
    c->out().untagged(imap::Condition::No, imap::code::no_update(tag), text);
}

}  // namespace

bool LiveSearches::has(std::string_view tag) const {
    return std::ranges::find(searches_, tag, &LiveSearch::tag) != searches_.end();
}

bool LiveSearches::is_within_bounds(const LiveSearch& search) const {
    std::size_t results = 0;
    for (const LiveSearch& one : searches_) {
        results += &one == &search ? 0 : one.results.size();
    }
    return results + search.results.size() <= kResultsMax &&
           (!search.is_sorted() || search.results.size() <= kSortedResultsMax);
}

bool LiveSearches::add(LiveSearch search) {
    is_expecting_ = false;
    if (searches_.size() >= kSearchesMax || !is_within_bounds(search)) {
        return false;
    }
    searches_.push_back(std::move(search));
    return true;
}

void LiveSearches::cancel(std::string_view tag) {
    std::erase_if(searches_, [tag](const LiveSearch& search) { return search.tag == tag; });
    if (searches_.empty()) {
        touched_.clear();
        are_all_touched_ = false;
    }
}

void LiveSearches::touch(Uid uid) {
    if ((searches_.empty() && !is_expecting_) || are_all_touched_) {
        return;
    }
    if (touched_.size() >= kTouchedMax) {
        touched_.clear();
        are_all_touched_ = true;
        return;
    }
    touched_.push_back(uid);
}

bool LiveSearches::has_touched(Uid last) const {
    return are_all_touched_ ||
           std::ranges::any_of(touched_, [last](Uid uid) { return uid <= last; });
}

LiveSearches::Touched LiveSearches::take_touched(Uid last) {
    if (std::exchange(are_all_touched_, false)) {
        return {.are_all = true};
    }
    std::ranges::sort(touched_);
    const auto end = std::ranges::upper_bound(touched_, last);
    Touched taken{.uids = {touched_.begin(), end}};
    touched_.erase(touched_.begin(), end);
    taken.uids.erase(std::ranges::unique(taken.uids).begin(), taken.uids.end());
    return taken;
}

void LiveSearches::tell_gone(imap::ResponseWriter& out, const Selected& selected) {
    const std::span<const Uid> ghosts = selected.ghosts();
    if (ghosts.empty()) {
        return;
    }
    for (LiveSearch& search : searches_) {
        std::vector<Uid> leaving;
        std::ranges::set_intersection(rising(search.results), ghosts, std::back_inserter(leaving));
        tell_removed(out, &search, selected, leaving);
    }
}

net::Task<Result<>> tell_live_searches(Conversation* c) {
    Selected* const selected = c->selected();
    if (selected == nullptr || selected->is_deleted() || c->has_said_bye() ||
        !selected->live_searches().has_touched(selected->last_uid())) {
        co_return Result<>();
    }
    c->progress().end();  // IDLE would seem to have come far.
    LiveSearches& live = selected->live_searches();
    const LiveSearches::Touched touched = live.take_touched(selected->last_uid());
    std::vector<std::string> ended;
    for (LiveSearch& search : live.all()) {
        const Result<> told = co_await update(c, &search, &touched);
        if (!told) {
            log::warn("imap.updates_ended", {{"account", selected->view().account().value()},
                                             {"error", told.error().text}});
        }
        if (!told || !live.is_within_bounds(search)) {
            ended.push_back(search.tag);
        }
        CO_TRY(co_await c->drain());
    }
    for (const std::string& tag : ended) {
        refuse(c, tag, "This search is not kept up any longer");
        live.cancel(tag);
    }
    co_return Result<>();
}

std::optional<imap::SearchProgram> kept_program(const imap::SearchProgram& program,
                                                const Selected& selected) {
    imap::SearchProgram kept = program;
    for (imap::SearchNode& node : kept.nodes) {
        if (node.op == imap::SearchOp::Older || node.op == imap::SearchOp::Younger) {
            return std::nullopt;
        }
        if (node.op != imap::SearchOp::SequenceNumbers && node.op != imap::SearchOp::Uids) {
            continue;
        }
        imap::SequenceSet& set = kept.sets[node.set];
        imap::NumberSet uids;
        if (set.is_saved()) {
            uids = selected.uids_of(set, selected.last_uid().value());
        } else if (node.op == imap::SearchOp::SequenceNumbers) {
            const std::optional<Targets> targets = selected.resolve(set, Numbering::Sequence);
            for (const Uid uid : targets ? targets->uids : std::vector<Uid>()) {
                uids.add(uid.value());
            }
        } else {
            continue;
        }
        Result<imap::SequenceSet> settled = imap::SequenceSet::parse(uids.to_string());
        if (!settled) {
            return std::nullopt;  // Nothing, or too many pieces.
        }
        set = *std::move(settled);
        node.op = imap::SearchOp::Uids;
    }
    return kept;
}

void keep_search(Conversation* c, std::string_view tag, std::optional<LiveSearch> search) {
    if (!search) {
        refuse(c, tag, "The results of this search cannot be kept up");
    } else if (!c->selected()->live_searches().add(*std::move(search))) {
        refuse(c, tag, "Too many searches are kept up, or too many results");
    }
}

AnswerTask run_cancelupdate(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    std::vector<std::string> tags;
    do {
        const Result<> space = lexer.space();
        Result<std::string> tag =
            space ? lexer.astring() : Result<std::string>(std::unexpected(space.error()));
        if (!tag) {
            co_return bad(tag.error().text);
        }
        tags.push_back(*std::move(tag));
    } while (!lexer.end());
    for (const std::string& tag : tags) {
        c->selected()->live_searches().cancel(tag);
    }
    co_return ok("No further updates");
}

}  // namespace godwit::serve::imap_desk
