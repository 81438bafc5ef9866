#include "serve/imap/search_answer.h"

#include <algorithm>

namespace godwit::serve::imap_desk {

namespace {

class Answering {
public:
    Answering(Conversation* c, const SearchAnswer* answer)
        : c_(c),
          answer_(answer),
          scope_(answer->scope ? *answer->scope : SearchScopeView(c->selected())),
          returns_(answer->returns) {
        // RFC 9051 6.4.4: after ENABLE IMAP4rev2 the answer is ESEARCH always (Q41).
        if (!returns_.is_given && !answer->is_sorted && c->has_enabled(Feature::Rev2)) {
            returns_.is_given = returns_.all = true;
        }
        if (returns_.partial) {
            page_ = returns_.partial->within(answer->found.size());
        }
    }
    net::Task<Result<>> run();

private:
    [[nodiscard]] const std::vector<Uid>& found() const { return answer_->found; }
    // Right for one that is expunged meanwhile too: its number holds until EXPUNGE.
    [[nodiscard]] std::uint32_t number_of(Uid uid) const {
        return answer_->numbering == Numbering::Uid
                   ? uid.value()
                   : scope_.number_at(scope_.view().lower_bound(uid), uid);
    }
    [[nodiscard]] std::vector<Uid> told() const;
    [[nodiscard]] ModSeq highest(const std::vector<Uid>& uids) const;
    net::Task<Result<>> write_list();
    net::Task<Result<>> write_set(std::size_t begin, std::size_t end);
    net::Task<Result<>> write_scores();
    net::Task<Result<>> write_extended();

    Conversation* c_;
    const SearchAnswer* answer_;
    SearchScopeView scope_;
    imap::SearchReturns returns_;
    imap::PartialRange::Span page_;
};

// Those that the return options single out; all where they single out none.
std::vector<Uid> Answering::told() const {
    if (!returns_.is_selective() || found().empty()) {
        return found();
    }
    std::vector<Uid> uids(found().begin() + static_cast<std::ptrdiff_t>(page_.begin),
                          found().begin() + static_cast<std::ptrdiff_t>(page_.end));
    if (returns_.min) {
        uids.push_back(found().front());
    }
    if (returns_.max) {
        uids.push_back(found().back());
    }
    std::ranges::sort(uids);
    return uids;
}

// What was expunged meanwhile is told as such; it had a mod-sequence of 1 at least.
ModSeq Answering::highest(const std::vector<Uid>& uids) const {
    ModSeq highest(1);
    for (const Uid uid : uids) {
        if (const store::MessageRow* row = scope_.view().find(uid)) {
            highest = std::max(highest, row->mod_seq);
        }
    }
    return highest;
}

net::Task<Result<>> Answering::write_list() {
    imap::ResponseWriter& out = c_->out();
    out.raw(answer_->is_sorted ? "* SORT" : "* SEARCH");
    for (const Uid uid : found()) {
        out.raw(" ").number(number_of(uid));
        // A wait that need not be costs as much as a number does.
        if (out.should_drain()) {
            CO_TRY(co_await c_->drain());
        }
    }
    if (answer_->has_mod_seq && !found().empty()) {
        out.raw(" (MODSEQ ").number(highest(found()).value()).raw(")");
    }
    out.crlf();
    co_return Result<>();
}

// "1:3,7" of the found ones at [begin, end), as it is written.
net::Task<Result<>> Answering::write_set(std::size_t begin, std::size_t end) {
    imap::ResponseWriter& out = c_->out();
    for (std::size_t at = begin; at < end;) {
        const std::uint32_t first = number_of(found()[at]);
        std::uint32_t last = first;
        std::size_t next = at + 1;
        for (; next < end && number_of(found()[next]) == last + 1; ++next) {
            ++last;
        }
        out.raw(at == begin ? "" : ",").number(first);
        if (last != first) {
            out.raw(":").number(last);
        }
        at = next;
        CO_TRY(co_await c_->drain());
    }
    co_return Result<>();
}

// Of the page where one is asked for, else of all.
net::Task<Result<>> Answering::write_scores() {
    const std::vector<std::uint8_t>& scores = answer_->scores;
    const std::size_t begin = returns_.partial ? page_.begin : 0;
    const std::size_t end = returns_.partial ? page_.end : scores.size();
    imap::ResponseWriter& out = c_->out();
    out.raw(" RELEVANCY (");
    for (std::size_t at = begin; at < end; ++at) {
        out.raw(at == begin ? "" : " ").number(scores[at]);
        CO_TRY(co_await c_->drain());
    }
    out.raw(")");
    co_return Result<>();
}

net::Task<Result<>> Answering::write_extended() {
    imap::ResponseWriter& out = c_->out();
    // Q38: the tag first, then UID, then the data.
    out.raw("* ESEARCH (TAG ").string(answer_->tag);
    if (!answer_->mailbox.name.empty()) {
        out.raw(" MAILBOX ").mailbox(answer_->mailbox.name);
        out.raw(" UIDVALIDITY ").number(answer_->mailbox.uid_validity.value());
    }
    out.raw(")");
    out.raw(answer_->numbering == Numbering::Uid ? " UID" : "");
    // RFC 4731 3.1: of nothing found there is no MIN, MAX or ALL.
    const bool has_any = !found().empty();
    if (returns_.min && has_any) {
        out.raw(" MIN ").number(number_of(found().front()));
    }
    if (returns_.max && has_any) {
        out.raw(" MAX ").number(number_of(found().back()));
    }
    if (returns_.count) {
        out.raw(" COUNT ").number(found().size());
    }
    if (returns_.all && has_any) {
        out.raw(" ALL ");
        CO_TRY(co_await write_set(0, found().size()));
    }
    if (returns_.partial) {
        out.raw(" PARTIAL (").raw(returns_.partial->to_string()).raw(" ");
        if (page_.begin == page_.end) {
            out.raw("NIL");
        }
        CO_TRY(co_await write_set(page_.begin, page_.end));
        out.raw(")");
    }
    if (returns_.relevancy) {
        CO_TRY(co_await write_scores());
    }
    if (answer_->has_mod_seq && has_any) {
        out.raw(" MODSEQ ").number(highest(told()).value());
    }
    out.crlf();
    co_return Result<>();
}

net::Task<Result<>> Answering::run() {
    if (returns_.save) {
        imap::NumberSet uids;
        std::vector<Uid> rising = told();
        std::ranges::sort(rising);
        for (const Uid uid : rising) {
            uids.add(uid.value());
        }
        c_->selected()->save(std::move(uids));
    }
    // RFC 7377 2.1: nothing is said of a mailbox where nothing is found.
    if (returns_.is_silent() || (!answer_->mailbox.name.empty() && found().empty())) {
        co_return Result<>();
    }
    if (returns_.is_given) {
        co_return co_await write_extended();
    }
    co_return co_await write_list();
}

}  // namespace

net::Task<Result<>> write_search_answer(Conversation* c, const SearchAnswer* answer) {
    Answering answering(c, answer);
    co_return co_await answering.run();
}

}  // namespace godwit::serve::imap_desk
