// Serves SEARCH and UID SEARCH.
// RFC 3501 6.4.4; RFC 5032 3; RFC 5182 2; RFC 7162 3.1.5; RFC 8474 6; RFC 8514 4.3; RFC 9738 3.2.
// T78.
// Three rounds, each only for what the one before could not tell: the view and the search index,
// the stored summary, and (on the offload pool) the message itself. Every round goes in bounded
// steps.
#include <algorithm>

#include "base/log.h"
#include "mail/message/summary.h"
#include "mail/text/date.h"
#include "serve/imap/changes.h"
#include "serve/imap/message_source.h"
#include "serve/imap/object_id.h"
#include "serve/imap/search_answer.h"
#include "serve/imap/search_run.h"
#include "serve/imap/text_search.h"
#include "store/search/ask.h"
#include "wire/imap/search.h"

namespace godwit::serve::imap_desk {

namespace {

using imap::SearchNode;
using imap::SearchOp;
using imap::Truth;

// Rows looked at before others get the shard.
constexpr std::size_t kRowsInTurn = 8192;
// Messages that one job of the pool reads.
constexpr std::size_t kMessagesInJob = 8;

Truth truth(bool value) {
    return value ? Truth::Yes : Truth::No;
}

std::chrono::sys_days day_of(std::int64_t unix_seconds) {
    return std::chrono::floor<std::chrono::days>(
        std::chrono::sys_seconds(std::chrono::seconds(unix_seconds)));
}

// The program with what of it depends on the session resolved. Shared with jobs of the pool, which
// may outlive the session; immutable.
struct Question {
    imap::SearchProgram program;
    std::vector<imap::NumberSet> sets;                  ///< By SearchNode::set.
    std::vector<store::KeywordSet> keywords;            ///< By node.
    std::vector<std::string> needles;                   ///< By node, folded.
    std::vector<std::optional<std::uint32_t>> objects;  ///< By node, of ObjectIDs.
    std::vector<store::IndexAnswers> index;             ///< By node, what the search index says.
    std::int64_t now = 0;                               ///< When it was asked; unix seconds.
};

Truth ask_row(const Question& question, const SearchNode& node, const store::MessageRow& row,
              std::uint32_t number, bool is_recent) {
    const auto index = static_cast<std::size_t>(&node - question.program.nodes.data());
    switch (node.op) {
        case SearchOp::All: return Truth::Yes;
        case SearchOp::SequenceNumbers: return truth(question.sets[node.set].contains(number));
        case SearchOp::Uids: return truth(question.sets[node.set].contains(row.uid.value()));
        case SearchOp::Flag:
            return truth(((row.flags.system & static_cast<std::uint8_t>(node.flag)) != 0) ==
                         node.wanted);
        case SearchOp::Keyword: {
            bool is_set = false;
            for (std::size_t i = 0; i < 4; ++i) {
                is_set = is_set ||
                         (row.flags.keywords.words()[i] & question.keywords[index].words()[i]) != 0;
            }
            return truth(is_set == node.wanted);
        }
        case SearchOp::Recent: return truth(is_recent == node.wanted);
        case SearchOp::Before: return truth(day_of(row.internal_date) < node.day);
        case SearchOp::On: return truth(day_of(row.internal_date) == node.day);
        case SearchOp::Since: return truth(day_of(row.internal_date) >= node.day);
        case SearchOp::Larger: return truth(row.size > node.number);
        case SearchOp::Smaller: return truth(row.size < node.number);
        case SearchOp::ModSeq: return truth(row.mod_seq.value() >= node.number);
        // RFC 5032 3: the message of that very second is in both.
        case SearchOp::Older:
            return truth(question.now - row.internal_date >=
                         static_cast<std::int64_t>(node.number));
        case SearchOp::Younger:
            return truth(question.now - row.internal_date <=
                         static_cast<std::int64_t>(node.number));
        case SearchOp::UidAfter: return truth(row.uid.value() > node.number);
        case SearchOp::UidBefore: return truth(row.uid.value() < node.number);
        case SearchOp::SavedBefore: return truth(day_of(row.saved_at) < node.day);
        case SearchOp::SavedOn: return truth(day_of(row.saved_at) == node.day);
        case SearchOp::SavedSince: return truth(day_of(row.saved_at) >= node.day);
        case SearchOp::EmailId: return truth(question.objects[index] == row.email.value());
        case SearchOp::ThreadId: return truth(question.objects[index] == row.thread.value());
        case SearchOp::Header:
        case SearchOp::Body:
        case SearchOp::Text:
            switch (question.index[index].of(row.email)) {
                case store::IndexAnswer::No: return Truth::No;
                case store::IndexAnswer::Yes: return Truth::Yes;
                case store::IndexAnswer::Unknown: break;
            }
            return Truth::Unknown;
        default: return Truth::Unknown;
    }
}

bool is_text(const SearchNode& node) {
    return node.op == SearchOp::Header || node.op == SearchOp::Body || node.op == SearchOp::Text;
}

// What the search index knows of the texts that are asked for; nothing when it cannot be asked.
// Synchronous: on the offload pool.
std::vector<store::IndexAnswers> ask_index_for(store::Store* store, AccountId account,
                                               const Question& question) {
    const std::vector<SearchNode>& asked = question.program.nodes;
    std::vector<store::IndexAnswers> answers(asked.size());
    std::vector<store::IndexQuestion> questions;
    std::vector<std::size_t> nodes;
    for (std::size_t i = 0; i < asked.size(); ++i) {
        if (!is_text(asked[i])) {
            continue;
        }
        const SearchOp op = asked[i].op;
        nodes.push_back(i);
        questions.push_back({.place = op == SearchOp::Header ? store::IndexedPlace::Header
                                      : op == SearchOp::Body ? store::IndexedPlace::Body
                                                             : store::IndexedPlace::Text,
                             .header_name = op == SearchOp::Header ? asked[i].name : std::string(),
                             .needle = question.needles[i]});
    }
    auto known = store::ask_index(*store->snapshot(), account, questions);
    if (!known) {
        log::error("search_index.damaged",
                   {{"account", account.value()}, {"error", known.error().text}});
        return answers;
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        answers[nodes[i]] = std::move((*known)[i]);
    }
    return answers;
}

// RFC 3501 6.4.4: by the Date field as its writer saw it, whatever the zone.
Truth ask_sent(const SearchNode& node, const mail::MessageSummary& summary) {
    if (!summary.sent) {
        return Truth::No;
    }
    const auto day =
        day_of(summary.sent->unix_seconds + summary.sent->offset_minutes * std::int64_t{60});
    switch (node.op) {
        case SearchOp::SentBefore: return truth(day < node.day);
        case SearchOp::SentOn: return truth(day == node.day);
        default: return truth(day >= node.day);
    }
}

Truth ask_summary(const SearchNode& node, std::string_view needle,
                  const store::MessageRecord& record, const mail::MessageSummary& summary) {
    switch (node.op) {
        case SearchOp::SentBefore:
        case SearchOp::SentOn:
        case SearchOp::SentSince: return ask_sent(node, summary);
        case SearchOp::Header:
            if (summary.headers_truncated || !mail::is_hot_header(node.name)) {
                return Truth::Unknown;
            }
            return truth(has_header_text(record.prefix + summary.headers, node.name, needle));
        default: return Truth::Unknown;
    }
}

// A message that needs more than its row.
struct Candidate {
    store::MessageRow row;
    std::uint32_t number = 0;
    bool is_recent = false;
};
struct OpenCase {
    Candidate candidate;
    store::MessageRecord record;
    mail::MessageSummary summary;
};

// Pool: the third round for one message.
Result<bool> ask_message(const Question& question, store::Store* store, const OpenCase& open) {
    MessageSearch message(store, &open.record, &open.summary);
    std::optional<Error> failure;
    const Truth found = imap::evaluate(question.program, [&](const SearchNode& node) {
        const Candidate& candidate = open.candidate;
        const Truth by_row =
            ask_row(question, node, candidate.row, candidate.number, candidate.is_recent);
        if (by_row != Truth::Unknown || failure) {
            return by_row;
        }
        const std::string& needle =
            question.needles[static_cast<std::size_t>(&node - question.program.nodes.data())];
        const Truth by_summary = ask_summary(node, needle, open.record, open.summary);
        if (by_summary != Truth::Unknown) {
            return by_summary;
        }
        const auto read = [&]() -> Result<bool> {
            if (node.op == SearchOp::Header) {
                return has_header_text(TRY(message.header()), node.name, needle);
            }
            if (node.op == SearchOp::Text && has_any_header_text(TRY(message.header()), needle)) {
                return true;
            }
            return message.has_body_text(needle);
        };
        const Result<bool> answer = read();
        if (!answer) {
            failure = answer.error();
            return Truth::No;
        }
        return truth(*answer);
    });
    if (failure) {
        return std::unexpected(*std::move(failure));
    }
    return found == Truth::Yes;
}

class Searching {
public:
    Searching(Conversation* conversation, imap::SearchProgram program);
    net::Task<Result<std::vector<Uid>>> run();

private:
    net::Task<Result<>> ask_index();
    net::Task<void> ask_rows();
    net::Task<Result<>> ask_records();
    net::Task<Result<>> ask_messages(std::vector<OpenCase> open);

