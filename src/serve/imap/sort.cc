// Serves SORT and UID SORT. RFC 5256 3 (BASE.6.4.SORT), 2; RFC 5267 3 (ESORT); RFC 5957 3.
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

Value value_of(SortKey key, const store::MessageRow& row, const mail::MessageSummary& summary) {
    switch (key) {
        case SortKey::Arrival: return {.number = row.internal_date};
        case SortKey::Size: return {.number = static_cast<std::int64_t>(row.size)};
        case SortKey::Date: return {.number = sent_at(row, summary)};
        case SortKey::Cc: return {.text = mailbox_of(summary.envelope().cc)};
        case SortKey::From: return {.text = mailbox_of(summary.envelope().from)};
        case SortKey::To: return {.text = mailbox_of(summary.envelope().to)};
        case SortKey::DisplayFrom: return {.text = display_of(summary.envelope().from)};
        case SortKey::DisplayTo: return {.text = display_of(summary.envelope().to)};
        case SortKey::Subject: break;
    }
    const std::string subject = summary.envelope().subject.value_or("");
    return {.text = mail::fold_case(mail::base_subject(subject).text)};
}

bool needs_summary(const Criteria& criteria) {
    return std::ranges::any_of(criteria, [](const imap::SortCriterion& criterion) {
        return criterion.key != SortKey::Arrival && criterion.key != SortKey::Size;
    });
}

Item item_of(const Criteria& criteria, const store::MessageRow& row,
             const mail::MessageSummary& summary) {
    Item item{.uid = row.uid, .values = {}};
    item.values.reserve(criteria.size());
    for (const imap::SortCriterion& criterion : criteria) {
        item.values.push_back(value_of(criterion.key, row, summary));
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

net::Task<Result<std::vector<Item>>> read_items(Conversation* c, const Criteria* criteria,
                                                std::vector<Uid> uids) {
    std::vector<Item> items;
    items.reserve(uids.size());
    if (!needs_summary(*criteria)) {
        for (const Uid uid : uids) {
            if (const store::MessageRow* row = c->selected()->view().find(uid)) {
                items.push_back(item_of(*criteria, *row, {}));
            }
        }
        co_return items;
    }
    CO_TRY(co_await each_summary(
        c, &uids, [&](const store::MessageRow& row, const mail::MessageSummary& summary) {
            items.push_back(item_of(*criteria, row, summary));
        }));
    co_return items;
}

}  // namespace

AnswerTask run_sort(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<imap::SortArguments> arguments = imap::parse_sort(lexer);
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
    Result<std::vector<Uid>> uids = co_await find_messages(c, *program);
    if (!uids) {
        co_return refusal(uids.error(), "SORT");
    }
    const Criteria criteria = std::move(arguments->criteria);
    Result<std::vector<Item>> items = co_await read_items(c, &criteria, std::move(*uids));
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
    }
    CO_TRY(co_await write_search_answer(c, &found));
    Answer answer = ok(command.uid ? "UID SORT completed" : "SORT completed");
    answer.holds_expunges = program->uses_sequence_numbers();
    co_return answer;
}

}  // namespace godwit::serve::imap_desk
