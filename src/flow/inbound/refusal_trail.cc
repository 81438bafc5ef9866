#include "flow/inbound/refusal_trail.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/commit/committer.h"
#include "store/store.h"

namespace godwit::flow {

bool RefusalBudget::take(WallTime now) {
    if (now > filled_at_) {
        const std::chrono::duration<double, std::ratio<60>> minutes = now - filled_at_;
        tokens_ = std::min<double>(refusals_burst, tokens_ + minutes.count() * refusals_per_minute);
    }
    filled_at_ = now;
    if (tokens_ < 1) {
        ++unnoted_;
        return false;
    }
    tokens_ -= 1;
    return true;
}

std::uint64_t RefusalBudget::unnoted() {
    return std::exchange(unnoted_, 0);
}

void RefusalTrail::note(const Refusal& refusal) {
    const WallTime now = services_->clock->wall();
    const auto unnoted = budget_.with([now](RefusalBudget& budget) {
        return budget.take(now) ? std::optional(budget.unnoted()) : std::nullopt;
    });
    if (!unnoted || !services_->store->is_sound() || !services_->store->has_room_for_mail()) {
        return;
    }
    const std::string reply =
        smtp::to_string(refusal.reply).substr(0, limits::queue_error_text_size_max / 2);
    JsonWriter json;
    json.begin_object().field("stage", refusal.stage).field("from", refusal.sender);
    json.key("to").begin_array();
    if (!refusal.recipient.empty()) {
        json.string(refusal.recipient);
    }
    json.end_array().field("reply", reply).field("peer", refusal.peer);
    json.field("helo", refusal.helo);
    if (!refusal.user.empty()) {
        json.field("user", refusal.user);
    }
    if (*unnoted > 0) {
        json.field("unnoted", *unnoted);
    }
    json.end_object();
    const MailId id = services_->store->next_mail_id();
    log::info("smtp.refused", {{"id", id},
                               {"stage", refusal.stage},
                               {"from", refusal.sender},
                               {"to", refusal.recipient},
                               {"reply", reply},
                               {"peer", refusal.peer}});
    auto plan = std::make_unique<store::Plan>();
    plan->may_wait = true;
    plan->steps.emplace_back(store::TraceEvent{id, now, "refused", std::move(json).take()});
    // Lost with a crash, or when the disk is full: nobody was promised it.
    services_->store->committer().submit(std::move(plan), [](const store::CommitResult&) {});
}

}  // namespace godwit::flow
