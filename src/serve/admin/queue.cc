// Administrators' calls on the outbound queue.
// A change names the row it was made from, so that it never overwrites what a delivery attempt has
// settled meanwhile: the commit refuses it as Stale and it is made again.
#include "store/queue/queue.h"

#include <algorithm>

#include "base/limits.h"
#include "base/probe.h"
#include "flow/outbound/in_hand.h"
#include "serve/admin/calls.h"
#include "store/store.h"

namespace godwit::serve {
namespace {

using store::QueueDelivery;
using store::QueueMessage;
using store::QueueRecipient;
using store::ReadTier;
using store::RecipientState;

std::string_view to_string(RecipientState state) {
    switch (state) {
        case RecipientState::Waiting: return "waiting";
        case RecipientState::Delivered: return "delivered";
        case RecipientState::Failed: return "failed";
        case RecipientState::Expired: return "expired";
        case RecipientState::Dropped: return "dropped";
    }
    return "waiting";
}

std::string_view last_reply(const QueueDelivery& delivery) {
    for (const QueueRecipient& recipient : delivery.recipients) {
        if (recipient.state == RecipientState::Waiting && !recipient.last_reply.empty()) {
            return recipient.last_reply;
        }
    }
    return {};
}

bool is_quarantined(const QueueDelivery& delivery) {
    return delivery.is_held && delivery.crashes >= flow::quarantine_crashes;
}

/// What list and show both say of a delivery; the object stays open.
void begin_delivery(JsonWriter& json, const QueueDelivery& delivery) {
    json.begin_object().field("delivery", delivery.number).field("site", delivery.site);
    json.field("state", delivery.is_damaged        ? "damaged"
                        : is_quarantined(delivery) ? "quarantined"
                        : delivery.is_held         ? "held"
                                                   : "waiting");
    json.field("crashes", delivery.crashes)
        .field("attempts", delivery.attempts)
        .field("due", show_time(delivery.due));
    json.key("last_attempt");
    delivery.last_attempt ? json.string(show_time(*delivery.last_attempt)) : json.null();
    json.field("held_reason", delivery.held_reason).field("last_reply", last_reply(delivery));
}

void list_delivery(JsonWriter& json, const QueueMessage& message, const QueueDelivery& delivery) {
    begin_delivery(json, delivery);
    json.field("id", godwit::to_string(message.mail)).field("sender", message.sender);
    json.key("recipients").begin_array();
    for (const QueueRecipient& recipient : delivery.recipients) {
        if (recipient.state == RecipientState::Waiting) {
            json.string(recipient.address);
        }
    }
    json.end_array().field("size", message.blob_size + message.prefix.size());
    json.field("accepted_at", show_time(message.accepted_at));
    json.field("expires_at", show_time(message.expires_at)).end_object();
}

/// Which messages, and which of their deliveries, an operator means.
struct Selection {
    std::vector<MailId> ids;
    bool is_all = false;
    std::string site;

