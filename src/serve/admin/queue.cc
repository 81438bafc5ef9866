// Administrators' calls on the outbound queue.
// A change names the row it was made from, so that it never overwrites what a delivery attempt has
// settled meanwhile: the commit refuses it as Stale and it is made again.
// A queue may hold millions. Every call does a bounded piece of the work and says where the next
// one goes on ("next"); nothing is held between two calls. Changes ride in plans of many messages,
// one plan at a time, so that mail passes between them.
#include "store/queue/queue.h"

#include <algorithm>
#include <utility>

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
    json.field("expires_at", show_time(message.expires_at)).key("release_at");
    message.release_at ? json.string(show_time(*message.release_at)) : json.null();
    json.end_object();
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

/// What one call does at most: pieces of about a tenth of a second.
constexpr std::size_t kExaminedMax = 20'000;  // Deliveries looked at.
constexpr std::size_t kChangedMax = 1024;     // Deliveries changed.
constexpr std::size_t kPlanMax = 256;         // Of these in one plan, about 1,500 rows.
constexpr std::size_t kStepMessages = 256;    // Messages read in one step.

/// Adds the steps for one message to the plan. Gives how many deliveries they change.
Result<std::size_t> add_steps(const store::Snapshot& snapshot, MailId mail,
                              const std::vector<QueueDelivery>& deliveries,
                              const Selection& selection, const Operation& operation, WallTime now,
                              store::Plan& plan) {
    store::ChangeRows basis;
    store::UpdateQueue update{.mail = mail, .deliveries = {}};
    const bool whole = std::ranges::all_of(
        deliveries, [&](const QueueDelivery& delivery) { return selection.covers(delivery); });
    for (QueueDelivery delivery : deliveries) {
        // Nothing but removal can be done to a row that cannot be read.
        const bool is_beyond_change = delivery.is_damaged && operation.change != nullptr;
        if (!selection.covers(delivery) || is_beyond_change) {
            continue;
        }
        const std::string key = store::queue_delivery_key(mail, delivery.number);
        store::ChangeRows::Expect expect{.key = key,
                                         .value = TRY(snapshot.get(key, ReadTier::Disk))};
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
        basis.expects.push_back(std::move(expect));
        update.deliveries.push_back(std::move(delivery));
    }
    const std::size_t touched = update.deliveries.size();
    if (touched == 0) {
        return touched;
    }
    plan.steps.emplace_back(std::move(basis));
    plan.steps.emplace_back(trace(mail, now, operation.name));
    if (operation.change == nullptr && whole) {
        plan.steps.emplace_back(store::RemoveFromQueue{.mail = mail});
    } else {
        plan.steps.emplace_back(std::move(update));
    }
    return touched;
}

/// What a call has done.
struct Tally {
    std::uint64_t messages = 0;
    std::uint64_t deliveries = 0;

    void add(std::size_t touched) {
        messages += touched > 0 ? 1 : 0;
        deliveries += touched;
    }
};

/// One message, from what is there now.
Result<> operate_on(const AdminHost& host, MailId mail, const Selection& selection,
                    const Operation& operation, Tally& tally) {
    std::size_t touched = 0;
    TRY(change_store(host, [&](const store::Snapshot& snapshot) -> Result<store::Plan> {
        store::Plan plan;
        const auto deliveries = TRY(store::read_deliveries(snapshot, ReadTier::Disk, mail));
        touched = TRY(
            add_steps(snapshot, mail, deliveries, selection, operation, host.clock->wall(), plan));
        return plan;
    }));
    crash_point<"admin.queue_message_settled">();
    tally.add(touched);
    return {};
}

/// Changes to many messages in one commit. Where one of them was overtaken, the halves are made
/// again from what is there now, and theirs, until it stands alone: an attempt that ends now and
/// then must not turn every commit into hundreds.
class Bundle {
public:
    Bundle(const AdminHost& host, const Selection& selection, const Operation& operation)
        : host_(host), selection_(selection), operation_(operation) {}

    Result<> add(const store::Snapshot& snapshot, const store::QueuedMessage& queued) {
        TRY(add_to(open_, snapshot, queued.message.mail, queued.deliveries));
        return open_.tally.deliveries >= kPlanMax ? flush() : Result<>();
    }
    Result<> flush() {
        std::vector<std::vector<MailId>> overtaken;
        TRY(commit(std::exchange(open_, {}), overtaken));
        while (!overtaken.empty()) {
            const std::vector<MailId> mails = std::move(overtaken.back());
            overtaken.pop_back();
            probe<"admin.queue_bundle_overtaken">();
            if (mails.size() == 1) {
                TRY(operate_on(host_, mails.front(), selection_, operation_, tally_));
                continue;
            }
            const auto middle = mails.begin() + static_cast<std::ptrdiff_t>(mails.size() / 2);
            TRY(again({mails.begin(), middle}, overtaken));
            TRY(again({middle, mails.end()}, overtaken));
        }
        return {};
    }
    [[nodiscard]] bool is_full() const {
        return tally_.deliveries + open_.tally.deliveries >= kChangedMax;
    }
    [[nodiscard]] const Tally& tally() const { return tally_; }

private:
    struct Part {
        store::Plan plan;
        std::vector<MailId> mails;
        Tally tally;
    };

