#include "flow/outbound/due_board.h"

#include <algorithm>

#include "base/limits.h"
#include "base/result.h"

namespace godwit::flow {

namespace {

constexpr std::size_t kRefillRows = std::min(limits::outbound_window_max, limits::scan_rows_max);
// A refill starts at the horizon, where rows of the same time may be known already. With fewer than
// half of its rows waiting it brings new ones even when all have one time.
constexpr std::size_t kRefillBelow = kRefillRows / 2;

}  // namespace

DueBoard::Site& DueBoard::site(const std::string& name) {
    std::unique_ptr<Site>& slot = sites_[name];
    if (slot == nullptr) {
        slot = std::make_unique<Site>();
        slot->name = name;
        slot->serial = ++next_serial_;
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

void DueBoard::drop_last(Site& at) {
    const auto last = std::prev(at.waiting.end());
    at.entries.erase({std::get<1>(*last), std::get<2>(*last)});
    at.waiting.erase(last);
}

// Keeps an entry that is not in hand, unless it lies behind the horizon: then it is found by a
// refill. A refill under way may have read before it was there.
void DueBoard::keep(Site& at, const Entry& entry, WallTime due) {
    if (at.has_more_on_disk && !at.is_refilling && due > at.horizon) {
        return;
    }
    at.entries[entry] = {.due = due, .is_in_hand = false};
    at.waiting.emplace(due, entry.first, entry.second);
    if (at.waiting.size() > limits::outbound_window_max) {
        drop_last(at);
        at.has_more_on_disk = true;
        const WallTime last = std::get<0>(*at.waiting.rbegin());
        at.horizon = std::min(at.horizon, last);
        at.spilled_after = std::min(at.spilled_after, last);
    }
}

void DueBoard::learn(const store::QueueChange::Item& item) {
    const bool is_over = item.is_gone || item.is_held;
    Site* known = find(item.site);
    if (known == nullptr && is_over) {
        return;
    }
    Site& at = known != nullptr ? *known : site(item.site);
    const Entry entry{item.mail, item.delivery};
    const auto found = at.entries.find(entry);
    if (found != at.entries.end() && found->second.is_in_hand) {
        found->second.due = is_over ? std::nullopt : std::optional(item.due);
        return;
    }
    if (found != at.entries.end()) {
        at.waiting.erase({*found->second.due, entry.first, entry.second});
        at.entries.erase(found);
    }
    if (!is_over) {
        keep(at, entry, item.due);
    }
    settle(at);
}

void DueBoard::learn_site(const std::string& name) {
    Site& at = site(name);
    at.has_more_on_disk = true;
    at.horizon = WallTime{};
    settle(at);
}

bool DueBoard::wants_refill(const Site& at) {
    return at.has_more_on_disk && !at.is_refilling && at.waiting.size() < kRefillBelow;
}

std::optional<WallTime> DueBoard::wanted_look(const Site& at) {
    std::optional<WallTime> look;
    if (wants_refill(at)) {
        look = at.paused_until;
    }
    if (!at.waiting.empty() && has_room(at)) {
        const WallTime due = std::max(std::get<0>(*at.waiting.begin()), at.paused_until);
        look = std::min(look.value_or(due), due);
    }
    return look;
}

void DueBoard::settle(Site& at) {
    const std::optional<WallTime> look = wanted_look(at);
    if (look != at.look_at) {
        if (at.look_at) {
            agenda_.erase({*at.look_at, at.serial});
        }
        if (look) {
            agenda_.emplace(AgendaKey{*look, at.serial}, &at);
        }
        at.look_at = look;
    }
    if (at.entries.empty() && at.workers == 0 && !at.has_more_on_disk && !at.is_refilling) {
        sites_.erase(at.name);
    }
}

DueBoard::Orders DueBoard::plan(WallTime now, const Bounds& bounds) {
    Orders orders;
    while (!agenda_.empty() && agenda_.begin()->first.first <= now) {
        Site& at = *agenda_.begin()->second;
        at.workers_max = bounds.site_workers_max(at.name);
        if (wants_refill(at) && at.paused_until <= now) {
            at.is_refilling = true;
            at.spilled_after = WallTime::max();
            orders.refills.push_back({.site = at.name,
                                      .from = at.horizon,
                                      .until = WallTime::max(),
                                      .count = kRefillRows});
        } else if (has_room(at)) {
            if (workers_ >= bounds.workers_max) {
                break;
            }
            std::optional<store::DueDelivery> first = take_from(at, now);
            check(first.has_value(), "a site stands in the agenda without anything due");
            ++at.workers;
            ++workers_;
            orders.workers.push_back(*std::move(first));
        }
        settle(at);
    }
    return orders;
}

WallTime DueBoard::next_look() const {
    return agenda_.empty() ? WallTime::max() : agenda_.begin()->first.first;
}

std::optional<store::DueDelivery> DueBoard::take_from(Site& at, WallTime now) {
    if (at.waiting.empty() || at.paused_until > now || std::get<0>(*at.waiting.begin()) > now) {
        return std::nullopt;
    }
    const auto [due, mail, number] = *at.waiting.begin();
    at.waiting.erase(at.waiting.begin());
    at.entries.at({mail, number}).is_in_hand = true;
    return store::DueDelivery{at.name, due, mail, number};
}

std::optional<store::DueDelivery> DueBoard::take(const std::string& name, WallTime now) {
    Site* at = find(name);
    check(at != nullptr && at->workers > 0, "take() without a worker");
    std::optional<store::DueDelivery> taken = take_from(*at, now);
    settle(*at);
    return taken;
}

void DueBoard::done(const store::DueDelivery& taken, bool is_settled) {
    Site* at = find(taken.site);
    check(at != nullptr, "done() for a site that is not there");
    const Entry entry{taken.mail, taken.number};
    const auto found = at->entries.find(entry);
    check(found != at->entries.end() && found->second.is_in_hand, "done() without take()");
    const std::optional<WallTime> due = found->second.due;
    at->entries.erase(found);
    if (due && !(is_settled && *due == taken.due)) {
        keep(*at, entry, *due);
    }
    settle(*at);
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
    settle(*at);
}

void DueBoard::refilled(const store::DueRange& asked,
                        const std::vector<store::DueDelivery>& found) {
    Site* at = find(asked.site);
    check(at != nullptr && at->is_refilling, "refilled() without a refill");
    const bool is_full = found.size() >= asked.count;
    at->horizon = std::min(is_full ? found.back().due : WallTime::max(), at->spilled_after);
    at->has_more_on_disk = is_full || at->spilled_after != WallTime::max();
    for (const store::DueDelivery& row : found) {
        const Entry entry{row.mail, row.number};
        if (!at->entries.contains(entry)) {
            keep(*at, entry, row.due);
        }
    }
    at->is_refilling = false;
    while (at->has_more_on_disk && !at->waiting.empty() &&
           std::get<0>(*at->waiting.rbegin()) > at->horizon) {
        drop_last(*at);
    }
    settle(*at);
}

void DueBoard::refill_failed(const std::string& name, WallTime again_at) {
    Site* at = find(name);
    check(at != nullptr && at->is_refilling, "refill_failed() without a refill");
    at->is_refilling = false;
    at->paused_until = again_at;
    settle(*at);
}

}  // namespace godwit::flow