    Conversation* c_;
    std::shared_ptr<Question> question_;  ///< Changed only before the first round.
    std::vector<Uid> found_;
    std::vector<Uid> unknown_;
};

Searching::Searching(Conversation* conversation, imap::SearchProgram program) : c_(conversation) {
    auto question = std::make_shared<Question>();
    question->program = std::move(program);
    question->now = unix_seconds(c_->services()->clock->wall());
    Selected& selected = *c_->selected();
    question->sets.resize(question->program.sets.size());
    question->keywords.resize(question->program.nodes.size());
    question->objects.resize(question->program.nodes.size());
    for (std::size_t i = 0; i < question->program.nodes.size(); ++i) {
        const SearchNode& node = question->program.nodes[i];
        question->needles.push_back(fold_needle(node.text));
        if (node.op == SearchOp::SequenceNumbers) {
            question->sets[node.set] = question->program.sets[node.set].resolve(selected.exists());
        } else if (node.op == SearchOp::Uids) {
            question->sets[node.set] =
                selected.uids_of(question->program.sets[node.set], selected.last_uid().value());
        } else if (node.op == SearchOp::Keyword) {
            question->keywords[i] = c_->selected()->room().keywords().find(node.text);
        } else if (node.op == SearchOp::EmailId || node.op == SearchOp::ThreadId) {
            question->objects[i] = parse_object_id(
                node.op == SearchOp::EmailId ? ObjectKind::Email : ObjectKind::Thread,
                selected.view().account(), node.text);
        }
    }
    question_ = std::move(question);
}

net::Task<Result<>> Searching::ask_index() {
    question_->index.resize(question_->program.nodes.size());
    if (std::ranges::none_of(question_->program.nodes, is_text)) {
        co_return Result<>();
    }
    store::Store* const store = c_->services()->store;
    const AccountId account = c_->selected()->view().account();
    question_->index =
        CO_TRY(co_await net::offload(c_->services()->offload, [store, account, asked = question_] {
            return ask_index_for(store, account, *asked);
        }));
    co_return Result<>();
}

net::Task<void> Searching::ask_rows() {
    Uid next(1);
    for (;;) {
        const Selected& selected = *c_->selected();
        const auto rows = selected.view().rows();
        const std::size_t begin = selected.view().lower_bound(next);
        const std::size_t end = std::min(selected.known_rows(), begin + kRowsInTurn);
        for (std::size_t at = begin; at < end; ++at) {
            const store::MessageRow& row = rows[at];
            const Truth value = imap::evaluate(question_->program, [&](const SearchNode& node) {
                return ask_row(*question_, node, row, selected.number_at(at, row.uid),
                               selected.is_recent(row.uid));
            });
            if (value == Truth::Yes) {
                found_.push_back(row.uid);
            } else if (value == Truth::Unknown) {
                unknown_.push_back(row.uid);
            }
        }
        if (end >= selected.known_rows()) {
            co_return;
        }
        next = Uid(rows[end - 1].uid.value() + 1);
        co_await net::yield_now();
    }
}

net::Task<Result<>> Searching::ask_records() {
    const AccountId account = c_->selected()->view().account();
    for (std::size_t at = 0; at < unknown_.size(); at += kRecordBatch) {
        std::vector<Candidate> candidates;
        std::vector<EmailId> emails;
        for (const Uid uid : slice(unknown_, at, kRecordBatch)) {
            const Selected& selected = *c_->selected();
            const std::size_t index = selected.view().lower_bound(uid);
            if (const store::MessageRow* row = selected.view().find(uid)) {
                candidates.push_back(
                    {*row, selected.number_at(index, uid), selected.is_recent(uid)});
                emails.push_back(row->email);
            }
        }
        auto records = CO_TRY(co_await read_records(c_->services(), account, std::move(emails)));
        std::vector<OpenCase> open;
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            if (!records[i]) {
                continue;  // Gone meanwhile.
            }
            const Candidate& candidate = candidates[i];
            Result<mail::MessageSummary> decoded =
                mail::MessageSummary::decode(records[i]->summary);
            if (!decoded) {
                // A damaged message is found by nothing; the others are.
                log::error("imap.search_failed", {{"account", account.value()},
                                                  {"uid", candidate.row.uid.value()},
                                                  {"error", decoded.error().text}});
                continue;
            }
            mail::MessageSummary summary = *std::move(decoded);
            const Truth value = imap::evaluate(question_->program, [&](const SearchNode& node) {
                const Truth by_row =
                    ask_row(*question_, node, candidate.row, candidate.number, candidate.is_recent);
                const auto index =
                    static_cast<std::size_t>(&node - question_->program.nodes.data());
                return by_row != Truth::Unknown
                           ? by_row
                           : ask_summary(node, question_->needles[index], *records[i], summary);
            });
            if (value == Truth::Yes) {
                found_.push_back(candidate.row.uid);
            } else if (value == Truth::Unknown) {
                open.push_back({candidate, *std::move(records[i]), std::move(summary)});
            }
        }
        CO_TRY(co_await ask_messages(std::move(open)));
        co_await net::yield_now();
    }
    co_return Result<>();
}

net::Task<Result<>> Searching::ask_messages(std::vector<OpenCase> open) {
    for (std::size_t at = 0; at < open.size(); at += kMessagesInJob) {
        std::vector<OpenCase> cases;
        for (std::size_t i = at; i < std::min(open.size(), at + kMessagesInJob); ++i) {
            cases.push_back(std::move(open[i]));
        }
        store::Store* store = c_->services()->store;
        const std::vector<Uid> hits = CO_TRY(co_await net::offload(
            c_->services()->offload,
            [store, question = question_, cases = std::move(cases)]() -> Result<std::vector<Uid>> {
                std::vector<Uid> hits;
                for (const OpenCase& one : cases) {
                    // A body that cannot be read has nothing that could be found.
                    const auto hit = ask_message(*question, store, one);
                    if (!hit) {
                        log::error("imap.search_failed", {{"uid", one.candidate.row.uid.value()},
                                                          {"error", hit.error().text}});
                    } else if (*hit) {
                        hits.push_back(one.candidate.row.uid);
                    }
                }
                return hits;
            }));
        found_.insert(found_.end(), hits.begin(), hits.end());
    }
    co_return Result<>();
}

net::Task<Result<std::vector<Uid>>> Searching::run() {
    CO_TRY(co_await ask_index());
    co_await ask_rows();
    CO_TRY(co_await ask_records());
    std::ranges::sort(found_);
    co_return std::move(found_);
}

}  // namespace

