// Stamps what happens to the queue, to raw rows, and to the trail of a message.
// RELIABILITY.md I6-I9; the due index holds each delivery that is neither held nor done, once.
#include <algorithm>

#include "base/limits.h"
#include "store/commit/stamper_steps.h"
#include "store/directory/schema.h"
#include "store/kv/key.h"
#include "store/kv/record.h"
#include "store/queue/queue.h"

namespace godwit::store {

namespace {
QueueChange::Item item_of(MailId mail, const QueueDelivery& delivery) {
    return {.mail = mail,
            .delivery = delivery.number,
            .site = delivery.site,
            .due = delivery.due,
            .is_gone = delivery.is_done,
            .is_held = delivery.is_held};
}

Result<> check_delivery(const QueueDelivery& delivery) {
    if (delivery.site.empty() || delivery.site.size() > limits::domain_size_max ||
        delivery.site.find('\0') != std::string::npos) {
        return internal_error(ErrorCode::Invalid, "a queue site is 1..255 octets without NUL");
    }
    if (delivery.recipients.size() > limits::smtp_recipients_authenticated_max * 10) {
        return internal_error(ErrorCode::LimitExceeded, "too many recipients in one delivery");
    }
    return {};
}

void put_delivery(StampContext& context, MailId mail, const QueueDelivery& delivery) {
    context.rows.put(queue_delivery_key(mail, delivery.number), encode(delivery));
    if (!delivery.is_held) {
        context.rows.put(due_key(delivery.site, delivery.due, mail, delivery.number),
                         encode_nothing());
    }
    context.queue.push_back(item_of(mail, delivery));
}

void erase_due(StampContext& context, MailId mail, const QueueDelivery& delivery) {
    if (!delivery.is_held) {
        context.rows.erase(due_key(delivery.site, delivery.due, mail, delivery.number));
    }
}

// An attempt takes minutes, and an operator may hold, release or retry meanwhile: what came of the
// recipients is the attempt's to say, whether and when it goes on is the operator's.
QueueDelivery with_orders(QueueDelivery outcome, const QueueDelivery& row, WallTime attempted_due) {
    outcome.site = row.site;
    if (row.is_held) {
        outcome.is_held = true;
        outcome.held_reason = row.held_reason;
    } else if (row.due != attempted_due) {
        outcome.is_held = false;
        outcome.held_reason.clear();
        outcome.due = row.due;
    }
    return outcome;
}

Result<std::optional<QueueMessage>> read_message(const StampContext& context, MailId mail) {
    const std::optional<std::string> row = TRY(context.rows.get(queue_message_key(mail)));
    if (!row) {
        return std::nullopt;
    }
    return TRY(decode_queue_message(*row));
}

/// What the row says; without one that can be read (a store of an older version), the rows.
Result<std::uint64_t> queue_count(const StampContext& context) {
    if (const std::optional<std::string> row = TRY(context.rows.get(queue_count_key()))) {
        if (const auto count = decode_queue_count(*row)) {
            return *count;
        }
    }
    std::uint64_t count = 0;
    const std::string prefix(1, static_cast<char>(Family::QueueMessage));
    TRY(context.rows.scan(prefix, prefix_end(prefix),
                          [&count](std::string_view, std::string_view) -> Result<bool> {
                              ++count;
                              return true;
                          }));
    return count;
}

/// Before the message's own row is put.
Result<> count_in_queue(StampContext& context) {
    const std::uint64_t count = TRY(queue_count(context));
    context.rows.put(queue_count_key(), encode_queue_count(count + 1));
    return {};
}
/// Before the message's own row is erased.
Result<> count_out_of_queue(StampContext& context) {
    const std::uint64_t count = TRY(queue_count(context));
    context.rows.put(queue_count_key(), encode_queue_count(count == 0 ? 0 : count - 1));
    return {};
}

Result<> erase_once_keys(StampContext& context, MailId mail) {
    if (!context.has_once_keys) {
        context.has_once_keys = TRY(context.rows.has_any(once_family_prefix()));
    }
    if (!*context.has_once_keys) {
        return {};
    }
    std::vector<std::string> spent;
    const std::string prefix = once_prefix(mail);
    TRY(context.rows.scan(prefix, prefix_end(prefix),
                          [&spent](std::string_view key, std::string_view) -> Result<bool> {
                              spent.emplace_back(key);
                              return true;
                          }));
    for (std::string& key : spent) {
        context.rows.erase(std::move(key));
    }
    return {};
}

/// The message with its link and its once-keys: nothing will deliver it again.
Result<> erase_message(StampContext& context, const QueueMessage& message) {
    TRY(count_out_of_queue(context));
    context.rows.erase(queue_message_key(message.mail));
    unlink_body(context, message.blob, link_key(message.blob, message.mail));
    return erase_once_keys(context, message.mail);
}

/// A row of the due index that leads to nothing that could be tried goes, and nothing else.
Result<> drop_due(StampContext& context, MailId mail, const QueueDelivery& damaged) {
    const std::optional<std::string> row =
        TRY(context.rows.get(queue_delivery_key(mail, damaged.number)));
    const auto sound = row ? decode_queue_delivery(*row) : Result<QueueDelivery>();
    if (row && sound && !sound->is_held && sound->site == damaged.site &&
        sound->due == damaged.due) {
        return temporary_error(ErrorCode::Stale, "the delivery is sound");
    }
    context.rows.erase(due_key(damaged.site, damaged.due, mail, damaged.number));
    QueueChange::Item item = item_of(mail, damaged);
    item.is_gone = true;
    context.queue.push_back(std::move(item));
    return {};
}

/// Each has a number of its own, and all are open.
Result<> check_new_deliveries(const std::vector<QueueDelivery>& deliveries) {
    std::vector<std::uint32_t> numbers;
    for (const QueueDelivery& delivery : deliveries) {
        TRY(check_delivery(delivery));
        if (delivery.is_done) {
            return internal_error(ErrorCode::Invalid, "a new delivery is open");
        }
        numbers.push_back(delivery.number);
    }
    std::ranges::sort(numbers);
    if (std::ranges::adjacent_find(numbers) != numbers.end()) {
        return internal_error(ErrorCode::Invalid, "deliveries have their own numbers");
    }
    return {};
}
}  // namespace

Result<StepResult> stamp_step(StampContext& context, const AddToQueue& step) {
    QueueMessage message = step.message;
    message.deliveries = static_cast<std::uint32_t>(step.deliveries.size());
    if (message.mail.value() == 0 || step.deliveries.empty() ||
        step.deliveries.size() > queue_deliveries_max) {
        return internal_error(ErrorCode::Invalid,
                              "a queued message has an id, and a bounded number of deliveries");
    }
    if (TRY(read_message(context, message.mail))) {
        return internal_error(ErrorCode::AlreadyExists,
                              "message " + to_string(message.mail) + " is queued already");
    }
    if (!TRY(is_body_there(context, message.blob))) {
        return temporary_error(ErrorCode::Stale, "the message's body is neither given nor stored");
    }
    TRY(count_in_queue(context));
    context.rows.put(queue_message_key(message.mail), encode(message));
    link_body(context, message.blob, link_key(message.blob, message.mail));
    TRY(check_new_deliveries(step.deliveries));
    for (const QueueDelivery& delivery : step.deliveries) {
        put_delivery(context, message.mail, delivery);
    }
    return Done{};
}

Result<StepResult> stamp_step(StampContext& context, const UpdateQueue& step) {
    const auto is_damaged = [](const QueueDelivery& delivery) { return delivery.is_damaged; };
    if (!step.deliveries.empty() && std::ranges::all_of(step.deliveries, is_damaged)) {
        for (const QueueDelivery& delivery : step.deliveries) {
            TRY(check_delivery(delivery));
            TRY(drop_due(context, step.mail, delivery));
        }
        return Done{};
    }
    Result<std::optional<QueueMessage>> read = read_message(context, step.mail);
    const auto is_done = [](const QueueDelivery& delivery) { return delivery.is_done; };
    if (!read && is_damage(read.error()) && std::ranges::none_of(step.deliveries, is_done)) {
        // Deliveries of a message whose row is damaged can be held.
        log_damage(queue_message_key(step.mail), read.error());
        read = QueueMessage{};
    }
    const std::optional<QueueMessage> message = TRY(std::move(read));
    if (!message) {
        return temporary_error(ErrorCode::Stale,
                               "message " + to_string(step.mail) + " left the queue");
    }
    std::size_t done = 0;
    for (const QueueDelivery& delivery : step.deliveries) {
        TRY(check_delivery(delivery));
        const std::string key = queue_delivery_key(step.mail, delivery.number);
        const std::optional<std::string> row = TRY(context.rows.get(key));
        if (!row) {
            return temporary_error(
                ErrorCode::Stale,
                "a delivery of message " + to_string(step.mail) + " is no longer there");
        }
        const QueueDelivery before = TRY(decode_queue_delivery(*row));
        erase_due(context, step.mail, before);
        if (before.site != delivery.site && !step.attempted_due) {
            // Sent another way: whoever watches the old site must not wait for it there.
            QueueChange::Item left = item_of(step.mail, before);
            left.is_gone = true;
            context.queue.push_back(std::move(left));
        }
        if (!delivery.is_done) {
            put_delivery(
                context, step.mail,
                step.attempted_due ? with_orders(delivery, before, *step.attempted_due) : delivery);
            continue;
        }
        ++done;
        context.rows.erase(key);
        context.queue.push_back(item_of(step.mail, delivery));
    }
    // The one scan that most messages, which have one delivery, do without.
    const bool is_last = done == message->deliveries ||
                         (done > 0 && !TRY(context.rows.has_any(queue_delivery_prefix(step.mail))));
    if (is_last) {
        TRY(erase_message(context, *message));
    }
    return Done{};
}

Result<StepResult> stamp_step(StampContext& context, const RemoveFromQueue& step) {
    const auto message =
        TRY(if_sound(queue_message_key(step.mail), read_message(context, step.mail)));
    if (message && !*message) {
        return peer_error(ErrorCode::NotFound,
                          "message " + to_string(step.mail) + " is not queued");
    }
    std::vector<QueueDelivery> deliveries;
    const std::string prefix = queue_delivery_prefix(step.mail);
    TRY(context.rows.scan(
        prefix, prefix_end(prefix),
        [&](std::string_view key, std::string_view value) -> Result<bool> {
            QueueDelivery damaged;
            damaged.number = key_tail_u32(key);
            damaged.is_held = true;
            deliveries.push_back(
                TRY(if_sound(key, decode_queue_delivery(value))).value_or(std::move(damaged)));
            return true;
        }));
    for (QueueDelivery& delivery : deliveries) {
        erase_due(context, step.mail, delivery);
        context.rows.erase(queue_delivery_key(step.mail, delivery.number));
        delivery.is_done = true;
        context.queue.push_back(item_of(step.mail, delivery));
    }
    if (message) {
        TRY(erase_message(context, **message));
    } else {
        // Its row is damaged and does not name the body: the link stays until a repair.
        TRY(count_out_of_queue(context));
        context.rows.erase(queue_message_key(step.mail));
    }
    return Done{};
}

Result<StepResult> stamp_step(StampContext& context, const ChangeRows& step) {
    const auto is_open = [](std::string_view key) {
        return !key.empty() && is_open_family(static_cast<Family>(key.front()));
    };
    for (const ChangeRows::Expect& expect : step.expects) {
        if (TRY(context.rows.get(expect.key)) != expect.value) {
            return temporary_error(ErrorCode::Stale, "a row changed since the plan was made");
        }
    }
    // As they are before: what a removed one held leaves its domain's use. One whose head is lost
    // can be removed all the same; a repair counts anew.
    for (const AccountId account : step.accounts) {
        TRY(if_sound(account_row_key(account), context.accounts.account_or_remains(account)));
    }
    const std::string domains = domain_rows_prefix();
    for (const Batch::Entry& entry : step.entries) {
        if (!is_open(entry.key)) {
            return internal_error(ErrorCode::Invalid, "ChangeRows: not a family of open rows");
        }
        if (entry.value) {
            context.rows.put(entry.key, *entry.value);
        } else {
            context.rows.erase(entry.key);
        }
        if (entry.key.starts_with(domains)) {
            TRY(context.accounts.refresh_domain(
                std::string_view(entry.key).substr(domains.size())));
        }
    }
    for (const AccountId account : step.accounts) {
        TRY(context.accounts.refresh(account));
        context.credentials.push_back(account);
    }
    return Done{};
}

namespace {
/// Makes room for one more event: how the message came in stays, and what happened last. Gives how
/// many there are then.
Result<std::size_t> trim_trail(StampContext& context, MailId mail) {
    const std::string prefix = trace_prefix(mail);
    std::vector<std::string> keys;
    TRY(context.rows.scan(prefix, prefix_end(prefix),
                          [&keys](std::string_view key, std::string_view) -> Result<bool> {
                              keys.emplace_back(key);
                              return true;
                          }));
    std::size_t count = keys.size();
    for (std::size_t i = 1; count >= limits::trace_events_max; ++i, --count) {
        context.rows.erase(std::move(keys[i]));
    }
    return count;
}
}  // namespace

Result<StepResult> stamp_step(StampContext& context, const TraceEvent& step) {
    TraceEvent event = step;
    constexpr std::size_t kKindSizeMax = 64;
    if (event.kind.size() > kKindSizeMax ||
        event.detail.size() > limits::queue_error_text_size_max * 2) {
        // What happened counts more than its detail; half a JSON object would help nobody.
        event.kind.resize(std::min(event.kind.size(), kKindSizeMax));
        event.detail = "{}";
    }
    const bool is_fresh = std::ranges::binary_search(context.fresh, step.mail);
    std::size_t* known = context.trails.find(step.mail);
    if (known == nullptr && is_fresh) {
        // The message comes in with this plan: nothing to look up.
        context.trails.set(step.mail, 0);
        known = context.trails.find(step.mail);
    }
    if (known != nullptr && *known < limits::trace_events_max) {
        ++*known;
    } else if (is_fresh) {
        return Done{};
    } else {
        context.trails.set(step.mail, TRY(trim_trail(context, step.mail)) + 1);
    }
    context.rows.put(trace_key(step.mail, context.seq, context.trace_ordinal++), encode(event));
    return Done{};
}

}  // namespace godwit::store
