// Administrators' calls on the outbound queue.
// A change names the row it was made from, so that it never overwrites what a delivery attempt has
// settled meanwhile: the commit refuses it as Stale and it is made again.
// A queue may hold millions. Every call does a bounded piece of the work and says where the next
// one goes on ("next"); nothing is held between two calls. Changes ride in plans of many messages,
// one plan at a time, so that mail passes between them.
#include "store/queue/queue.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "base/ascii.h"
#include "base/limits.h"
#include "base/probe.h"
#include "flow/outbound/operator_desk.h"
#include "flow/outbound/orders.h"
#include "flow/outbound/reroute.h"
#include "flow/outbound/scheduler.h"
#include "serve/admin/queue_selection.h"
#include "store/kv/record.h"
#include "store/store.h"

namespace godwit::serve {
namespace {

using store::QueueDelivery;
using store::QueueMessage;
using store::QueueRecipient;
using store::ReadTier;
using store::RecipientState;

/// Changes one delivery; false: it is as wanted already.
using DeliveryChange = std::function<bool(QueueDelivery& delivery, WallTime now)>;

struct Operation {
    std::string_view name;                   ///< In the trace: "queue.retried".
    DeliveryChange change;                   ///< Null: remove the message.
    std::optional<flow::OrderKind> order{};  ///< Left with each delivery for who carries it out.
    bool ends_orders = false;                ///< Takes back what was left.
    bool spares_held = false;                ///< Nothing is done to what is held.
    bool makes_due = false;                  ///< At the time of the order.
    std::string to{};                        ///< Where it goes now, for the trace.
};

store::TraceEvent trace(MailId mail, WallTime now, const Operation& operation) {
    JsonWriter json;
    json.begin_object().field("by", "operator");
    if (!operation.to.empty()) {
        json.field("to", operation.to);
    }
    json.end_object();
    return {.mail = mail,
            .at = now,
            .kind = std::string(operation.name),
            .detail = std::move(json).take()};
}

/// What one call does at most: pieces of about a tenth of a second.
constexpr std::size_t kExaminedMax = 20'000;  // Deliveries looked at.
constexpr std::size_t kChangedMax = 1024;     // Deliveries changed.
constexpr std::size_t kPlanMax = 256;         // Of these in one plan, about 1,500 rows.
constexpr std::size_t kStepMessages = 256;    // Messages read in one step.

/// Adds the steps for one message to the plan. Gives how many deliveries they change.
Result<std::size_t> add_steps(const store::Snapshot& snapshot, const store::QueuedMessage& queued,
                              const QueueSelection& selection, const Operation& operation,
                              const QueueView& view, store::Plan& plan) {
    const MailId mail = queued.message.mail;
    const std::vector<QueueDelivery>& deliveries = queued.deliveries;
    const WallTime now = view.now;
    const bool has_orders =
        operation.ends_orders && TRY(flow::has_orders(snapshot, ReadTier::Disk));
    store::ChangeRows basis;
    store::UpdateQueue update{.mail = mail, .deliveries = {}};
    const auto is_meant = [&](const QueueDelivery& delivery) {
        return selection.covers(view, queued.message, delivery);
    };
    const bool whole = std::ranges::all_of(deliveries, is_meant);
    for (QueueDelivery delivery : deliveries) {
        // Nothing but removal can be done to a row that cannot be read.
        const bool is_beyond_change = delivery.is_damaged && operation.change != nullptr;
        if (!is_meant(delivery) || is_beyond_change) {
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
        if (operation.order || has_orders) {
            basis.entries.push_back(
                {.key = flow::order_key(mail, delivery.number),
                 .value = operation.order ? std::optional(flow::encode_order(*operation.order))
                                          : std::nullopt});
        }
        update.deliveries.push_back(std::move(delivery));
    }
    const std::size_t touched = update.deliveries.size();
    if (touched == 0) {
        return touched;
    }
    plan.steps.emplace_back(std::move(basis));
    plan.steps.emplace_back(trace(mail, now, operation));
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

/// nullopt when it is not in the queue (any more). Of a damaged message only `mail` holds.
Result<std::optional<store::QueuedMessage>> read_queued(const store::Snapshot& snapshot,
                                                        MailId mail) {
    auto read = store::read_queue_message(snapshot, ReadTier::Disk, mail);
    if (read && !*read) {
        return std::nullopt;
    }
    auto message = TRY(store::if_sound(store::queue_message_key(mail), std::move(read)));
    store::QueuedMessage queued;
    queued.message = message ? **std::move(message) : QueueMessage{};
    queued.message.mail = mail;
    queued.message.is_damaged = !message;
    queued.deliveries = TRY(store::read_deliveries(snapshot, ReadTier::Disk, mail));
    return queued;
}

/// One message, from what is there now.
Result<> operate_on(const AdminHost& host, MailId mail, const QueueSelection& selection,
                    const Operation& operation, Tally& tally) {
    std::size_t touched = 0;
    TRY(change_store(host, [&](const store::Snapshot& snapshot) -> Result<store::Plan> {
        store::Plan plan;
        const auto queued = TRY(read_queued(snapshot, mail));
        touched = queued ? TRY(add_steps(snapshot, *queued, selection, operation,
                                         TRY(view_queue(host, snapshot)), plan))
                         : 0;
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
    /// All must outlive it.
    Bundle(const AdminHost& host, const QueueSelection& selection, const Operation& operation,
           const QueueView& view)
        : host_(host), selection_(selection), operation_(operation), view_(view) {}

    Result<> add(const store::Snapshot& snapshot, const store::QueuedMessage& queued) {
        TRY(add_to(open_, snapshot, queued));
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

    Result<> add_to(Part& part, const store::Snapshot& snapshot,
                    const store::QueuedMessage& queued) {
        const std::size_t touched =
            TRY(add_steps(snapshot, queued, selection_, operation_, view_, part.plan));
        if (touched > 0) {
            part.mails.push_back(queued.message.mail);
            part.tally.add(touched);
        }
        return {};
    }
    Result<> again(const std::vector<MailId>& mails, std::vector<std::vector<MailId>>& overtaken) {
        const auto snapshot = host_.store->snapshot();
        Part part;
        for (const MailId mail : mails) {
            if (const auto queued = TRY(read_queued(*snapshot, mail))) {
                TRY(add_to(part, *snapshot, *queued));
            }
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
    const QueueSelection& selection_;
    const Operation& operation_;
    const QueueView& view_;
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

/// The same along the due index of one site, for what concerns nothing that is held: a small site
/// of a large queue is found at once. "due:TIME.ID.NUMBER.BEGUN.ID" in a request, times in
/// microseconds.
struct DueStretch {
    store::DuePlace from{.due = WallTime::min()};
    WallTime begun{};
    MailId last{};
};
constexpr std::string_view kDueMark = "due:";

Result<DueStretch> read_due_stretch(const AdminHost& host, const QueueView& view,
                                    std::string_view text) {
    DueStretch stretch{.begun = view.now};
    if (text.empty()) {
        const auto last = TRY(store::last_queued(*host.store->snapshot(), ReadTier::Disk));
        stretch.last = last.value_or(MailId{});
        return stretch;
    }
    const auto words = split(text.substr(kDueMark.size()), '.');
    const auto due = words.size() == 5 ? parse_u64(words[0]) : std::nullopt;
    const auto number = due ? parse_u32(words[2]) : std::nullopt;
    const auto begun = number ? parse_u64(words[3]) : std::nullopt;
    if (!begun) {
        return peer_error(ErrorCode::Invalid, "'after' is not what an answer gave as 'next'");
    }
    stretch.from = {.due = WallTime(std::chrono::microseconds(*due)),
                    .mail = TRY(parse_mail_id(words[1])),
                    .number = *number};
    stretch.begun = WallTime(std::chrono::microseconds(*begun));
    stretch.last = TRY(parse_mail_id(words[4]));
    return stretch;
}

std::string write_due_stretch(const DueStretch& stretch) {
    const auto micros = [](WallTime time) {
        return std::to_string(time.time_since_epoch().count());
    };
    return std::string(kDueMark) + micros(stretch.from.due) + "." +
           godwit::to_string(stretch.from.mail) + "." + std::to_string(stretch.from.number) + "." +
           micros(stretch.begun) + "." + godwit::to_string(stretch.last);
}

Result<bool> operate_on_due_piece(const AdminHost& host, Bundle& bundle,
                                  const QueueSelection& selection, const Operation& operation,
                                  DueStretch& stretch) {
    for (std::size_t examined = 0; examined < kExaminedMax && !bundle.is_full();) {
        const auto snapshot = host.store->snapshot();
        const auto rows = TRY(store::due_deliveries(*snapshot, ReadTier::Disk,
                                                    {.site = selection.site,
                                                     .from = stretch.from,
                                                     .until = WallTime::max(),
                                                     .count = kStepMessages}));
        for (const store::DueDelivery& row : rows) {
            stretch.from = {.due = row.due, .mail = row.mail, .number = row.number + 1};
            ++examined;
            // Mail that came since, and what this very order has made due.
            if (stretch.last < row.mail || (operation.makes_due && row.due == stretch.begun)) {
                continue;
            }
            if (const auto queued = TRY(read_queued(*snapshot, row.mail))) {
                TRY(bundle.add(*snapshot, *queued));
            }
            if (bundle.is_full()) {
                return true;
            }
        }
        TRY(bundle.flush());
        if (rows.size() < kStepMessages) {
            return false;
        }
    }
    return true;
}

/// A piece of the queue; where the next one begins, or empty.
Result<std::string> operate_on_many(const AdminHost& host, const AdminArguments& arguments,
                                    const QueueSelection& selection, const Operation& operation,
                                    Tally& tally) {
    QueueView view = TRY(view_queue(host, *host.store->snapshot()));
    Bundle bundle(host, selection, operation, view);
    const std::string after = arguments.text_or("after", "");
    std::string next;
    if (operation.spares_held && !selection.site.empty() && !selection.state &&
        (after.empty() || after.starts_with(kDueMark))) {
        DueStretch stretch = TRY(read_due_stretch(host, view, after));
        // All pieces of one order make due at one time, by which the later ones know them.
        view.now = stretch.begun;
        const bool is_more = TRY(operate_on_due_piece(host, bundle, selection, operation, stretch));
        next = is_more ? write_due_stretch(stretch) : "";
    } else {
        Stretch stretch = TRY(read_stretch(host, arguments));
        const bool is_more = TRY(operate_on_piece(host, bundle, stretch));
        next =
            is_more ? godwit::to_string(stretch.after) + "." + godwit::to_string(stretch.last) : "";
    }
    TRY(bundle.flush());
    tally = bundle.tally();
    return next;
}

Result<std::string> operate(const AdminHost& host, const AdminArguments& arguments,
                            const QueueSelection& selection, const Operation& operation) {
    if (selection.ids.empty() && !selection.has_filter()) {
        return peer_error(ErrorCode::Invalid, "say which: an id, a filter, or all");
    }
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
        next = TRY(operate_on_many(host, arguments, selection, operation, tally));
    }
    if (operation.order && tally.deliveries > 0 && host.services != nullptr &&
        host.services->operators != nullptr) {
        TRY(host.services->operators->take_up());
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

Result<std::string> operate(const AdminHost& host, const AdminArguments& arguments,
                            const Operation& operation) {
    return operate(host, arguments, TRY(read_selection(arguments)), operation);
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
bool give_up(QueueDelivery& delivery, WallTime) {
    if (delivery.is_held && delivery.held_reason == flow::held_for_expiry) {
        return false;
    }
    delivery.is_held = true;
    delivery.held_reason = flow::held_for_expiry;
    return true;
}

}  // namespace

Result<std::string> retry_queued(const AdminHost& host, const AdminArguments& arguments) {
    std::set<std::string> sites;
    const auto change = [&sites](QueueDelivery& delivery, WallTime now) {
        const bool is_changed = make_due(delivery, now);
        if (is_changed) {
            sites.insert(delivery.site);
        }
        return is_changed;
    };
    auto answer = operate(
        host, arguments,
        {.name = "queue.retried", .change = change, .spares_held = true, .makes_due = true});
    if (answer && host.services != nullptr && host.services->scheduler != nullptr) {
        host.services->scheduler->try_now({sites.begin(), sites.end()});
    }
    return answer;
}
Result<std::string> make_sender_due(const AdminHost& host, const AdminArguments& arguments,
                                    std::string sender) {
    QueueSelection selection;
    selection.sender = std::move(sender);
    return operate(host, arguments, selection, {.name = "queue.resumed", .change = make_due});
}
Result<std::string> hold_queued(const AdminHost& host, const AdminArguments& arguments) {
    return operate(host, arguments, {.name = "queue.held", .change = hold, .spares_held = true});
}
Result<std::string> release_queued(const AdminHost& host, const AdminArguments& arguments) {
    return operate(host, arguments,
                   {.name = "queue.released", .change = release, .ends_orders = true});
}
Result<std::string> expire_queued(const AdminHost& host, const AdminArguments& arguments) {
    return operate(host, arguments,
                   {.name = "queue.expired", .change = give_up, .order = flow::OrderKind::Expire});
}
Result<std::string> delete_queued(const AdminHost& host, const AdminArguments& arguments) {
    if (arguments.flag("report")) {
        return operate(
            host, arguments,
            {.name = "queue.deleted", .change = give_up, .order = flow::OrderKind::Return});
    }
    return operate(host, arguments,
                   {.name = "queue.deleted", .change = nullptr, .ends_orders = true});
}

Result<std::string> reroute_queued(const AdminHost& host, const AdminArguments& arguments) {
    const std::string site = TRY(flow::rerouted_site(TRY(arguments.text("to"))));
    const auto send_there = [site](QueueDelivery& delivery, WallTime now) {
        if (delivery.site == site) {
            return false;
        }
        release(delivery, now);
        delivery.site = site;
        delivery.due = now;
        return true;
    };
    return operate(
        host, arguments,
        {.name = "queue.rerouted", .change = send_there, .ends_orders = true, .to = site});
}

}  // namespace godwit::serve