    [[nodiscard]] bool covers(const QueueDelivery& delivery) const {
        return site.empty() || delivery.site == site;
    }
};

Result<Selection> read_selection(const AdminArguments& arguments) {
    Selection selection{
        .ids = {}, .is_all = arguments.flag("all"), .site = arguments.text_or("site", "")};
    for (const std::string& id : TRY(arguments.texts("id"))) {
        selection.ids.push_back(TRY(parse_mail_id(id)));
    }
    if (selection.ids.empty() && !selection.is_all && selection.site.empty()) {
        return peer_error(ErrorCode::Invalid, "say which: an id, a site, or all");
    }
    return selection;
}

/// Changes one delivery; false: it is as wanted already.
using DeliveryChange = bool (*)(QueueDelivery& delivery, WallTime now);

struct Operation {
    std::string_view name;  ///< In the trace: "queue.retried".
    DeliveryChange change;  ///< Null: remove the message.
};

store::TraceEvent trace(MailId mail, WallTime now, std::string_view kind) {
    return {.mail = mail, .at = now, .kind = std::string(kind), .detail = R"({"by":"operator"})"};
}

/// The plan for one message; `touched` counts what it changes.
Result<store::Plan> plan_for(const store::Snapshot& snapshot, MailId mail,
                             const Selection& selection, const Operation& operation, WallTime now,
                             std::size_t& touched) {
    touched = 0;
    store::Plan plan;
    store::ChangeRows basis;
    store::UpdateQueue update{.mail = mail, .deliveries = {}};
    const auto deliveries = TRY(store::read_deliveries(snapshot, ReadTier::Disk, mail));
    const bool whole = std::ranges::all_of(
        deliveries, [&](const QueueDelivery& delivery) { return selection.covers(delivery); });
    for (QueueDelivery delivery : deliveries) {
        if (!selection.covers(delivery)) {
            continue;
        }
        const std::string key = store::queue_delivery_key(mail, delivery.number);
        basis.expects.push_back({.key = key, .value = TRY(snapshot.get(key, ReadTier::Disk))});
        if (operation.change == nullptr) {
            for (QueueRecipient& recipient : delivery.recipients) {
                if (recipient.state == RecipientState::Waiting) {
                    recipient.state = RecipientState::Dropped;
                }
            }
            delivery.is_done = true;
        } else if (!operation.change(delivery, now)) {
            continue;
        }
        ++touched;
        update.deliveries.push_back(std::move(delivery));
    }
    if (touched == 0) {
        return plan;
    }
    plan.steps.emplace_back(std::move(basis));
    plan.steps.emplace_back(trace(mail, now, operation.name));
    if (operation.change == nullptr && whole) {
        plan.steps.emplace_back(store::RemoveFromQueue{.mail = mail});
    } else {
        plan.steps.emplace_back(std::move(update));
    }
    return plan;
}

Result<std::size_t> operate_on(const AdminHost& host, MailId mail, const Selection& selection,
                               const Operation& operation) {
    std::size_t touched = 0;
    TRY(change_store(host, [&](const store::Snapshot& snapshot) {
        return plan_for(snapshot, mail, selection, operation, host.clock->wall(), touched);
    }));
    return touched;
}

Result<std::string> operate(const AdminHost& host, const AdminArguments& arguments,
                            const Operation& operation) {
    const Selection selection = TRY(read_selection(arguments));
    std::uint64_t messages = 0;
    std::uint64_t deliveries = 0;
    const auto one = [&](MailId mail) -> Result<> {
        const std::size_t touched = TRY(operate_on(host, mail, selection, operation));
        crash_point<"admin.queue_message_settled">();
        messages += touched > 0 ? 1 : 0;
        deliveries += touched;
        return {};
    };
    for (const MailId mail : selection.ids) {
        const auto message =
            TRY(store::read_queue_message(*host.store->snapshot(), ReadTier::Disk, mail));
        if (!message) {
            return peer_error(ErrorCode::NotFound,
                              "no message " + godwit::to_string(mail) + " is in the queue");
        }
        TRY(one(mail));
    }
    MailId after;
    while (selection.ids.empty()) {
        const auto rows = TRY(store::list_queue(*host.store->snapshot(), ReadTier::Disk, after,
                                                limits::scan_rows_max));
        if (rows.empty()) {
            break;
        }
        for (const QueueMessage& message : rows) {
            TRY(one(message.mail));
        }
        after = rows.back().mail;
    }
    JsonWriter json;
    json.begin_object().field("messages", messages).field("deliveries", deliveries).end_object();
    return std::move(json).take();
}

bool make_due(QueueDelivery& delivery, WallTime now) {
    delivery.due = now;
    return !delivery.is_held;
}
bool hold(QueueDelivery& delivery, WallTime) {
    if (delivery.is_held) {
        return false;
    }
    delivery.is_held = true;
    delivery.held_reason = "by operator";
    return true;
}
bool release(QueueDelivery& delivery, WallTime now) {
    if (!delivery.is_held) {
        return false;
    }
    delivery.is_held = false;
    delivery.held_reason.clear();
    delivery.crashes = 0;  // Another chance, and as many crashes as anybody.
    delivery.due = now;
    return true;
}

}  // namespace

Result<std::string> list_queued(const AdminHost& host, const AdminArguments& arguments) {
    const auto snapshot = host.store->snapshot();
    const std::string site = arguments.text_or("site", "");
    const bool held_only = arguments.flag("held");
    const bool quarantined_only = arguments.flag("quarantined");
    const std::string start = arguments.text_or("after", "");
    MailId after = start.empty() ? MailId{} : TRY(parse_mail_id(start));
    JsonWriter json;
    json.begin_object().key("rows").begin_array();
    std::size_t count = 0;
    bool has_more = true;
    // A page ends with a message, so that its id says where the next begins.
    while (has_more && count < limits::admin_page_rows_max) {
        const auto rows = TRY(store::list_queue(*snapshot, ReadTier::Disk, after, 64));
        has_more = !rows.empty();
        for (const QueueMessage& message : rows) {
            after = message.mail;
            for (const QueueDelivery& delivery :
                 TRY(store::read_deliveries(*snapshot, ReadTier::Disk, message.mail))) {
                if ((site.empty() || delivery.site == site) && (!held_only || delivery.is_held) &&
                    (!quarantined_only || is_quarantined(delivery))) {
                    list_delivery(json, message, delivery);
                    ++count;
                }
            }
            if (count >= limits::admin_page_rows_max) {
                break;
            }
        }
    }
    json.end_array();
    if (has_more) {
        json.field("next", godwit::to_string(after));
    }
    json.end_object();
    return std::move(json).take();
}

Result<std::string> show_queued(const AdminHost& host, const AdminArguments& arguments) {
    const MailId mail = TRY(parse_mail_id(TRY(arguments.text("id"))));
    const auto snapshot = host.store->snapshot();
    const auto message = TRY(store::read_queue_message(*snapshot, ReadTier::Disk, mail));
    if (!message) {
        return peer_error(ErrorCode::NotFound,
                          "no message " + godwit::to_string(mail) + " is in the queue");
    }
    JsonWriter json;
    json.begin_object().field("id", godwit::to_string(mail)).field("sender", message->sender);
    json.field("size", message->blob_size + message->prefix.size());
    json.field("body", message->blob.to_hex()).field("peer", message->peer);
    json.field("envelope_id", message->envelope_id);
    json.field("accepted_at", show_time(message->accepted_at));
    json.field("expires_at", show_time(message->expires_at)).key("deliveries").begin_array();
    for (const QueueDelivery& delivery :
         TRY(store::read_deliveries(*snapshot, ReadTier::Disk, mail))) {
        begin_delivery(json, delivery);
        json.key("recipients").begin_array();
        for (const QueueRecipient& recipient : delivery.recipients) {
            json.begin_object().field("address", recipient.address);
            json.field("state", to_string(recipient.state));
            json.field("last_reply", recipient.last_reply);
            json.field("last_status", recipient.last_status);
            json.field("last_remote", recipient.last_remote).end_object();
        }
        json.end_array().end_object();
    }
    json.end_array().end_object();
    return std::move(json).take();
}

Result<std::string> retry_queued(const AdminHost& host, const AdminArguments& arguments) {
    return operate(host, arguments, {"queue.retried", make_due});
}
Result<std::string> hold_queued(const AdminHost& host, const AdminArguments& arguments) {
    return operate(host, arguments, {"queue.held", hold});
}
Result<std::string> release_queued(const AdminHost& host, const AdminArguments& arguments) {
    return operate(host, arguments, {"queue.released", release});
}
Result<std::string> delete_queued(const AdminHost& host, const AdminArguments& arguments) {
    return operate(host, arguments, {"queue.deleted", nullptr});
}

}  // namespace godwit::serve