    Result<> add_to(Part& part, const store::Snapshot& snapshot, MailId mail,
                    const std::vector<QueueDelivery>& deliveries) {
        const std::size_t touched = TRY(add_steps(snapshot, mail, deliveries, selection_,
                                                  operation_, host_.clock->wall(), part.plan));
        if (touched > 0) {
            part.mails.push_back(mail);
            part.tally.add(touched);
        }
        return {};
    }
    Result<> again(const std::vector<MailId>& mails, std::vector<std::vector<MailId>>& overtaken) {
        const auto snapshot = host_.store->snapshot();
        Part part;
        for (const MailId mail : mails) {
            TRY(add_to(part, *snapshot, mail,
                       TRY(store::read_deliveries(*snapshot, ReadTier::Disk, mail))));
        }
        return commit(std::move(part), overtaken);
    }
    Result<> commit(Part part, std::vector<std::vector<MailId>>& overtaken) {
        if (part.mails.empty()) {
            return {};
        }
        store::CommitResult done = host_.commit(std::move(part.plan));
        crash_point<"admin.queue_bundle_settled">();
        if (done) {
            tally_.messages += part.tally.messages;
            tally_.deliveries += part.tally.deliveries;
        } else if (done.error().error.code == ErrorCode::Stale) {
            overtaken.push_back(std::move(part.mails));
        } else {
            return std::unexpected(std::move(done.error().error));
        }
        return {};
    }

    const AdminHost& host_;
    const Selection& selection_;
    const Operation& operation_;
    Part open_;
    Tally tally_;
};

/// Where a change of many goes on: behind `after`, and not past what was last when it began, so
/// that it ends however much mail comes in. "ID.ID" in a request.
struct Stretch {
    MailId after{};
    MailId last{};
};

Result<Stretch> read_stretch(const AdminHost& host, const AdminArguments& arguments) {
    const std::string text = arguments.text_or("after", "");
    if (text.empty()) {
        const auto last = TRY(store::last_queued(*host.store->snapshot(), ReadTier::Disk));
        return Stretch{.after = {}, .last = last.value_or(MailId{})};
    }
    const std::size_t dot = text.find('.');
    if (dot == std::string::npos) {
        return peer_error(ErrorCode::Invalid, "'after' is not what an answer gave as 'next'");
    }
    return Stretch{.after = TRY(parse_mail_id(text.substr(0, dot))),
                   .last = TRY(parse_mail_id(text.substr(dot + 1)))};
}

/// Works on a piece of the stretch; true when there is more.
Result<bool> operate_on_piece(const AdminHost& host, Bundle& bundle, Stretch& stretch) {
    std::size_t examined = 0;
    while (stretch.after < stretch.last) {
        const auto snapshot = host.store->snapshot();
        const auto step =
            TRY(store::walk_queue(*snapshot, ReadTier::Disk, stretch.after, kStepMessages));
        for (const store::QueuedMessage& queued : step) {
            if (stretch.last < queued.message.mail) {
                return false;
            }
            TRY(bundle.add(*snapshot, queued));
            stretch.after = queued.message.mail;
            examined += 1 + queued.deliveries.size();
            if (bundle.is_full() || examined >= kExaminedMax) {
                return stretch.after < stretch.last;
            }
        }
        TRY(bundle.flush());
        if (step.size() < kStepMessages) {
            return false;
        }
    }
    return false;
}

Result<std::string> operate(const AdminHost& host, const AdminArguments& arguments,
                            const Operation& operation) {
    const Selection selection = TRY(read_selection(arguments));
    Tally tally;
    for (const MailId mail : selection.ids) {
        const auto message =
            TRY(store::read_queue_message(*host.store->snapshot(), ReadTier::Disk, mail));
        if (!message) {
            return peer_error(ErrorCode::NotFound,
                              "no message " + godwit::to_string(mail) + " is in the queue");
        }
        TRY(operate_on(host, mail, selection, operation, tally));
    }
    std::string next;
    if (selection.ids.empty()) {
        Bundle bundle(host, selection, operation);
        Stretch stretch = TRY(read_stretch(host, arguments));
        const bool is_more = TRY(operate_on_piece(host, bundle, stretch));
        TRY(bundle.flush());
        tally = bundle.tally();
        if (is_more) {
            next = godwit::to_string(stretch.after) + "." + godwit::to_string(stretch.last);
        }
    }
    JsonWriter json;
    json.begin_object();
    json.field("messages", tally.messages).field("deliveries", tally.deliveries);
    if (!next.empty()) {
        json.field("next", next);
    }
    json.end_object();
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
    const std::size_t limit =
        TRY(arguments.count_or("limit", limits::admin_page_rows_max, limits::admin_page_rows_max));
    const bool quarantined_only = arguments.flag("quarantined");
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
                if ((site.empty() || delivery.site == site) && (!held_only || delivery.is_held) &&
                    (!quarantined_only || is_quarantined(delivery))) {
                    list_delivery(json, message, delivery);
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
    json.field("expires_at", show_time(message->expires_at));
    show_terms(json, *message);
    json.key("deliveries").begin_array();
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
