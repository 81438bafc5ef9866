// Administrators' looks at the queue: its deliveries page by page, one message, and why it is
// still here.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "flow/outbound/operator_desk.h"
#include "flow/outbound/orders.h"
#include "flow/outbound/route.h"
#include "flow/outbound/scheduler.h"
#include "flow/policy/relay_domains.h"
#include "serve/admin/queue_selection.h"
#include "store/store.h"

namespace godwit::serve {
namespace {

using store::QueueDelivery;
using store::QueueMessage;
using store::QueueRecipient;
using store::ReadTier;
using store::RecipientState;

/// What one call does at most: pieces of about a tenth of a second.
constexpr std::size_t kExaminedMax = 20'000;  // Deliveries looked at.
constexpr std::size_t kStepMessages = 256;    // Messages read in one step.

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

/// The recipient whose last reply says most of why it waits; null when nothing was said.
const QueueRecipient* last_word(const QueueDelivery& delivery) {
    for (const QueueRecipient& recipient : delivery.recipients) {
        if (recipient.state == RecipientState::Waiting && !recipient.last_reply.empty()) {
            return &recipient;
        }
    }
    return nullptr;
}

std::string_view last_reply(const QueueDelivery& delivery) {
    const QueueRecipient* recipient = last_word(delivery);
    return recipient != nullptr ? std::string_view(recipient->last_reply) : std::string_view();
}

/// What list and show both say of a delivery; the object stays open.
void begin_delivery(JsonWriter& json, const QueueDelivery& delivery, QueueState state) {
    json.begin_object().field("delivery", delivery.number).field("site", delivery.site);
    json.field("state", serve::to_string(state));
    json.field("crashes", delivery.crashes)
        .field("attempts", delivery.attempts)
        .field("due", show_time(delivery.due));
    json.key("last_attempt");
    delivery.last_attempt ? json.string(show_time(*delivery.last_attempt)) : json.null();
    json.field("held_reason", delivery.held_reason).field("last_reply", last_reply(delivery));
}

/// What the sender asked for; a key only for what was said.
void show_terms(JsonWriter& json, const QueueMessage& message) {
    json.key("asked").begin_object();
    if (message.is_binary) {
        json.field("body_type", "BINARYMIME");
    } else if (message.is_8bit) {
        json.field("body_type", "8BITMIME");
    }
    if (message.needs_smtputf8) {
        json.field("smtputf8", true);
    }
    if (message.require_tls || message.tls_optional) {
        json.field("tls", message.require_tls ? "required" : "optional");
    }
    if (message.release_at) {
        json.field("release_at", show_time(*message.release_at));
    }
    if (message.deliver_by) {
        const bool is_return = message.deliver_by->mode == store::DeliverBy::Mode::Return;
        json.field("deliver_by", show_time(message.deliver_by->deadline));
        json.field("deliver_by_mode", is_return ? "return" : "notify");
        json.field("deliver_by_trace", message.deliver_by->is_traced);
    }
    if (message.priority) {
        json.field("priority", *message.priority);
    }
    json.end_object();
}

void list_delivery(JsonWriter& json, const QueueMessage& message, const QueueDelivery& delivery,
                   QueueState state) {
    begin_delivery(json, delivery, state);
    json.field("id", godwit::to_string(message.mail)).field("sender", message.sender);
    json.key("recipients").begin_array();
    for (const QueueRecipient& recipient : delivery.recipients) {
        if (recipient.state == RecipientState::Waiting) {
            json.string(recipient.address);
        }
    }
    json.end_array().field("size", message.blob_size + message.prefix.size());
    json.field("accepted_at", show_time(message.accepted_at));
    json.field("expires_at", show_time(message.expires_at)).key("release_at");
    message.release_at ? json.string(show_time(*message.release_at)) : json.null();
    json.end_object();
}

Result<QueueMessage> find_message(const store::Snapshot& snapshot, MailId mail) {
    auto message = TRY(store::read_queue_message(snapshot, ReadTier::Disk, mail));
    if (!message) {
        return peer_error(ErrorCode::NotFound,
                          "no message " + godwit::to_string(mail) + " is in the queue");
    }
    return *std::move(message);
}

std::string suspension_text(const flow::Suspension& suspension) {
    std::string text =
        flow::what_is_suspended(suspension) + " is suspended since " + show_time(suspension.since);
    if (suspension.until) {
        text.append(" until ").append(show_time(*suspension.until));
    }
    return suspension.reason.empty() ? text : text.append(": ").append(suspension.reason);
}

/// Routes may part the recipients; null when none waits.
const QueueRecipient* first_waiting(const QueueDelivery& delivery) {
    const auto found =
        std::ranges::find(delivery.recipients, RecipientState::Waiting, &QueueRecipient::state);
    return found == delivery.recipients.end() ? nullptr : &*found;
}

/// What the last attempt met with: "at T mx.example.net[192.0.2.1]:25 said: 451 later".
std::string last_attempt_text(const QueueDelivery& delivery) {
    const QueueRecipient* word = last_word(delivery);
    std::string text = "attempt " + std::to_string(delivery.attempts);
    if (delivery.last_attempt) {
        text.append(" at ").append(show_time(*delivery.last_attempt));
    }
    if (word == nullptr) {
        return text.append(" came to no end");
    }
    if (word->last_remote.empty() || word->is_last_ours) {
        text.append(" failed: ");
    } else {
        text.append(", ").append(word->last_remote).append(" said: ");
    }
    return text.append(word->last_reply);
}

std::string route_text(const flow::NextHop& hop, const std::string& site) {
    if (const auto* relay = std::get_if<flow::RelayHop>(&hop)) {
        return relay->host + ":" + std::to_string(relay->port);
    }
    return site;
}

/// The hosts of the site rest: no answer from them, or a provider's wish; empty when they do not.
/// "mail to mx.example.net is paused until T: rate limit (Google), 421 4.7.28 slow down".
std::string pause_text(const QueueView& view, const std::string& site) {
    std::string text;
    if (view.services == nullptr || view.services->scheduler == nullptr) {
        return text;
    }
    for (const flow::OutletState& state : view.services->scheduler->outlets().states_of(site)) {
        if (!state.paused_for) {
            continue;
        }
        text.append("; mail to ").append(state.hosts);
        text.append(state.source.empty() ? "" : " from " + state.source);
        text.append(" is paused until ")
            .append(show_time(view.now +
                              std::chrono::duration_cast<WallTime::duration>(*state.paused_for)));
        text.append(": ").append(state.reason);
        text.append(state.last_reply.empty() ? "" : ", " + state.last_reply);
    }
    return text;
}

/// It waits for its time or its turn, and nothing of the operator's keeps it.
std::string waiting_text(const QueueView& view, const QueueDelivery& delivery,
                         const std::string& sender) {
    const std::string before = delivery.attempts > 0 ? last_attempt_text(delivery) + "; " : "";
    const std::string pause = pause_text(view, delivery.site);
    if (delivery.due > view.now) {
        return (before.empty() ? "not yet tried: not before " + show_time(delivery.due)
                               : before + "next attempt at " + show_time(delivery.due)) +
               pause;
    }
    const std::string since = before +
                              (before.empty() ? "not yet tried, due since " : "due again since ") +
                              show_time(delivery.due);
    if (view.services == nullptr) {
        return since + ", but no server runs";
    }
    if (!pause.empty()) {
        return since + pause;
    }
    const flow::SettingsPtr settings = view.services->settings();
    const QueueRecipient* const next = first_waiting(delivery);
    const flow::NextHop hop =
        flow::decide_next_hop(*settings, {.domain = delivery.site,
                                          .recipient = next != nullptr ? next->address : "",
                                          .sender = sender});
    if (const auto* held = std::get_if<flow::HoldHop>(&hop)) {
        return since + "; it will be held: " + held->reason;
    }
    std::uint32_t here = 0;
    std::uint32_t all = 0;
    if (view.services->operators != nullptr) {
        for (const auto& [site, count] : view.services->operators->under_way().by_site()) {
            here += site == delivery.site ? count : 0;
            all += count;
        }
    }
    return since + "; waits for its turn: " + std::to_string(here) + " of at most " +
           std::to_string(settings->limits.deliveries_per_site) + " sessions to " +
           route_text(hop, delivery.site) + " are in use, " + std::to_string(all) + " of " +
           std::to_string(settings->limits.deliveries_total) + " in all";
}

std::string why(const QueueView& view, const QueueMessage& message, const QueueDelivery& delivery,
                QueueState state) {
    const std::string expires = "; expires " + show_time(message.expires_at);
    switch (state) {
        case QueueState::Damaged: return "its row is damaged: godwit fsck --repair";
        case QueueState::Quarantined:
            return "quarantined: it was in hand at " + std::to_string(delivery.crashes) +
                   " crashes of the server; godwit queue release tries it again";
        case QueueState::Held:
            if (delivery.held_reason == flow::held_for_request) {
                return "waits until mail for " + delivery.site +
                       " is asked for: ETRN, ATRN or godwit queue release" +
                       (delivery.attempts > 0 ? "; " + last_attempt_text(delivery) : "") + expires;
            }
            return delivery.held_reason == flow::held_for_expiry
                       ? delivery.held_reason
                       : "held: " + delivery.held_reason + "; until it is released" + expires;
        case QueueState::Suspended: {
            const flow::Suspension* suspension =
                view.suspensions->of(delivery.site, message.sender, view.now);
            return (suspension != nullptr ? suspension_text(*suspension) : "suspended") +
                   (delivery.attempts > 0 ? "; " + last_attempt_text(delivery) : "") + expires;
        }
        case QueueState::Sending: {
            const auto entry =
                view.services->operators->under_way().find(message.mail, delivery.number);
            return "an attempt is under way" +
                   (entry ? " since " + show_time(entry->since) : std::string()) +
                   (delivery.is_held ? "; what is left of it is held: " + delivery.held_reason
                                     : "");
        }
        case QueueState::Waiting: break;
    }
    return waiting_text(view, delivery, message.sender) + expires;
}

}  // namespace

Result<std::string> list_queued(const AdminHost& host, const AdminArguments& arguments) {
    const auto snapshot = host.store->snapshot();
    const QueueSelection selection = TRY(read_selection(arguments));
    const QueueView view = TRY(view_queue(host, *snapshot));
    const std::size_t limit =
        TRY(arguments.count_or("limit", limits::admin_page_rows_max, limits::admin_page_rows_max));
    const std::string start = arguments.text_or("after", "");
    MailId after = start.empty() ? MailId{} : TRY(parse_mail_id(start));
    JsonWriter json;
    json.begin_object().key("rows").begin_array();
    std::size_t count = 0;
    std::size_t examined = 0;
    bool has_more = true;
    // A page ends with a message, so that its id says where the next begins. Few rows of many may
    // be wanted: then a page may be short, or empty, and still have a next one.
    while (has_more && count < limit && examined < kExaminedMax) {
        const auto step = TRY(store::walk_queue(*snapshot, ReadTier::Disk, after,
                                                std::min(kStepMessages, limit - count)));
        has_more = !step.empty();
        for (const auto& [message, deliveries] : step) {
            after = message.mail;
            examined += 1 + deliveries.size();
            for (const QueueDelivery& delivery : deliveries) {
                if (selection.covers(view, message, delivery)) {
                    list_delivery(json, message, delivery, view.state_of(message, delivery));
                    ++count;
                }
            }
            if (count >= limit) {
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
    const QueueView view = TRY(view_queue(host, *snapshot));
    const QueueMessage message = TRY(find_message(*snapshot, mail));
    JsonWriter json;
    json.begin_object().field("id", godwit::to_string(mail)).field("sender", message.sender);
    json.field("size", message.blob_size + message.prefix.size());
    json.field("body", message.blob.to_hex()).field("peer", message.peer);
    json.field("envelope_id", message.envelope_id);
    json.field("accepted_at", show_time(message.accepted_at));
    json.field("expires_at", show_time(message.expires_at));
    show_terms(json, message);
    json.key("deliveries").begin_array();
    for (const QueueDelivery& delivery :
         TRY(store::read_deliveries(*snapshot, ReadTier::Disk, mail))) {
        begin_delivery(json, delivery, view.state_of(message, delivery));
        json.key("recipients").begin_array();
        for (const QueueRecipient& recipient : delivery.recipients) {
            json.begin_object().field("address", recipient.address);
            json.field("state", to_string(recipient.state));
            json.field("last_reply", recipient.last_reply);
            json.field("last_status", recipient.last_status);
            json.field("last_remote", recipient.last_remote);
            json.field("last_reply_is_ours", recipient.is_last_ours).end_object();
        }
        json.end_array().end_object();
    }
    json.end_array().end_object();
    return std::move(json).take();
}

Result<std::string> explain_queued(const AdminHost& host, const AdminArguments& arguments) {
    const MailId mail = TRY(parse_mail_id(TRY(arguments.text("id"))));
    const auto snapshot = host.store->snapshot();
    const QueueView view = TRY(view_queue(host, *snapshot));
    const QueueMessage message = TRY(find_message(*snapshot, mail));
    JsonWriter json;
    json.begin_object().field("id", godwit::to_string(mail)).key("rows").begin_array();
    for (const QueueDelivery& delivery :
         TRY(store::read_deliveries(*snapshot, ReadTier::Disk, mail))) {
        const QueueState state = view.state_of(message, delivery);
        json.begin_object().field("delivery", delivery.number).field("site", delivery.site);
        json.field("state", serve::to_string(state));
        json.field("why", why(view, message, delivery, state)).key("recipients").begin_array();
        for (const QueueRecipient& recipient : delivery.recipients) {
            if (recipient.state == RecipientState::Waiting) {
                json.string(recipient.address);
            }
        }
        json.end_array().end_object();
    }
    json.end_array().end_object();
    return std::move(json).take();
}

}  // namespace godwit::serve
