#include "flow/outbound/due_board.h"

#include <algorithm>

#include "base/limits.h"
#include "base/probe.h"
#include "base/result.h"

namespace godwit::flow {

using store::DueDelivery;
using store::DuePlace;

DueBoard::Site& DueBoard::site(const std::string& name) {
    std::unique_ptr<Site>& slot = sites_[name];
    if (slot == nullptr) {
        slot = std::make_unique<Site>();
        slot->name = name;
        slot->serial = ++next_serial_;
        if (const Lane* known = known_.find(name)) {
            slot->lane = *known;
        }
    }
    return *slot;
}

DueBoard::Site* DueBoard::find(const std::string& name) {
    const auto found = sites_.find(name);
    return found == sites_.end() ? nullptr : found->second.get();
}

std::size_t DueBoard::waiting(const std::string& name) const {
    const auto found = sites_.find(name);
    return found == sites_.end() ? 0 : found->second->waiting.size();
}

// --- Bounds --------------------------------------------------------------------------------------

std::uint32_t DueBoard::workers_max(const Site& at) {
    switch (at.lane) {
        case Lane::Quick: break;
        case Lane::New: return std::min(at.workers_max, outbound_new_site_workers_max);
        case Lane::Slow: return std::min(at.workers_max, 1U);
    }
    return at.workers_max;
}

bool DueBoard::has_room(Lane lane, std::uint32_t total) const {
    const std::uint32_t slow = engaged_[index(Lane::Slow)];
    const std::uint32_t unproven = engaged_[index(Lane::New)] + slow;
    const std::uint32_t quarter = total / 4;
    return unproven + engaged_[index(Lane::Quick)] < total &&
           (lane == Lane::Quick || unproven < total - quarter) &&
           (lane != Lane::Slow || slow < std::max(quarter, 1U));
}

std::size_t DueBoard::refill_rows() const {
    return waiting_ < outbound_kept_max
               ? std::min(limits::outbound_window_max, limits::scan_rows_max)
               : outbound_window_crowded;
}

std::size_t DueBoard::window_max(const Site& at) const {
    if (waiting_ <= outbound_kept_max) {
        return limits::outbound_window_max;
    }
    return at.workers > 0 || at.is_refilling ? outbound_window_crowded : 0;
}

void DueBoard::engage(Site& at, std::int32_t by) {
    engaged_[index(at.lane)] += static_cast<std::uint32_t>(by);
}

// --- The window ----------------------------------------------------------------------------------

void DueBoard::forget(Site& at, const DuePlace& place) {
    waiting_ -= at.waiting.erase(place);
    at.entries.erase({place.mail, place.number});
}

// From this place on it is the disk that knows.
void DueBoard::spill(Site& at, const DuePlace& from) {
    while (!at.waiting.empty() && *at.waiting.rbegin() >= from) {
        forget(at, DuePlace(*at.waiting.rbegin()));
    }
    if (!at.has_more_on_disk || from < at.horizon) {
        at.horizon = from;
    }
    at.has_more_on_disk = true;
    if (at.is_refilling) {
        at.spilled_from = std::min(at.spilled_from, from);
    }
}

void DueBoard::trim(Site& at) {
    while (at.waiting.size() > window_max(at)) {
        probe<"outbound.window_spilled">();
        spill(at, DuePlace(*at.waiting.rbegin()));
    }
}

// Keeps an entry that is not in hand, unless it lies behind the horizon: then it is found by a
// refill. A refill under way may have read before it was there.
void DueBoard::keep(Site& at, const DuePlace& place, WallTime now) {
    if (at.has_more_on_disk && !at.is_refilling && place >= at.horizon) {
        return;
    }
    if (place.due > now + outbound_foresight) {
        spill(at, place);
        return;
    }
    at.entries[{place.mail, place.number}] = {.due = place.due, .is_in_hand = false};
    waiting_ += at.waiting.insert(place).second ? 1 : 0;
    trim(at);
}

void DueBoard::learn(const store::QueueChange::Item& item, WallTime now) {
    const bool is_over = item.is_gone || item.is_held;
    Site* known = find(item.site);
    if (known == nullptr && is_over) {
        return;
    }
    Site& at = known != nullptr ? *known : site(item.site);
    const auto found = at.entries.find({item.mail, item.delivery});
    if (found != at.entries.end() && found->second.is_in_hand) {
        found->second.due = is_over ? std::nullopt : std::optional(item.due);
        return;
    }
    if (found != at.entries.end()) {
        forget(at, {.due = *found->second.due, .mail = item.mail, .number = item.delivery});
    }
    if (!is_over) {
        keep(at, {.due = item.due, .mail = item.mail, .number = item.delivery}, now);
    }
    settle(at);
}

void DueBoard::learn_site(const DueDelivery& first) {
    Site& at = site(first.site);
    spill(at, first.place());
    settle(at);
}

void DueBoard::order_refill(Site& at, WallTime now, Orders& orders) {
    at.is_refilling = true;
    at.spilled_from = {.due = WallTime::max()};
    orders.refills.push_back({.site = at.name,
                              .from = at.horizon,
                              .until = now + outbound_foresight,
                              .count = refill_rows()});
    settle(at);
}

void DueBoard::release(Site& at) {
    at.is_refilling = false;
    if (std::exchange(at.is_reserved, false)) {
        engage(at, -1);
    }
}

void DueBoard::refilled(const store::DueRange& asked, const std::vector<DueDelivery>& found) {
    Site* at = find(asked.site);
    check(at != nullptr && at->is_refilling, "refilled() without a refill");
    DuePlace horizon{.due = WallTime::max()};
    if (!found.empty() && (found.back().due >= asked.until || found.size() >= asked.count)) {
        horizon = found.back().place();
        // It is kept itself, unless it only says when the next one is due.
        horizon.number += found.back().due >= asked.until ? 0 : 1;
    }
    horizon = std::min(horizon, at->spilled_from);
    for (const DueDelivery& row : found) {
        if (row.place() < horizon && !at->entries.contains({row.mail, row.number})) {
            at->entries[{row.mail, row.number}] = {.due = row.due, .is_in_hand = false};
            waiting_ += at->waiting.insert(row.place()).second ? 1 : 0;
        }
    }
    at->has_more_on_disk = horizon.due != WallTime::max();
    at->horizon = horizon;
    if (at->has_more_on_disk) {
        spill(*at, horizon);
    }
    // As a site at work, which it is about to be: else it might lose all that was read for it, and
    // read it again.
    trim(*at);
    release(*at);
    settle(*at);
}

void DueBoard::refill_failed(const std::string& name, WallTime again_at) {
    Site* at = find(name);
    check(at != nullptr && at->is_refilling, "refill_failed() without a refill");
    release(*at);
    at->paused_until = again_at;
    settle(*at);
}

// --- The agendas ---------------------------------------------------------------------------------

std::optional<WallTime> DueBoard::wanted_work(const Site& at) {
    if (!has_room(at)) {
        return std::nullopt;
    }
    const WallTime turn = std::max(at.paused_until, at.served_at);
    if (!at.waiting.empty()) {
        return std::max(at.waiting.begin()->due, turn);
    }
    if (at.has_more_on_disk && !at.is_refilling && at.workers == 0) {
        return std::max(at.horizon.due, turn);
    }
    return std::nullopt;
}

std::optional<WallTime> DueBoard::wanted_read(const Site& at) const {
    if (at.workers == 0 || !at.has_more_on_disk || at.is_refilling ||
        at.waiting.size() >= refill_rows() / 2) {
        return std::nullopt;
    }
    return std::max(at.horizon.due, at.paused_until);
}

void DueBoard::settle(Site& at) {
    const auto move_in = [&at](std::map<AgendaKey, Site*>& agenda, std::optional<WallTime>& place,
                               std::optional<WallTime> wanted) {
        if (wanted == place) {
            return;
        }
        if (place) {
            agenda.erase({*place, at.serial});
        }
        if (wanted) {
            agenda.emplace(AgendaKey{*wanted, at.serial}, &at);
        }
        place = wanted;
    };
    move_in(agendas_[index(at.lane)], at.work_at, wanted_work(at));
    move_in(reads_, at.read_at, wanted_read(at));
    if (at.entries.empty() && at.workers == 0 && !at.has_more_on_disk && !at.is_refilling) {
        sites_.erase(at.name);
    }
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
    for (const Lane lane : {Lane::Quick, Lane::New, Lane::Slow}) {
        const auto& agenda = agendas_[index(lane)];
        if (!agenda.empty() && agenda.begin()->first.first <= now && has_room(lane, workers_max) &&
            (first == nullptr || agenda.begin()->first < first->first)) {
            first = &*agenda.begin();
        }
    }
    return first == nullptr ? nullptr : first->second;
}

// I6: what was put off until then would be put off until the clock gets there again.
void DueBoard::clock_put_back() {
    probe<"outbound.clock_put_back">();
    std::vector<Site*> all;
    for (const auto& [name, at] : sites_) {
        all.push_back(at.get());
    }
    for (Site* at : all) {
        at->paused_until = at->served_at = WallTime{};
        settle(*at);
    }
}

DueBoard::Orders DueBoard::plan(WallTime now, const Bounds& bounds) {
    Orders orders;
    if (now < planned_at_) {
        clock_put_back();
    }
    planned_at_ = now;
    planned_workers_ = bounds.workers_max;
    while (!reads_.empty() && reads_.begin()->first.first <= now) {
        order_refill(*reads_.begin()->second, now, orders);
    }
    while (Site* at = next_site(now, bounds.workers_max)) {
        at->workers_max = bounds.site_workers_max(at->name);
        if (has_room(*at) && at->waiting.empty()) {
            at->is_reserved = true;
            engage(*at, 1);
            order_refill(*at, now, orders);
            continue;
        }
        if (has_room(*at)) {
            std::optional<DueDelivery> first = take_from(*at, now);
            check(first.has_value(), "a site stands in the agenda without anything due");
            ++at->workers;
            ++workers_;
            engage(*at, 1);
            orders.workers.push_back(*std::move(first));
        }
        settle(*at);
        while (!reads_.empty() && reads_.begin()->first.first <= now) {
            order_refill(*reads_.begin()->second, now, orders);
        }
    }
    return orders;
}

WallTime DueBoard::next_look(WallTime after) const {
    WallTime next = WallTime::max();
    const auto consider = [&](const std::map<AgendaKey, Site*>& agenda) {
        if (!agenda.empty() && agenda.begin()->first.first > after) {
            next = std::min(next, agenda.begin()->first.first);
        }
    };
    std::ranges::for_each(agendas_, consider);
    consider(reads_);
    return next;
}

// --- Workers -------------------------------------------------------------------------------------

std::optional<DueDelivery> DueBoard::take_from(Site& at, WallTime now) {
    if (at.waiting.empty() || at.paused_until > now || at.waiting.begin()->due > now) {
        return std::nullopt;
    }
    const DuePlace place = *at.waiting.begin();
    at.waiting.erase(at.waiting.begin());
    --waiting_;
    at.served_at = now;
    at.entries.at({place.mail, place.number}).is_in_hand = true;
    return DueDelivery{at.name, place.due, place.mail, place.number};
}

// True when another site would begin in the place of this worker.
bool DueBoard::must_yield(const Site& at, WallTime now, std::uint32_t given) {
    if (given < (at.lane == Lane::Quick ? outbound_turn_max : 1)) {
        return false;
    }
    --engaged_[index(at.lane)];
    const Site* other = next_site(now, planned_workers_);
    ++engaged_[index(at.lane)];
    return other != nullptr && other != &at;
}

std::optional<DueDelivery> DueBoard::take(const std::string& name, WallTime now,
                                          std::uint32_t given) {
    Site* at = find(name);
    check(at != nullptr && at->workers > 0, "take() without a worker");
    if (at->workers > workers_max(*at)) {
        return std::nullopt;
    }
    if (must_yield(*at, now, given)) {
        probe<"outbound.turn_given_away">();
        at->served_at = now;
        settle(*at);
        return std::nullopt;
    }
    std::optional<DueDelivery> taken = take_from(*at, now);
    settle(*at);
    return taken;
}

bool DueBoard::done(const DueDelivery& taken, const Ending& ending) {
    Site* at = find(taken.site);
    check(at != nullptr, "done() for a site that is not there");
    const auto found = at->entries.find({taken.mail, taken.number});
    check(found != at->entries.end() && found->second.is_in_hand, "done() without take()");
    const std::optional<WallTime> due = found->second.due;
    at->entries.erase(found);
    if (due && !(ending.is_settled && *due == taken.due)) {
        keep(*at, {.due = *due, .mail = taken.mail, .number = taken.number}, ending.now);
    }
    bool is_more_welcome = false;
    if (ending.is_settled) {
        const bool is_over = !due;
        const bool is_slow =
            ending.took > (is_over ? outbound_slow_delivery : outbound_slow_attempt);
        is_more_welcome = change_lane(*at, is_slow                              ? Lane::Slow
                                           : is_over || at->lane == Lane::Quick ? Lane::Quick
                                                                                : Lane::New);
    }
    settle(*at);
    return is_more_welcome;
}

void DueBoard::pause(const std::string& name, WallTime until) {
    if (Site* at = find(name); at != nullptr) {
        at->paused_until = until;
        settle(*at);
    }
}

void DueBoard::worker_ended(const std::string& name) {
    Site* at = find(name);
    check(at != nullptr && at->workers > 0, "worker_ended() without a worker");
    --at->workers;
    --workers_;
    engage(*at, -1);
    trim(*at);
    settle(*at);
}

}  // namespace godwit::flow
