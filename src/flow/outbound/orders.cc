#include "flow/outbound/orders.h"

#include <utility>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/outbound/operator_desk.h"
#include "flow/outbound/record_outcome.h"
#include "flow/read.h"
#include "store/kv/key.h"
#include "store/kv/record.h"
#include "store/mailbox/keys.h"
#include "store/queue/queue.h"

namespace godwit::flow {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::string_view kName("order\0", 6);

struct Order {
    std::string key;
    MailId mail{};
    std::uint32_t number = 0;
    OrderKind kind = OrderKind::Expire;
    /// Empty: the delivery is gone, or somebody else holds it.
    std::optional<AttemptOutcome> outcome{};
};

struct Page {
    std::vector<Order> orders;
    std::string last;
    bool is_last = true;
};

// Orders are read with what they are about; a few at a time.
constexpr std::size_t kPageOrders = 64;

Result<std::optional<AttemptOutcome>> outcome_of(const store::Snapshot& snapshot,
                                                 store::ReadTier tier, const Order& order) {
    const auto message = TRY(store::read_queue_message(snapshot, tier, order.mail));
    auto delivery = TRY(store::read_delivery(snapshot, tier, order.mail, order.number));
    if (!message || !delivery || !delivery->is_held) {
        return std::nullopt;
    }
    AttemptOutcome outcome{.message = *message,
                           .delivery = *std::move(delivery),
                           .results = {},
                           .must_be_unchanged = true};
    // Permanent: a temporary failure would have its minimum of attempts.
    smtp::Outcome over;
    over.kind = smtp::OutcomeKind::Permanent;
    over.scope = smtp::FaultScope::Host;
    // RFC 3463 3.5, X.4.7: delivery time expired; 3.8, X.7.1: delivery not authorized.
    over.reply =
        order.kind == OrderKind::Expire
            ? smtp::make_reply(554, {5, 4, 7}, "Given up by the administrator")
            : smtp::make_reply(554, {5, 7, 1}, "Removed from the queue by the administrator");
    over.is_local = true;
    for (std::size_t i = 0; i < outcome.delivery.recipients.size(); ++i) {
        if (outcome.delivery.recipients[i].state == store::RecipientState::Waiting) {
            outcome.results.push_back(
                {.recipient = i, .outcome = over, .remote = "", .remote_reports = false});
        }
    }
    return outcome;
}

Result<Page> read_page(const store::Snapshot& snapshot, store::ReadTier tier,
                       const std::string& after) {
    const std::string prefix = order_prefix();
    const auto cursor = snapshot.cursor(tier, store::prefix_end(prefix));
    Page page;
    for (cursor->seek(after.empty() ? prefix : after + '\0'); cursor->is_valid(); cursor->next()) {
        if (page.orders.size() == kPageOrders) {
            page.is_last = false;
            break;
        }
        Order order{.key = std::string(cursor->key())};
        ByteReader key(std::string_view(order.key).substr(prefix.size()));
        order.mail = MailId(key.u64());
        order.number = key.u32();
        page.last = order.key;
        const auto kind = TRY(store::if_sound(order.key, decode_order(cursor->value())));
        if (key.ok() && kind) {
            order.kind = *kind;
            auto outcome = outcome_of(snapshot, tier, order);
            if (!outcome && !store::is_damage(outcome.error())) {
                return std::unexpected(std::move(outcome).error());
            }
            // Damaged rows stay as they are, with their order, for fsck --repair.
            order.outcome = outcome ? *std::move(outcome) : std::nullopt;
        }
        page.orders.push_back(std::move(order));
    }
    TRY(cursor->status());
    return page;
}

net::Task<Result<>> erase_order(const Services* services, std::string key) {
    store::Plan plan;
    store::ChangeRows rows;
    rows.entries.push_back({.key = std::move(key), .value = std::nullopt});
    plan.steps.emplace_back(std::move(rows));
    co_return co_await commit_all(services->store, std::move(plan));
}

net::Task<Result<>> carry_out(const Services* services, Order order) {
    if (services->operators != nullptr &&
        services->operators->under_way().await_end(order.mail, order.number)) {
        probe<"outbound.order_waits_for_attempt">();
        co_return Result<>();
    }
    if (order.outcome) {
        log::info("queue.given_up", {{"id", order.mail}, {"site", order.outcome->delivery.site}});
        crash_point<"outbound.order_planned">();
        const bool is_settled = co_await record_outcome(services, *std::move(order.outcome));
        crash_point<"outbound.order_carried_out">();
        if (!is_settled) {
            co_return Result<>();
        }
    }
    // A report that is owed (record_outcome) keeps its delivery, and the delivery its order.
    const MailId mail = order.mail;
    const std::uint32_t number = order.number;
    const bool is_left = CO_TRY(co_await read(
        services,
        [mail, number](const store::Snapshot& snapshot, store::ReadTier tier) -> Result<bool> {
            const auto row = store::read_delivery(snapshot, tier, mail, number);
            if (!row && !store::is_damage(row.error())) {
                return std::unexpected(row.error());
            }
            return row && *row && (*row)->is_held && (*row)->held_reason == held_for_expiry;
        }));
    if (is_left) {
        co_return Result<>();
    }
    co_return co_await erase_order(services, std::move(order.key));
}

}  // namespace

std::string order_prefix() {
    return store::make_key(static_cast<char>(store::Family::Open), kName);
}
std::string order_key(MailId mail, std::uint32_t number) {
    std::string key = order_prefix();
    store::append_key(key, mail);
    store::append_key(key, number);
    return key;
}

std::string encode_order(OrderKind kind) {
    ByteWriter out = store::begin_record(kVersion);
    out.u8(static_cast<std::uint8_t>(kind));
    return store::seal(std::move(out));
}
Result<OrderKind> decode_order(std::string_view value) {
    ByteReader in = TRY(store::read_record(value, kVersion, "order"));
    const std::uint8_t kind = in.u8();
    TRY(in.finish("order"));
    if (kind < 1 || kind > 2) {
        return internal_error(ErrorCode::Corrupt, "order: unknown kind");
    }
    return static_cast<OrderKind>(kind);
}

Result<bool> has_orders(const store::Snapshot& snapshot, store::ReadTier tier) {
    const std::string prefix = order_prefix();
    const auto cursor = snapshot.cursor(tier, store::prefix_end(prefix));
    cursor->seek(prefix);
    TRY(cursor->status());
    return cursor->is_valid();
}

net::Task<Result<>> carry_out_orders(const Services* services) {
    for (std::string after;;) {
        Page page = CO_TRY(
            co_await read(services, [after](const store::Snapshot& snapshot, store::ReadTier tier) {
                return read_page(snapshot, tier, after);
            }));
        for (Order& order : page.orders) {
            CO_TRY(co_await carry_out(services, std::move(order)));
        }
        if (page.is_last) {
            co_return Result<>();
        }
        after = std::move(page.last);
        co_await net::yield_now();
    }
}

}  // namespace godwit::flow
