#include "serve/admin/queue_selection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"
#include "flow/outbound/in_hand.h"
#include "flow/outbound/operator_desk.h"
#include "store/store.h"

namespace godwit::serve {
namespace {

constexpr auto kStates = std::to_array<std::pair<std::string_view, QueueState>>({
    {"waiting", QueueState::Waiting},
    {"sending", QueueState::Sending},
    {"suspended", QueueState::Suspended},
    {"held", QueueState::Held},
    {"quarantined", QueueState::Quarantined},
    {"damaged", QueueState::Damaged},
});

bool is_from(std::string_view sender, std::string_view wanted) {
    return wanted.starts_with('@') ? ends_with_ignore_case(sender, wanted)
                                   : equals_ignore_case(sender, wanted);
}

bool goes_to(const store::QueueDelivery& delivery, std::string_view domain) {
    return std::ranges::any_of(delivery.recipients, [domain](const store::QueueRecipient& one) {
        const std::size_t at = one.address.rfind('@');
        return one.state == store::RecipientState::Waiting && at != std::string::npos &&
               equals_ignore_case(std::string_view(one.address).substr(at + 1), domain);
    });
}

}  // namespace

std::string_view to_string(QueueState state) {
    return std::ranges::find(kStates, state, &decltype(kStates)::value_type::second)->first;
}

QueueState QueueView::state_of(const store::QueueMessage& message,
                               const store::QueueDelivery& delivery) const {
    if (delivery.is_damaged) {
        return QueueState::Damaged;
    }
    if (services != nullptr && services->operators != nullptr &&
        services->operators->under_way().find(message.mail, delivery.number)) {
        return QueueState::Sending;
    }
    if (delivery.is_held) {
        return delivery.crashes >= flow::quarantine_crashes ? QueueState::Quarantined
                                                            : QueueState::Held;
    }
    const bool is_suspended = suspensions->of(delivery.site, message.sender, now) != nullptr;
    return is_suspended ? QueueState::Suspended : QueueState::Waiting;
}

Result<QueueView> view_queue(const AdminHost& host, const store::Snapshot& snapshot) {
    QueueView view{.now = host.clock->wall(), .suspensions = nullptr, .services = host.services};
    if (host.services != nullptr && host.services->operators != nullptr) {
        view.suspensions = host.services->operators->suspensions();
    } else {
        view.suspensions = std::make_shared<const flow::SuspensionTable>(
            TRY(flow::read_suspensions(snapshot, store::ReadTier::Disk)));
    }
    return view;
}

bool QueueSelection::covers(const QueueView& view, const store::QueueMessage& message,
                            const store::QueueDelivery& delivery) const {
    if ((!site.empty() && delivery.site != site) ||
        (!domain.empty() && !goes_to(delivery, domain)) ||
        (sender && !is_from(message.sender, *sender)) ||
        (age && view.now - message.accepted_at < *age)) {
        return false;
    }
    if (!state && !is_due) {
        return true;
    }
    const QueueState stands = view.state_of(message, delivery);
    if (is_due) {
        return stands == QueueState::Waiting && delivery.due <= view.now;
    }
    // What is quarantined is held.
    return stands == *state || (*state == QueueState::Held && stands == QueueState::Quarantined);
}

Result<QueueSelection> read_selection(const AdminArguments& arguments) {
    QueueSelection selection;
    selection.is_all = arguments.flag("all");
    selection.site = arguments.text_or("site", "");
    selection.domain = to_lower(arguments.text_or("domain", ""));
    if (arguments.has("sender")) {
        selection.sender = normalize_sender(arguments.text_or("sender", ""));
    }
    if (arguments.has("age")) {
        constexpr std::size_t kAgeMax = std::size_t{10} * 366 * 86400;
        selection.age = std::chrono::seconds(TRY(arguments.count_or("age", 1, kAgeMax)));
    }
    std::string state = arguments.text_or("state", "");
    state = arguments.flag("quarantined") ? "quarantined" : arguments.flag("held") ? "held" : state;
    selection.is_due = state == "due";
    if (!state.empty() && !selection.is_due) {
        const auto* found =
            std::ranges::find(kStates, state, &decltype(kStates)::value_type::first);
        if (found == kStates.end()) {
            return peer_error(ErrorCode::Invalid,
                              "'state' must be waiting, due, sending, suspended, held, quarantined "
                              "or damaged");
        }
        selection.state = found->second;
    }
    for (const std::string& id : TRY(arguments.texts("id"))) {
        selection.ids.push_back(TRY(parse_mail_id(id)));
    }
    return selection;
}

std::string normalize_sender(std::string_view text) {
    if (text.starts_with('<') && text.ends_with('>')) {
        text = text.substr(1, text.size() - 2);
    }
    return to_lower(text);
}

}  // namespace godwit::serve
