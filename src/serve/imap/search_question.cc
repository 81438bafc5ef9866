#include "serve/imap/search_question.h"

#include <algorithm>

#include "base/log.h"
#include "mail/text/date.h"
#include "serve/imap/object_id.h"
#include "serve/imap/text_search.h"

namespace godwit::serve::imap_desk {

namespace {

using imap::SearchNode;
using imap::SearchOp;
using imap::Truth;

Truth truth(bool value) {
    return value ? Truth::Yes : Truth::No;
}

Truth truth(store::IndexAnswer answer) {
    switch (answer) {
        case store::IndexAnswer::No: return Truth::No;
        case store::IndexAnswer::Yes: return Truth::Yes;
        case store::IndexAnswer::Unknown: break;
    }
    return Truth::Unknown;
}

std::chrono::sys_days day_of(std::int64_t unix_seconds) {
    return std::chrono::floor<std::chrono::days>(
        std::chrono::sys_seconds(std::chrono::seconds(unix_seconds)));
}

bool is_text(const SearchNode& node) {
    return node.op == SearchOp::Header || node.op == SearchOp::Body || node.op == SearchOp::Text;
}

store::IndexedPlace place_of(const SearchNode& node) {
    return node.op == SearchOp::Header ? store::IndexedPlace::Header
           : node.op == SearchOp::Body ? store::IndexedPlace::Body
                                       : store::IndexedPlace::Text;
}

bool has_keyword(const store::MessageRow& row, const store::KeywordSet& keyword) {
    for (std::size_t i = 0; i < 4; ++i) {
        if ((row.flags.keywords.words()[i] & keyword.words()[i]) != 0) {
            return true;
        }
    }
    return false;
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

// By node: a FUZZY text whose match makes a message more relevant. What must not match does not.
std::vector<bool> scored_nodes(const SearchQuestion& question) {
    const std::vector<SearchNode>& nodes = question.program.nodes;
    std::vector<bool> scored(nodes.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        scored[i] = question.fuzzy[i].has_value();
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (nodes[i].op == SearchOp::Not) {
            std::fill(scored.begin() + static_cast<std::ptrdiff_t>(i),
                      scored.begin() + static_cast<std::ptrdiff_t>(nodes[i].end), false);
        }
    }
    return scored;
}

// The mean over the scored keys of score(index of the node), which may not know.
template <class Score>
Result<std::optional<unsigned>> mean_score(const SearchQuestion& question, Score&& score) {
    const std::vector<bool> scored = scored_nodes(question);
    unsigned sum = 0;
    unsigned count = 0;
    for (std::size_t i = 0; i < scored.size(); ++i) {
        if (scored[i]) {
            const std::optional<unsigned> one = TRY(score(i));
            if (!one) {
                return std::nullopt;
            }
            sum += *one;
            ++count;
        }
    }
    // Found by keys that match or do not, and have nothing between.
    return count == 0 ? 100U : std::max(1U, sum / count);
}

unsigned score_of(const SearchNode& node, const mail::FuzzyTally& tally) {
    return tally.score(store::word_places(place_of(node), node.name));
}

}  // namespace

bool asks_for_text(const imap::SearchProgram& program) {
    return std::ranges::any_of(program.nodes, is_text);
}

bool SearchQuestion::has_fuzzy_words() const {
    return std::ranges::any_of(fuzzy, [](const auto& one) { return one.has_value(); });
}

Result<std::shared_ptr<SearchQuestion>> make_question(imap::SearchProgram program,
                                                      const SearchScopeView& scope,
                                                      const KeywordTable& keywords, WallTime now) {
    auto question = std::make_shared<SearchQuestion>();
    question->program = std::move(program);
    question->now = unix_seconds(now);
    const std::vector<SearchNode>& nodes = question->program.nodes;
    question->sets.resize(question->program.sets.size());
    question->keywords.resize(nodes.size());
    question->objects.resize(nodes.size());
    question->fuzzy.resize(nodes.size());
    std::optional<mail::Stemmers> stemmers;
    std::size_t words = 0;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const SearchNode& node = nodes[i];
        question->needles.push_back(fold_needle(node.text));
        if (node.op == SearchOp::SequenceNumbers) {
            question->sets[node.set] = question->program.sets[node.set].resolve(scope.exists());
        } else if (node.op == SearchOp::Uids) {
            question->sets[node.set] = scope.uids_of(question->program.sets[node.set]);
        } else if (node.op == SearchOp::Keyword) {
            question->keywords[i] = keywords.find(node.text);
        } else if (node.op == SearchOp::EmailId || node.op == SearchOp::ThreadId) {
            question->objects[i] = parse_object_id(
                node.op == SearchOp::EmailId ? ObjectKind::Email : ObjectKind::Thread,
                scope.view().account(), node.text);
        } else if (node.fuzzy && is_text(node)) {
            if (!stemmers) {
                stemmers.emplace();
            }
            mail::FuzzyNeedle needle(question->needles[i], *stemmers);
            words += needle.words().size();
            if (words > fuzzy_words_max) {
                return peer_error(ErrorCode::LimitExceeded, "Too many words to search for");
            }
            if (!needle.words().empty()) {
                question->fuzzy[i] = std::move(needle);
            }
        }
    }
    return question;
}

IndexKnowledge ask_index_for(store::Store* store, AccountId account,
                             const SearchQuestion& question) {
    const std::vector<SearchNode>& asked = question.program.nodes;
    IndexKnowledge known{.exact = std::vector<store::IndexAnswers>(asked.size()),
                         .fuzzy = std::vector<store::FuzzyAnswers>(asked.size())};
    std::vector<store::IndexQuestion> exact;
    std::vector<store::FuzzyQuestion> fuzzy;
    for (std::size_t i = 0; i < asked.size(); ++i) {
        if (!is_text(asked[i])) {
            continue;
        }
        const store::IndexedPlace place = place_of(asked[i]);
        const std::string name = asked[i].op == SearchOp::Header ? asked[i].name : std::string();
        if (question.fuzzy[i]) {
            fuzzy.push_back({.place = place, .header_name = name, .needle = &*question.fuzzy[i]});
        } else {
            exact.push_back({.place = place, .header_name = name, .needle = question.needles[i]});
        }
    }
    const std::shared_ptr<const store::Snapshot> snapshot = store->snapshot();
    auto exact_answers = store::ask_index(*snapshot, account, exact);
    Result<std::vector<store::FuzzyAnswers>> fuzzy_answers =
        fuzzy.empty() ? std::vector<store::FuzzyAnswers>()
                      : store::ask_index_fuzzily(*snapshot, account, fuzzy, mail::Stemmers());
    if (!exact_answers || !fuzzy_answers) {
        const Error& error = exact_answers ? fuzzy_answers.error() : exact_answers.error();
        log::error("search_index.damaged", {{"account", account.value()}, {"error", error.text}});
        return known;
    }
    std::size_t next_exact = 0;
    std::size_t next_fuzzy = 0;
    for (std::size_t i = 0; i < asked.size(); ++i) {
        if (question.fuzzy[i]) {
            known.fuzzy[i] = std::move((*fuzzy_answers)[next_fuzzy++]);
        } else if (is_text(asked[i])) {
            known.exact[i] = std::move((*exact_answers)[next_exact++]);
        }
    }
    return known;
}

Truth ask_row(const SearchQuestion& question, const SearchNode& node,
              const SearchCandidate& candidate) {
    const store::MessageRow& row = candidate.row;
    const std::size_t index = question.index_of(node);
    switch (node.op) {
        case SearchOp::All: return Truth::Yes;
        case SearchOp::SequenceNumbers:
            return truth(question.sets[node.set].contains(candidate.number));
        case SearchOp::Uids: return truth(question.sets[node.set].contains(row.uid.value()));
        case SearchOp::Flag:
            return truth(((row.flags.system & static_cast<std::uint8_t>(node.flag)) != 0) ==
                         node.wanted);
        case SearchOp::Keyword:
            return truth(has_keyword(row, question.keywords[index]) == node.wanted);
        case SearchOp::Recent: return truth(candidate.is_recent == node.wanted);
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
            return truth(question.fuzzy[index] ? question.known->fuzzy[index].of(row.email)
                                               : question.known->exact[index].of(row.email));
        default: return Truth::Unknown;
    }
}

Truth ask_summary(const SearchQuestion& question, const SearchNode& node,
                  const store::MessageRecord& record, const mail::MessageSummary& summary) {
    switch (node.op) {
        case SearchOp::SentBefore:
        case SearchOp::SentOn:
        case SearchOp::SentSince: return ask_sent(node, summary);
        case SearchOp::Header: {
            const std::size_t index = question.index_of(node);
            if (summary.headers_truncated || !mail::is_hot_header(node.name) ||
                question.fuzzy[index]) {
                return Truth::Unknown;
            }
            return truth(has_header_text(record.prefix + summary.headers, node.name,
                                         question.needles[index]));
        }
        default: return Truth::Unknown;
    }
}

Result<bool> ask_message(const SearchQuestion& question, store::Store* store,
                         const mail::Stemmers* stemmers, const OpenCase& open) {
    MessageSearch message(store, &open.record, &open.summary);
    std::optional<Error> failure;
    const Truth found = imap::evaluate(question.program, [&](const SearchNode& node) {
        const Truth by_row = ask_row(question, node, open.candidate);
        if (by_row != Truth::Unknown || failure) {
            return by_row;
        }
        const Truth by_summary = ask_summary(question, node, open.record, open.summary);
        if (by_summary != Truth::Unknown) {
            return by_summary;
        }
        const std::size_t index = question.index_of(node);
        const std::string& needle = question.needles[index];
        const auto read = [&]() -> Result<bool> {
            if (question.fuzzy[index]) {
                return TRY(message.tally(place_of(node), node.name, *question.fuzzy[index],
                                         *stemmers))
                    .is_match();
            }
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

std::optional<unsigned> score_by_index(const SearchQuestion& question, EmailId email) {
    const Result<std::optional<unsigned>> score =
        mean_score(question, [&](std::size_t index) -> Result<std::optional<unsigned>> {
            const store::FuzzyAnswers& known = question.known->fuzzy[index];
            if (known.of(email) == store::IndexAnswer::Unknown) {
                return std::nullopt;
            }
            return score_of(question.program.nodes[index], known.tally(email));
        });
    return score ? *score : std::nullopt;
}

Result<unsigned> score_message(const SearchQuestion& question, store::Store* store,
                               const mail::Stemmers& stemmers, const OpenCase& open) {
    MessageSearch message(store, &open.record, &open.summary);
    const std::optional<unsigned> score =
        TRY(mean_score(question, [&](std::size_t index) -> Result<std::optional<unsigned>> {
            const SearchNode& node = question.program.nodes[index];
            return score_of(node, TRY(message.tally(place_of(node), node.name,
                                                    *question.fuzzy[index], stemmers)));
        }));
    return score.value_or(1);
}

}  // namespace godwit::serve::imap_desk
