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
    return found == sites_.end() ? 0 : found->second->waiting.size() + found->second->guests.size();
}

// --- Its bounds ----------------------------------------------------------------------------------

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

// --- The window ----------------------------------------------------------------------------------

DueTraits DueBoard::traits_of(MailId mail) const {
    return traits_of_ ? traits_of_(mail) : DueTraits{};
}

// --- Whose turn it is ----------------------------------------------------------------------------

void DueBoard::enroll(Site& at, const DuePlace& place, bool is_guest, DueTraits traits) {
    at.entries[{place.mail, place.number}] = {
        .due = place.due, .is_in_hand = false, .traits = traits};
    waiting_ += (is_guest ? at.guests : at.waiting).insert(place).second ? 1 : 0;
    const auto [turn, is_new] = at.turns.try_emplace({-traits.priority, traits.sender});
    if (is_new) {
        // Whoever comes anew has had as much as the one that has had least.
        double least = std::numeric_limits<double>::max();
        for (const auto& [key, other] : at.turns) {
            if (key.first == turn->first.first && &other != &turn->second) {
                least = std::min(least, other.had);
            }
        }
        turn->second.had = least == std::numeric_limits<double>::max() ? 0 : least;
    }
    turn->second.places.insert(place);
}

void DueBoard::strike(Site& at, const DuePlace& place, const DueTraits& traits) {
    const auto turn = at.turns.find({-traits.priority, traits.sender});
    if (turn != at.turns.end()) {
        turn->second.places.erase(place);
        if (turn->second.places.empty()) {
            at.turns.erase(turn);
        }
    }
}

// Something is due. Linear in the senders of the window.
DuePlace DueBoard::next_place(const Site& at, WallTime now) {
    const std::pair<const TurnKey, Turn>* chosen = nullptr;
    const std::pair<const TurnKey, Turn>* oldest = nullptr;
    for (const auto& turn : at.turns) {
        const DuePlace& first = *turn.second.places.begin();
        if (first.due > now) {
            continue;
        }
        if (oldest == nullptr || first < *oldest->second.places.begin()) {
            oldest = &turn;
        }
        if (chosen == nullptr ||
            (turn.first.first == chosen->first.first &&
             std::pair(turn.second.had, first) <
                 std::pair(chosen->second.had, *chosen->second.places.begin()))) {
            chosen = &turn;
        }
    }
    const bool is_for_oldest = (at.turns_given + 1) % outbound_oldest_turn == 0;
    check(chosen != nullptr, "a turn without anything due");
    return *(is_for_oldest ? oldest : chosen)->second.places.begin();
}

// --- The window, again ---------------------------------------------------------------------------

void DueBoard::forget(Site& at, const DuePlace& place) {
    waiting_ -= at.waiting.erase(place) + at.guests.erase(place);
    const auto found = at.entries.find({place.mail, place.number});
    if (found != at.entries.end()) {
        strike(at, place, found->second.traits);
        at.entries.erase(found);
    }
}

// Just come, from somebody who has nothing else here: it need not wait for the backlog.
bool DueBoard::keep_as_guest(Site& at, const DuePlace& place, WallTime now) {
    const DueTraits traits = traits_of(place.mail);
    if (traits.sender == 0 || place.due > now || at.guests.size() >= outbound_guests_max ||
        waiting_ >= outbound_kept_max || at.turns.contains({-traits.priority, traits.sender})) {
        return false;
    }
    probe<"outbound.guest">();
    enroll(at, place, true, traits);
    return true;
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
        static_cast<void>(keep_as_guest(at, place, now));
        return;
    }
    if (place.due > now + outbound_foresight) {
        spill(at, place);
        return;
    }
    enroll(at, place, false, traits_of(place.mail));
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
            enroll(*at, row.place(), false, traits_of(row.mail));
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

std::optional<WallTime> DueBoard::first_due(const Site& at) {
    std::optional<WallTime> first;
    for (const std::set<DuePlace>* places : {&at.waiting, &at.guests}) {
        if (!places->empty() && (!first || places->begin()->due < *first)) {
            first = places->begin()->due;
        }
    }
    return first;
}

std::optional<WallTime> DueBoard::wanted_work(const Site& at) {
    if (at.waits_for_room || !has_room(at)) {
        return std::nullopt;
    }
    const WallTime turn = std::max(at.paused_until, at.served_at);
    if (const std::optional<WallTime> first = first_due(at)) {
        return std::max(*first, turn);
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
        const Entry entry = has_room(*at) && bounds.entry ? bounds.entry(at->name) : Entry{};
        if (entry.kind == Entry::Kind::Wait) {
            at->waits_for_room = true;
            settle(*at);
            continue;
        }
        if (entry.kind == Entry::Kind::Until && entry.until > now) {
            at->paused_until = std::max(at->paused_until, entry.until);
            settle(*at);
            continue;
        }
        if (has_room(*at) && at->waiting.empty() && at->guests.empty()) {
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
    const std::optional<WallTime> first = first_due(at);
    if (!first || at.paused_until > now || *first > now) {
        return std::nullopt;
    }
    const DuePlace place = next_place(at, now);
    waiting_ -= at.waiting.erase(place) + at.guests.erase(place);
    at.served_at = now;
    ++at.turns_given;
    EntryState& state = at.entries.at({place.mail, place.number});
    state.is_in_hand = true;
    Turn& turn = at.turns.at({-state.traits.priority, state.traits.sender});
    turn.had += 1 + static_cast<double>(state.traits.size) / outbound_turn_octets;
    strike(at, place, state.traits);
    return DueDelivery{at.name, place.due, place.mail, place.number};
}

std::optional<DueDelivery> DueBoard::take(const std::string& name, WallTime now,
                                          std::uint32_t given, bool others_wait) {
    Site* at = find(name);
    check(at != nullptr && at->workers > 0, "take() without a worker");
    if (at->workers > workers_max(*at)) {
        return std::nullopt;
    }
    if ((others_wait && given >= turn_max(*at)) || must_yield(*at, now, given)) {
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
    const bool is_more_welcome =
        ending.is_settled && change_lane(*at, lane_after(at->lane, ending));
    settle(*at);
    return is_more_welcome;
}

void DueBoard::pause(const std::string& name, WallTime until) {
    if (Site* at = find(name); at != nullptr) {
        at->paused_until = until;
        settle(*at);
    }
}

void DueBoard::wait_for_room(const std::string& name) {
    if (Site* at = find(name); at != nullptr) {
        at->waits_for_room = true;
        settle(*at);
    }
}

void DueBoard::wake(const std::string& name) {
    if (Site* at = find(name); at != nullptr) {
        at->waits_for_room = false;
        at->workers_max = std::numeric_limits<std::uint32_t>::max();
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
