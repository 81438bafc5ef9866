// Serves SORT and UID SORT. RFC 5256 3 (BASE.6.4.SORT), 2; RFC 5267 3 (ESORT); RFC 5957 3;
// RFC 6203 6.
#include "wire/imap/sort.h"

#include <algorithm>

#include "mail/address/address_list.h"
#include "mail/message/base_subject.h"
#include "mail/text/charset.h"
#include "mail/text/encoded_word.h"
#include "serve/imap/search_answer.h"
#include "serve/imap/search_run.h"
#include "serve/imap/stored_summaries.h"

namespace godwit::serve::imap_desk {

namespace {

using imap::SortKey;

// What a message is compared by, one a criterion: by number, then by text; one of them is unused.
struct Value {
    std::int64_t number = 0;
    std::string text{};
    auto operator<=>(const Value&) const = default;
};
struct Item {
    Uid uid;
    std::uint8_t score = 0;
    std::vector<Value> values;
};
using Criteria = std::vector<imap::SortCriterion>;

std::string mailbox_of(const std::optional<std::string>& field) {
    const mail::AddressList list = mail::parse_address_list(field.value_or(""));
    return list.items.empty() ? std::string() : mail::fold_case(list.items.front().mailbox);
}

// RFC 5957 3.
std::string display_of(const std::optional<std::string>& field) {
    const mail::AddressList list = mail::parse_address_list(field.value_or(""));
    if (list.items.empty()) {
        return {};
    }
    const mail::ListedAddress& first = list.items.front();
    const std::string name = mail::decode_header_text(first.name);
    return mail::fold_case(!name.empty()        ? name
                           : first.host.empty() ? first.mailbox
                                                : first.mailbox + "@" + first.host);
}

/// A message that is sorted, and its score where one is asked for.
struct Sorted {
    const store::MessageRow& row;
    const mail::MessageSummary& summary;
    std::uint8_t score = 0;
};

Value value_of(SortKey key, const Sorted& message) {
    const auto& [row, summary, score] = message;
    switch (key) {
        case SortKey::Arrival: return {.number = row.internal_date};
        case SortKey::Size: return {.number = static_cast<std::int64_t>(row.size)};
        case SortKey::Date: return {.number = sent_at(row, summary)};
        case SortKey::Cc: return {.text = mailbox_of(summary.envelope().cc)};
        case SortKey::From: return {.text = mailbox_of(summary.envelope().from)};
        case SortKey::To: return {.text = mailbox_of(summary.envelope().to)};
        case SortKey::DisplayFrom: return {.text = display_of(summary.envelope().from)};
        case SortKey::DisplayTo: return {.text = display_of(summary.envelope().to)};
        // RFC 6203 6: the highest first.
        case SortKey::Relevancy: return {.number = -std::int64_t{score}};
        case SortKey::Subject: break;
    }
    const std::string subject = summary.envelope().subject.value_or("");
    return {.text = mail::fold_case(mail::base_subject(subject).text)};
}

bool needs_summary(const Criteria& criteria) {
    return std::ranges::any_of(criteria, [](const imap::SortCriterion& criterion) {
        return criterion.key != SortKey::Arrival && criterion.key != SortKey::Size &&
               criterion.key != SortKey::Relevancy;
    });
}

Item item_of(const Criteria& criteria, const Sorted& message) {
    Item item{.uid = message.row.uid, .score = message.score, .values = {}};
    item.values.reserve(criteria.size());
    for (const imap::SortCriterion& criterion : criteria) {
        item.values.push_back(value_of(criterion.key, message));
    }
    return item;
}

// Equal ones stay in the order of the mailbox, REVERSE or not.
std::vector<Item> sorted(const Criteria& criteria, std::vector<Item> items) {
    std::ranges::stable_sort(items, [&criteria](const Item& left, const Item& right) {
        for (std::size_t i = 0; i < criteria.size(); ++i) {
            const auto order = left.values[i] <=> right.values[i];
            if (order != 0) {
                return (order < 0) != criteria[i].reverse;
            }
        }
        return false;
    });
    return items;
}

// `found` outlives the task.
net::Task<Result<std::vector<Item>>> read_items(Conversation* c, const Criteria* criteria,
                                                const FoundMessages* found) {
    std::vector<Item> items;
    items.reserve(found->uids.size());
    const auto score_of = [found](Uid uid) -> std::uint8_t {
        const auto at = std::ranges::lower_bound(found->uids, uid) - found->uids.begin();
        return found->scores.empty() ? 0 : found->scores[static_cast<std::size_t>(at)];
    };
    if (!needs_summary(*criteria)) {
        const mail::MessageSummary none;
        for (const Uid uid : found->uids) {
            if (const store::MessageRow* row = c->selected()->view().find(uid)) {
                items.push_back(item_of(*criteria, {*row, none, score_of(uid)}));
            }
        }
        co_return items;
    }
    CO_TRY(co_await each_summary(
        c, &found->uids, [&](const store::MessageRow& row, const mail::MessageSummary& summary) {
            items.push_back(item_of(*criteria, {row, summary, score_of(row.uid)}));
        }));
    co_return items;
}

bool needs_scores(const imap::SortArguments& arguments) {
    return arguments.program.returns.relevancy ||
           std::ranges::find(arguments.criteria, SortKey::Relevancy, &imap::SortCriterion::key) !=
               arguments.criteria.end();
}

}  // namespace

AnswerTask run_sort(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<imap::SortArguments> arguments = imap::parse_sort(lexer);
    const Scores scores = arguments && needs_scores(*arguments) ? Scores::Wanted : Scores::Unwanted;
    const Result<imap::SearchProgram> program =
        arguments ? Result<imap::SearchProgram>(std::move(arguments->program))
                  : std::unexpected(arguments.error());
    if (std::optional<Answer> forbidden = co_await forbid_search(c, &program)) {
        co_return *std::move(forbidden);
    }
    SearchAnswer found{.tag = command.tag,
                       .returns = program->returns,
                       .numbering = command.uid ? Numbering::Uid : Numbering::Sequence,
                       .has_mod_seq = program->uses_mod_seqs()};
    found.is_sorted = true;
    const Result<FoundMessages> messages =
        co_await find_messages(c, SearchScopeView(c->selected()), *program, scores);
    if (!messages) {
        co_return refusal(messages.error(), "SORT");
    }
    const Criteria criteria = std::move(arguments->criteria);
    Result<std::vector<Item>> items = co_await read_items(c, &criteria, &*messages);
    if (!items) {
        co_return refusal(items.error(), "SORT");
    }
    const Result<std::vector<Item>> order = co_await net::offload(
        c->services()->offload,
        [criteria, items = std::move(*items)]() mutable -> Result<std::vector<Item>> {
            return sorted(criteria, std::move(items));
        });
    if (!order) {
        co_return refusal(order.error(), "SORT");
    }
    for (const Item& item : *order) {
        found.found.push_back(item.uid);
        found.scores.push_back(item.score);
    }
    CO_TRY(co_await write_search_answer(c, &found));
    Answer answer = ok(command.uid ? "UID SORT completed" : "SORT completed");
    answer.holds_expunges = program->uses_sequence_numbers();
    co_return answer;
}

}  // namespace godwit::serve::imap_desk
