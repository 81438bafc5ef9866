// Serves SEARCH and UID SEARCH.
// RFC 3501 6.4.4; RFC 5182 2; RFC 6203. T78.
// Three rounds, each only for what the one before could not tell: the view and the search index,
// the stored summary, and (on the offload pool) the message itself; where scores are asked for, a
// fourth for them. Every round goes in bounded steps.
#include <algorithm>
#include <deque>
#include <memory>

#include "base/log.h"
#include "serve/imap/changes.h"
#include "serve/imap/live_search.h"
#include "serve/imap/message_source.h"
#include "serve/imap/search_answer.h"
#include "serve/imap/search_question.h"
#include "serve/imap/search_run.h"

namespace godwit::serve::imap_desk {

namespace {

using imap::SearchNode;
using imap::Truth;

// Rows looked at before others get the shard.
constexpr std::size_t kRowsInTurn = 8192;
// Messages that one job of the pool reads, and the octets that end it before.
constexpr std::size_t kMessagesInJob = 64;
constexpr std::uint64_t kOctetsInJob = 1024 * 1024;
// Messages that one job gives scores.
constexpr std::size_t kScoredInJob = 8;
// Jobs of one search that are under way or wait to be taken.
constexpr std::size_t kJobsAhead = 3;

class Searching {
public:
    Searching(Conversation* conversation, SearchScopeView scope, KnownIndexes* known,
              const std::vector<Uid>* among)
        : c_(conversation), scope_(std::move(scope)), known_(known), among_(among) {}
    net::Task<Result<FoundMessages>> run(imap::SearchProgram program, Scores scores);

private:
    net::Task<Result<>> ask_index();
    net::Task<void> ask_rows();
    void ask_row_at(std::size_t index);
    void ask_rows_among();
    net::Task<Result<>> ask_records();
    net::Task<Result<std::vector<OpenCase>>> read_cases(std::vector<Uid> uids);
    /// On the pool; `until` messages of the mailbox are done when these are.
    net::Task<Result<>> ask_messages(std::vector<OpenCase> open, std::size_t until);
    /// Waits for the jobs but for the last few.
    net::Task<Result<>> take_hits(std::size_t jobs_left);
    struct Job {
        std::shared_ptr<const std::vector<OpenCase>> cases;
        std::size_t until = 0;
        std::optional<net::Completion<Result<std::vector<Uid>>>> done;
        Result<> refused{};
    };
    void submit(Job* job);
    net::Task<Result<std::vector<std::uint8_t>>> score();
    [[nodiscard]] SearchCandidate candidate_at(std::size_t index) const;
    [[nodiscard]] AccountId account() const { return scope_.view().account(); }

