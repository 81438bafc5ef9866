// Serves SORT and UID SORT. RFC 5256 3 (BASE.6.4.SORT), 2; RFC 5267 3 (ESORT); RFC 5957 3;
// RFC 6203 6.
#include "wire/imap/sort.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "mail/address/address_list.h"
#include "mail/message/base_subject.h"
#include "mail/text/charset.h"
#include "mail/text/encoded_word.h"
#include "serve/imap/live_search.h"
#include "serve/imap/search_answer.h"
#include "serve/imap/sort_run.h"
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

// The octets from `at` on as a number that rises as they do; 0 where there are none.
std::uint64_t octets_at(std::string_view text, std::size_t at) {
    std::uint64_t word = 0;
    for (std::size_t i = at; i < at + sizeof word; ++i) {
        word = word << 8U | (i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0U);
    }
    return word;
}

Value by_text(std::string text) {
    const std::uint64_t front = octets_at(text, 0);
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

/// A message that is sorted, and its score where one is asked for.
struct Sorted {
    const store::MessageRow& row;
    const mail::SummaryView& summary;
    const mail::HeaderIndex& fields;
    std::uint8_t score = 0;
};

Value value_of(SortKey key, const Sorted& message) {
    const auto& [row, summary, fields, score] = message;
    const auto field = [&summary, &fields](std::string_view name) {
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
        // RFC 6203 6: the highest first.
        case SortKey::Relevancy: return by_number(-std::int64_t{score});
        case SortKey::Subject: break;
    }
    return by_text(mail::fold_case(mail::base_subject(field("subject").value_or("")).text));
}

bool needs_summary(const Criteria& criteria) {
    return std::ranges::any_of(criteria, [](const imap::SortCriterion& criterion) {
        return criterion.key != SortKey::Arrival && criterion.key != SortKey::Size &&
               criterion.key != SortKey::Relevancy;
    });
}

Item item_of(const Criteria& criteria, const store::MessageRow& row,
             const mail::SummaryView& summary, std::uint8_t score) {
    const mail::HeaderIndex fields = mail::split_header(summary.headers);
    const Sorted message{row, summary, fields, score};
    Item item{.uid = row.uid, .first = value_of(criteria.front().key, message), .others = {}};
    for (const imap::SortCriterion& criterion : std::span(criteria).subspan(1)) {
        item.others.push_back(value_of(criterion.key, message));
    }
    return item;
}

bool is_before(const Criteria& criteria, const Item& left, const Item& right) {
    for (std::size_t i = 0; i < criteria.size(); ++i) {
        const Value& before = i == 0 ? left.first : left.others[i - 1];
        const Value& behind = i == 0 ? right.first : right.others[i - 1];
        if (const auto compared = before <=> behind; compared != 0) {
            return (compared < 0) != criteria[i].reverse;
        }
    }
    return left.uid < right.uid;
}

// Equal ones stay in the order of the mailbox, REVERSE or not.
std::vector<Uid> sorted(const Criteria& criteria, const std::vector<Item>& items) {
    // Where the first value begins with other octets, that says it all without a look at the item.
    struct Place {
        std::array<std::uint64_t, 3> front;
        const Item* item;
    };
    std::vector<Place> order;
    order.reserve(items.size());
    for (const Item& item : items) {
        const std::string& text = item.first.text;
        order.push_back({.front = {item.first.number, octets_at(text, sizeof(std::uint64_t)),
                                   octets_at(text, 2 * sizeof(std::uint64_t))},
                         .item = &item});
    }
    const bool reverse = criteria.front().reverse;
    std::ranges::sort(order, [&criteria, reverse](const Place& left, const Place& right) {
        return left.front != right.front ? (left.front < right.front) != reverse
                                         : is_before(criteria, *left.item, *right.item);
    });
    std::vector<Uid> uids;
    uids.reserve(order.size());
    for (const Place& place : order) {
        uids.push_back(place.item->uid);
    }
    return uids;
}

std::uint8_t score_of(const FoundMessages& found, Uid uid) {
    const auto at = std::ranges::lower_bound(found.uids, uid) - found.uids.begin();
    return found.scores.empty() ? 0 : found.scores[static_cast<std::size_t>(at)];
}

// Shared: steps on the pool read it, whose session may go away.
net::Task<Result<std::vector<Item>>> read_items(Conversation* c, Criteria criteria,
                                                std::shared_ptr<const FoundMessages> found) {
    if (!needs_summary(criteria)) {
        std::vector<Item> items;
        items.reserve(found->uids.size());
        for (const Uid uid : found->uids) {
            if (const store::MessageRow* row = c->selected()->view().find(uid)) {
                items.push_back(item_of(criteria, *row, {}, score_of(*found, uid)));
            }
        }
        co_return items;
    }
    co_return co_await each_summary<Item>(
        c, &found->uids,
        [criteria = std::move(criteria), found](const store::MessageRow& row,
                                                const mail::SummaryView& summary) {
            return item_of(criteria, row, summary, score_of(*found, row.uid));
        });
}

bool needs_scores(const imap::SortArguments& arguments) {
    return arguments.program.returns.relevancy ||
           std::ranges::find(arguments.criteria, SortKey::Relevancy, &imap::SortCriterion::key) !=
               arguments.criteria.end();
}

// What is told instead of sorting.
std::optional<Answer> forbid_sort(Conversation* c, const imap::SearchProgram& program,
                                  const std::string& tag) {
    if (program.returns.update && c->selected()->live_searches().has(tag)) {
        return bad("Tag reuse");  // RFC 5267 4.3.
    }
    return std::nullopt;
}

// RFC 5267 4.3.1: by relevancy, the order is one of the moment.
void keep_sort(Conversation* c, const SearchAnswer& found, const Criteria& criteria,
               std::optional<imap::SearchProgram> kept) {
    const bool is_by_score = std::ranges::find(criteria, SortKey::Relevancy,
                                               &imap::SortCriterion::key) != criteria.end();
    std::optional<LiveSearch> search;
    if (kept && !is_by_score) {
        search = LiveSearch{.tag = found.tag,
                            .numbering = found.numbering,
                            .program = *std::move(kept),
                            .order = criteria,
                            .results = found.found};
    }
    keep_search(c, found.tag, std::move(search));
}

}  // namespace

