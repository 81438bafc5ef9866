// Serves SORT and UID SORT. RFC 5256 3 (BASE.6.4.SORT), 2; RFC 5267 3 (ESORT); RFC 5957 3.
#include "wire/imap/sort.h"

#include <algorithm>
#include <span>

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

// What a message is compared by, one a criterion: by number, then by text. The number of a text is
// its first octets, so that most need not be looked at.
struct Value {
    std::uint64_t number = 0;
    std::string text{};
    auto operator<=>(const Value&) const = default;
};
struct Item {
    Uid uid;
    Value first;
    std::vector<Value> others;  ///< Of all criteria but the first.
};
using Criteria = std::vector<imap::SortCriterion>;

Value by_number(std::int64_t number) {
    // Rising as the signed ones do.
    return {.number = static_cast<std::uint64_t>(number) ^ (std::uint64_t{1} << 63U)};
}

Value by_text(std::string text) {
    std::uint64_t front = 0;
    for (std::size_t i = 0; i < sizeof front; ++i) {
        front = front << 8U | (i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0U);
    }
    return {.number = front, .text = std::move(text)};
}

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

Value value_of(SortKey key, const store::MessageRow& row, const mail::SummaryView& summary,
               const mail::HeaderIndex& fields) {
    const auto field = [&](std::string_view name) {
        return mail::read_envelope_field(summary.headers, fields, name);
    };
    switch (key) {
        case SortKey::Arrival: return by_number(row.internal_date);
        case SortKey::Size: return by_number(static_cast<std::int64_t>(row.size));
        case SortKey::Date: return by_number(sent_at(row, summary));
        case SortKey::Cc: return by_text(mailbox_of(field("cc")));
        case SortKey::From: return by_text(mailbox_of(field("from")));
        case SortKey::To: return by_text(mailbox_of(field("to")));
        case SortKey::DisplayFrom: return by_text(display_of(field("from")));
        case SortKey::DisplayTo: return by_text(display_of(field("to")));
        case SortKey::Subject: break;
    }
    return by_text(mail::fold_case(mail::base_subject(field("subject").value_or("")).text));
}

bool needs_summary(const Criteria& criteria) {
    return std::ranges::any_of(criteria, [](const imap::SortCriterion& criterion) {
        return criterion.key != SortKey::Arrival && criterion.key != SortKey::Size;
    });
}

Item item_of(const Criteria& criteria, const store::MessageRow& row,
             const mail::SummaryView& summary) {
    const mail::HeaderIndex fields = mail::split_header(summary.headers);
    Item item{.uid = row.uid,
              .first = value_of(criteria.front().key, row, summary, fields),
              .others = {}};
    for (const imap::SortCriterion& criterion : std::span(criteria).subspan(1)) {
        item.others.push_back(value_of(criterion.key, row, summary, fields));
    }
    return item;
}

// Equal ones stay in the order of the mailbox, REVERSE or not.
std::vector<Uid> sorted(const Criteria& criteria, const std::vector<Item>& items) {
    std::vector<const Item*> order;
    order.reserve(items.size());
    for (const Item& item : items) {
        order.push_back(&item);
    }
    std::ranges::sort(order, [&criteria](const Item* left, const Item* right) {
        for (std::size_t i = 0; i < criteria.size(); ++i) {
            const Value& before = i == 0 ? left->first : left->others[i - 1];
            const Value& behind = i == 0 ? right->first : right->others[i - 1];
            if (const auto compared = before <=> behind; compared != 0) {
                return (compared < 0) != criteria[i].reverse;
            }
        }
        return left->uid < right->uid;
    });
    std::vector<Uid> uids;
    uids.reserve(order.size());
    for (const Item* item : order) {
        uids.push_back(item->uid);
    }
    return uids;
}

net::Task<Result<std::vector<Item>>> read_items(Conversation* c, Criteria criteria,
                                                std::vector<Uid> uids) {
    if (!needs_summary(criteria)) {
        std::vector<Item> items;
        items.reserve(uids.size());
        for (const Uid uid : uids) {
            if (const store::MessageRow* row = c->selected()->view().find(uid)) {
                items.push_back(item_of(criteria, *row, {}));
            }
        }
        co_return items;
    }
    co_return co_await each_summary<Item>(
        c, &uids,
        [criteria = std::move(criteria)](const store::MessageRow& row,
                                         const mail::SummaryView& summary) {
            return item_of(criteria, row, summary);
        });
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
    Result<std::vector<Item>> items = co_await read_items(c, criteria, std::move(*uids));
    if (!items) {
        co_return refusal(items.error(), "SORT");
    }
    Result<std::vector<Uid>> order =
        co_await net::offload(c->services()->offload, [criteria, items = std::move(*items)]() {
            return Result<std::vector<Uid>>(sorted(criteria, items));
        });
    if (!order) {
        co_return refusal(order.error(), "SORT");
    }
    found.found = *std::move(order);
    CO_TRY(co_await write_search_answer(c, &found));
    Answer answer = ok(command.uid ? "UID SORT completed" : "SORT completed");
    answer.holds_expunges = program->uses_sequence_numbers();
    co_return answer;
}

}  // namespace godwit::serve::imap_desk