    Conversation* c_;
    SearchScopeView scope_;
    KnownIndexes* known_;
    const std::vector<Uid>* among_;
    std::shared_ptr<SearchQuestion> question_;  ///< Changed only before the first round.
    std::vector<Uid> found_;
    std::vector<Uid> unknown_;
    std::deque<std::unique_ptr<Job>> jobs_;
};

SearchCandidate Searching::candidate_at(std::size_t index) const {
    const store::MessageRow& row = scope_.view().rows()[index];
    return {.row = row,
            .number = scope_.number_at(index, row.uid),
            .is_recent = scope_.is_recent(row.uid)};
}

net::Task<Result<>> Searching::ask_index() {
    if (!asks_for_text(question_->program)) {
        co_return Result<>();
    }
    if (known_ != nullptr && known_->contains(account())) {
        question_->known = known_->at(account());
        co_return Result<>();
    }
    store::Store* const store = c_->services()->store;
    IndexKnowledge answers = CO_TRY(co_await net::offload(
        c_->services()->offload,
        [store, account = account(), asked = question_]() -> Result<IndexKnowledge> {
            return ask_index_for(store, account, *asked);
        }));
    question_->known = std::make_shared<const IndexKnowledge>(std::move(answers));
    if (known_ != nullptr) {
        (*known_)[account()] = question_->known;
    }
    co_return Result<>();
}

void Searching::ask_row_at(std::size_t index) {
    const SearchCandidate candidate = candidate_at(index);
    const Truth value = imap::evaluate(question_->program, [&](const SearchNode& node) {
        return ask_row(*question_, node, candidate);
    });
    if (value == Truth::Yes) {
        found_.push_back(candidate.row.uid);
    } else if (value == Truth::Unknown) {
        unknown_.push_back(candidate.row.uid);
    }
}

// Few enough for one turn.
void Searching::ask_rows_among() {
    for (const Uid uid : *among_) {
        const std::size_t index = scope_.view().lower_bound(uid);
        if (index < scope_.known_rows() && scope_.view().rows()[index].uid == uid) {
            ask_row_at(index);
        }
    }
}

net::Task<void> Searching::ask_rows() {
    Uid next(1);
    for (;;) {
        const auto rows = scope_.view().rows();
        const std::size_t begin = scope_.view().lower_bound(next);
        const std::size_t end = std::min(scope_.known_rows(), begin + kRowsInTurn);
        for (std::size_t at = begin; at < end; ++at) {
            ask_row_at(at);
        }
        if (end >= scope_.known_rows()) {
            co_return;
        }
        next = Uid(rows[end - 1].uid.value() + 1);
        co_await net::yield_now();
    }
}

// Those of at most kRecordBatch that are still there and whole.
net::Task<Result<std::vector<OpenCase>>> Searching::read_cases(std::vector<Uid> uids) {
    std::vector<SearchCandidate> candidates;
    std::vector<EmailId> emails;
    for (const Uid uid : uids) {
        const std::size_t index = scope_.view().lower_bound(uid);
        if (const store::MessageRow* row = scope_.view().find(uid)) {
            candidates.push_back(candidate_at(index));
            emails.push_back(row->email);
        }
    }
    auto records = CO_TRY(co_await read_records(c_->services(), account(), std::move(emails)));
    std::vector<OpenCase> cases;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        if (!records[i]) {
            continue;  // Gone meanwhile.
        }
        Result<mail::MessageSummary> summary = mail::MessageSummary::decode(records[i]->summary);
        if (!summary) {
            // A damaged message is found by nothing; the others are.
            log::error("imap.search_failed", {{"account", account().value()},
                                              {"uid", candidates[i].row.uid.value()},
                                              {"error", summary.error().text}});
            continue;
        }
        cases.push_back({candidates[i], *std::move(records[i]), *std::move(summary)});
    }
    co_return cases;
}

net::Task<Result<>> Searching::ask_records() {
    const std::size_t sure = scope_.known_rows() - std::min(unknown_.size(), scope_.known_rows());
    for (std::size_t at = 0; at < unknown_.size(); at += kRecordBatch) {
        std::vector<OpenCase> cases =
            CO_TRY(co_await read_cases(slice(unknown_, at, kRecordBatch)));
        std::vector<OpenCase> open;
        for (OpenCase& one : cases) {
            const Truth value = imap::evaluate(question_->program, [&](const SearchNode& node) {
                const Truth by_row = ask_row(*question_, node, one.candidate);
                return by_row != Truth::Unknown
                           ? by_row
                           : ask_summary(*question_, node, one.record, one.summary);
            });
            if (value == Truth::Yes) {
                found_.push_back(one.candidate.row.uid);
            } else if (value == Truth::Unknown) {
                open.push_back(std::move(one));
            }
        }
        const std::size_t until = sure + std::min(unknown_.size(), at + kRecordBatch);
        CO_TRY(co_await ask_messages(std::move(open), until));
        if (jobs_.empty()) {
            co_await c_->tell_progress(until, scope_.known_rows());
        }
        co_await net::yield_now();
    }
    co_return co_await take_hits(0);
}

// What one job reads, from `*at` on, which goes behind it.
std::vector<OpenCase> take_cases(std::vector<OpenCase>* open, std::size_t* at) {
    std::vector<OpenCase> cases;
    std::uint64_t octets = 0;
    while (*at < open->size() && cases.size() < kMessagesInJob && octets < kOctetsInJob) {
        octets += (*open)[*at].candidate.row.size;
        cases.push_back(std::move((*open)[(*at)++]));
    }
    return cases;
}

void log_unread(const OpenCase& one, const Error& error) {
    log::error("imap.search_failed",
               {{"uid", one.candidate.row.uid.value()}, {"error", error.text}});
}

Result<std::vector<Uid>> ask_cases(const SearchQuestion& question, store::Store* store,
                                   const std::vector<OpenCase>& cases) {
    std::optional<mail::Stemmers> stemmers;
    if (question.has_fuzzy_words()) {
        stemmers.emplace();
    }
    std::vector<Uid> hits;
    for (const OpenCase& one : cases) {
        // A body that cannot be read has nothing that could be found.
        const auto hit = ask_message(question, store, stemmers ? &*stemmers : nullptr, one);
        if (!hit) {
            log_unread(one, hit.error());
        } else if (*hit) {
            hits.push_back(one.candidate.row.uid);
        }
    }
    return hits;
}

void Searching::submit(Job* job) {
    job->done.emplace();
    // The job may outlive the search; what it reads goes with it.
    job->refused = c_->services()->offload->submit([store = c_->services()->store,
                                                    question = question_, cases = job->cases,
                                                    answer = job->done->completer()]() mutable {
        answer.complete(ask_cases(*question, store, *cases));
    });
}

net::Task<Result<>> Searching::ask_messages(std::vector<OpenCase> open, std::size_t until) {
    for (std::size_t at = 0; at < open.size();) {
        jobs_.push_back(std::make_unique<Job>());
        jobs_.back()->cases = std::make_shared<const std::vector<OpenCase>>(take_cases(&open, &at));
        jobs_.back()->until = until - (open.size() - at);
        submit(jobs_.back().get());
        CO_TRY(co_await take_hits(kJobsAhead - 1));
    }
    co_return Result<>();
}

net::Task<Result<>> Searching::take_hits(std::size_t jobs_left) {
    while (jobs_.size() > jobs_left) {
        Job* const job = jobs_.front().get();
        if (!job->refused) {
            submit(job);  // There was no place for it when it was made.
        }
        CO_TRY(Result<>(job->refused));
        const std::vector<Uid> hits = CO_TRY(co_await *job->done);
        found_.insert(found_.end(), hits.begin(), hits.end());
        const std::size_t until = job->until;
        jobs_.pop_front();
        co_await c_->tell_progress(until, scope_.known_rows());
    }
    co_return Result<>();
}

using ScoredUids = std::vector<std::pair<Uid, unsigned>>;

Result<ScoredUids> score_cases(const SearchQuestion& question, store::Store* store,
                               const std::vector<OpenCase>& cases) {
    const mail::Stemmers stemmers;
    ScoredUids out;
    for (const OpenCase& one : cases) {
        const Result<unsigned> score = score_message(question, store, stemmers, one);
        if (!score) {
            log_unread(one, score.error());
        }
        out.emplace_back(one.candidate.row.uid, score.value_or(1));
    }
    return out;
}

// One for each found message; the lowest for one that went away meanwhile.
net::Task<Result<std::vector<std::uint8_t>>> Searching::score() {
    std::vector<std::uint8_t> scores(found_.size(), 1);
    std::vector<Uid> unknown;
    for (std::size_t i = 0; i < found_.size(); ++i) {
        const store::MessageRow* row = scope_.view().find(found_[i]);
        if (row == nullptr) {
            continue;
        }
        if (const auto known = score_by_index(*question_, row->email)) {
            scores[i] = static_cast<std::uint8_t>(*known);
        } else {
            unknown.push_back(found_[i]);
        }
    }
    for (std::size_t at = 0; at < unknown.size(); at += kScoredInJob) {
        std::vector<OpenCase> cases = CO_TRY(co_await read_cases(slice(unknown, at, kScoredInJob)));
        store::Store* store = c_->services()->store;
        const ScoredUids scored = CO_TRY(co_await net::offload(
            c_->services()->offload, [store, question = question_, cases = std::move(cases)] {
                return score_cases(*question, store, cases);
            }));
        for (const auto& [uid, score] : scored) {
            const auto place = std::ranges::lower_bound(found_, uid) - found_.begin();
            scores[static_cast<std::size_t>(place)] = static_cast<std::uint8_t>(score);
        }
        co_await c_->tell_progress(at + kScoredInJob, unknown.size());
    }
    co_return scores;
}

net::Task<Result<FoundMessages>> Searching::run(imap::SearchProgram program, Scores scores) {
    // Another account's mailbox is searched only while it is the selected one.
    AccountRoom& room = account() == c_->account() ? c_->room() : c_->selected()->room();
    question_ = CO_TRY(
        make_question(std::move(program), scope_, room.keywords(), c_->services()->clock->wall()));
    CO_TRY(co_await ask_index());
    if (among_ != nullptr) {
        ask_rows_among();
    } else {
        co_await ask_rows();
    }
    CO_TRY(co_await ask_records());
    if (!std::ranges::is_sorted(found_)) {
        std::ranges::sort(found_);
    }
    FoundMessages found;
    if (scores == Scores::Wanted) {
        c_->progress().enter_part(1);
        found.scores = CO_TRY(co_await score());
    }
    found.uids = std::move(found_);
    co_return found;
}

}  // namespace

