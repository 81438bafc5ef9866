// The lanes of the due board: which site is quick, and what of the workers it may have.
// RELIABILITY.md 6, "Slow peers".
#include <algorithm>

#include "base/probe.h"
#include "flow/outbound/due_board.h"

namespace godwit::flow {

// An attempt that was not answered and took no time shows only that the site is slow no more.
DueBoard::Lane DueBoard::lane_after(Lane before, const Ending& ending) {
    const Duration patience = ending.is_answered ? outbound_slow_delivery : outbound_slow_attempt;
    if (ending.took > patience) {
        return Lane::Slow;
    }
    if (ending.is_answered) {
        return ending.took > outbound_quick_delivery ? Lane::Steady : Lane::Quick;
    }
    return before == Lane::Slow ? Lane::New : before;
}

std::uint32_t DueBoard::workers_max(const Site& at) {
    switch (at.lane) {
        case Lane::Quick:
        case Lane::Steady: break;
        case Lane::New: return std::min(at.workers_max, outbound_new_site_workers_max);
        case Lane::Slow: return std::min(at.workers_max, 1U);
    }
    return at.workers_max;
}

std::uint32_t DueBoard::turn_max(const Site& at) {
    return at.lane == Lane::Quick ? outbound_turn_max : 1;
}

bool DueBoard::has_room(Lane lane, std::uint32_t total) const {
    const std::uint32_t slow = engaged_[index(Lane::Slow)];
    const std::uint32_t unproven =
        engaged_[index(Lane::Steady)] + engaged_[index(Lane::New)] + slow;
    const std::uint32_t quarter = total / 4;
    return unproven + engaged_[index(Lane::Quick)] < total &&
           (lane == Lane::Quick || unproven < total - quarter) &&
           (lane != Lane::Slow || slow < std::max(quarter, 1U));
}

void DueBoard::engage(Site& at, std::int32_t by) {
    engaged_[index(at.lane)] += static_cast<std::uint32_t>(by);
}

bool DueBoard::change_lane(Site& at, Lane lane) {
    if (lane == at.lane) {
        return false;
    }
    probe<"outbound.lane_changed">();
    const bool is_better = lane < at.lane;
    if (at.work_at) {
        agendas_[index(at.lane)].erase({*at.work_at, at.serial});
        at.work_at.reset();
    }
    const auto engaged = static_cast<std::int32_t>(at.workers) + (at.is_reserved ? 1 : 0);
    engage(at, -engaged);
    at.lane = lane;
    engage(at, engaged);
    at.workers_max = std::numeric_limits<std::uint32_t>::max();
    known_.set(at.name, lane);
    return is_better;
}

// Among the lanes that have room, the site that has waited longest.
DueBoard::Site* DueBoard::next_site(WallTime now, std::uint32_t workers_max) const {
    const std::pair<const AgendaKey, Site*>* first = nullptr;
    for (const Lane lane : {Lane::Quick, Lane::Steady, Lane::New, Lane::Slow}) {
        const auto& agenda = agendas_[index(lane)];
        if (!agenda.empty() && agenda.begin()->first.first <= now && has_room(lane, workers_max) &&
            (first == nullptr || agenda.begin()->first < first->first)) {
            first = &*agenda.begin();
        }
    }
    return first == nullptr ? nullptr : first->second;
}

// True when another site would begin in the place of this worker.
bool DueBoard::must_yield(const Site& at, WallTime now, std::uint32_t given) {
    if (given < turn_max(at)) {
        return false;
    }
    --engaged_[index(at.lane)];
    const Site* other = next_site(now, planned_workers_);
    ++engaged_[index(at.lane)];
    return other != nullptr && other != &at;
}

}  // namespace godwit::flow
