#include "flow/outbound/deliver_by.h"

#include <algorithm>

namespace godwit::flow {

namespace {
using Mode = store::DeliverBy::Mode;
constexpr std::int64_t kLongest = 999'999'999;  // Nine digits.
}  // namespace

std::optional<smtp::Outcome> returned_by_now(const store::QueueMessage& message, WallTime now) {
    if (!message.deliver_by || message.deliver_by->mode != Mode::Return ||
        now < message.deliver_by->deadline) {
        return std::nullopt;
    }
    // Permanent and not temporary: a temporary failure would have its minimum of attempts.
    smtp::Outcome over;
    over.kind = smtp::OutcomeKind::Permanent;
    over.scope = smtp::FaultScope::Host;
    over.reply = smtp::make_reply(554, {5, 4, 7}, "Not delivered within the time that was asked");
    over.is_local = true;
    return over;
}

WallTime not_past_deadline(WallTime due, const store::QueueMessage& message, WallTime now) {
    const bool is_ahead = message.deliver_by && now < message.deliver_by->deadline;
    return is_ahead ? std::min(due, message.deliver_by->deadline) : due;
}

bool is_late(const store::QueueMessage& message, WallTime now) {
    return message.deliver_by && message.deliver_by->mode == Mode::Notify &&
           now >= message.deliver_by->deadline;
}

std::optional<smtp::ByTime> time_left(const store::QueueMessage& message, WallTime now) {
    if (!message.deliver_by) {
        return std::nullopt;
    }
    const auto left =
        std::chrono::floor<std::chrono::seconds>(message.deliver_by->deadline - now).count();
    return smtp::ByTime{.seconds = std::clamp<std::int64_t>(left, -kLongest, kLongest),
                        .mode = message.deliver_by->mode == Mode::Return
                                    ? smtp::ByTime::Mode::Return
                                    : smtp::ByTime::Mode::Notify,
                        .is_traced = message.deliver_by->is_traced};
}

}  // namespace godwit::flow