net::Task<Result<FoundMessages>> find_messages(Conversation* c, SearchScopeView scope,
                                               imap::SearchProgram program, Scores scores,
                                               KnownIndexes* known, const std::vector<Uid>* among) {
    Searching searching(c, std::move(scope), known, among);
    co_return co_await searching.run(std::move(program), scores);
}

net::Task<std::optional<Answer>> forbid_search(Conversation* c,
                                               const Result<imap::SearchProgram>* program,
                                               bool needs_selected) {
    if (!*program) {
        if (program->error().code != ErrorCode::Unsupported) {
            co_return bad(program->error().text);
        }
        // RFC 5182 2.1: a SEARCH that ends in NO leaves nothing saved; whether this one was to save
        // is not known, and "$" of an older one would mislead.
        if (c->selected() != nullptr) {
            c->selected()->save({});
        }
        co_return no(imap::code::kBadCharset, "The charset is not known");
    }
    // RFC 6855 3: strings are UTF-8 now, whatever else the command says.
    if ((*program)->has_charset && c->has_enabled(Feature::Utf8)) {
        co_return bad("No CHARSET after ENABLE UTF8=ACCEPT");
    }
    if ((*program)->uses_sequence_numbers() && c->has_enabled(Feature::UidOnly)) {
        co_return uid_required();
    }
    if (needs_selected) {
        if (auto forbidden = forbid_read(c)) {
            co_return forbidden;
        }
    }
    Result<> fresh = co_await c->room().refresh_keywords();
    if (fresh && c->selected() != nullptr) {
        fresh = co_await c->selected()->room().refresh_keywords();
    }
    if (!fresh) {
        co_return refusal(fresh.error(), "SEARCH");
    }
    if ((*program)->uses_mod_seqs()) {
        c->follow_mod_seqs();
    }
    co_return std::nullopt;
}