net::Task<Result<std::vector<Uid>>> sort_messages(Conversation* c,
                                                  std::vector<imap::SortCriterion> criteria,
                                                  std::shared_ptr<const FoundMessages> found) {
    std::vector<Item> items = CO_TRY(co_await read_items(c, criteria, found));
    co_return co_await net::offload(c->services()->offload,
                                    [criteria = std::move(criteria), items = std::move(items)]() {
                                        return Result<std::vector<Uid>>(sorted(criteria, items));
                                    });
}

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
    if (auto forbidden = forbid_sort(c, *program, command.tag)) {
        co_return *std::move(forbidden);
    }
    std::optional<imap::SearchProgram> kept;
    if (program->returns.update) {
        kept = kept_program(*program, *c->selected());
        c->selected()->live_searches().expect();
    }
    SearchAnswer found{.tag = command.tag,
                       .returns = program->returns,
                       .numbering = command.uid ? Numbering::Uid : Numbering::Sequence,
                       .has_mod_seq = program->uses_mod_seqs()};
    found.is_sorted = true;
    c->progress().divide(scores == Scores::Wanted ? 3 : 2);
    Result<FoundMessages> messages =
        co_await find_messages(c, SearchScopeView(c->selected()), *program, scores);
    if (!messages) {
        co_return refusal(messages.error(), "SORT");
    }
    c->progress().enter_part(scores == Scores::Wanted ? 2 : 1);
    const Criteria criteria = std::move(arguments->criteria);
    const auto unsorted = std::make_shared<const FoundMessages>(*std::move(messages));
    Result<std::vector<Uid>> order = co_await sort_messages(c, criteria, unsorted);
    if (!order) {
        co_return refusal(order.error(), "SORT");
    }
    found.found = *std::move(order);
    for (const Uid uid : found.found) {
        found.scores.push_back(score_of(*unsorted, uid));
    }
    CO_TRY(co_await write_search_answer(c, &found));
    if (found.returns.update) {
        keep_sort(c, found, criteria, std::move(kept));
    }
    Answer answer = ok(command.uid ? "UID SORT completed" : "SORT completed");
    answer.holds_expunges = program->uses_sequence_numbers();
    co_return answer;
}

}  // namespace godwit::serve::imap_desk