net::Task<Result<std::vector<Uid>>> find_messages(Conversation* c, imap::SearchProgram program) {
    Searching searching(c, std::move(program));
    co_return co_await searching.run();
}

net::Task<std::optional<Answer>> forbid_search(Conversation* c,
                                               const Result<imap::SearchProgram>* program) {
    if (!*program) {
        if (program->error().code != ErrorCode::Unsupported) {
            co_return bad(program->error().text);
        }
        // RFC 5182 2.1: a SEARCH that ends in NO leaves nothing saved; whether this one was to save
        // is not known, and "$" of an older one would mislead.
        c->selected()->save({});
        co_return no(imap::code::kBadCharset, "The charset is not known");
    }
    // RFC 6855 3: strings are UTF-8 now, whatever else the command says.
    if ((*program)->has_charset && c->has_enabled(Feature::Utf8)) {
        co_return bad("No CHARSET after ENABLE UTF8=ACCEPT");
    }
    if ((*program)->uses_sequence_numbers() && c->has_enabled(Feature::UidOnly)) {
        co_return uid_required();
    }
    if (auto forbidden = forbid_read(c)) {
        co_return forbidden;
    }
    if (const Result<> fresh = co_await c->selected()->room().refresh_keywords(); !fresh) {
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
    const bool is_by_number = program->uses_sequence_numbers();
    Result<std::vector<Uid>> uids = co_await find_messages(c, std::move(*program));
    if (!uids) {
        if (found.returns.save) {
            c->selected()->save({});
        }
        co_return refusal(uids.error(), "SEARCH");
    }
    found.found = std::move(*uids);
    CO_TRY(co_await write_search_answer(c, &found));
    Answer answer = ok(command.uid ? "UID SEARCH completed" : "SEARCH completed");
    answer.holds_expunges = is_by_number;
    co_return answer;
}

}  // namespace godwit::serve::imap_desk