AnswerTask run_search(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<imap::SearchProgram> program = imap::parse_search(lexer);
    if (std::optional<Answer> forbidden = co_await forbid_search(c, &program)) {
        co_return *std::move(forbidden);
    }
    SearchAnswer found{.tag = command.tag,
                       .returns = program->returns,
                       .numbering = command.uid ? Numbering::Uid : Numbering::Sequence,
                       .has_mod_seq = program->uses_mod_seqs()};
    if (found.returns.update && c->selected()->live_searches().has(command.tag)) {
        co_return bad("Tag reuse");  // RFC 5267 4.3.
    }
    std::optional<imap::SearchProgram> kept;
    if (found.returns.update) {
        kept = kept_program(*program, *c->selected());
        c->selected()->live_searches().expect();
    }
    const bool is_by_number = program->uses_sequence_numbers();
    if (found.returns.relevancy) {
        c->progress().divide(2);
    }
    Result<FoundMessages> messages =
        co_await find_messages(c, SearchScopeView(c->selected()), std::move(*program),
                               found.returns.relevancy ? Scores::Wanted : Scores::Unwanted);
    if (!messages) {
        if (found.returns.save) {
            c->selected()->save({});
        }
        co_return refusal(messages.error(), "SEARCH");
    }
    found.found = std::move(messages->uids);
    found.scores = std::move(messages->scores);
    CO_TRY(co_await write_search_answer(c, &found));
    if (found.returns.update) {
        std::optional<LiveSearch> search;
        if (kept) {
            search = LiveSearch{.tag = found.tag,
                                .numbering = found.numbering,
                                .program = *std::move(kept),
                                .results = found.found};
        }
        keep_search(c, found.tag, std::move(search));
    }
    Answer answer = ok(command.uid ? "UID SEARCH completed" : "SEARCH completed");
    answer.holds_expunges = is_by_number;
    co_return answer;
}

}  // namespace godwit::serve::imap_desk
