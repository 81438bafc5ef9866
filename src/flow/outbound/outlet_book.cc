#include "flow/outbound/outlet_book.h"

#include <algorithm>
#include <utility>

#include "base/probe.h"
#include "base/result.h"

namespace godwit::flow {

OutletBook::Outlet& OutletBook::outlet(const OutletKey& key) {
    const auto [found, is_new] = outlets_.try_emplace(key);
    Outlet& at = found->second;
    if (is_new) {
        at.age = by_age_.insert(by_age_.end(), key);
        forget_oldest();
    } else {
        by_age_.splice(by_age_.end(), by_age_, at.age);
    }
    return at;
}

// Only what is at rest: a bounded look at the oldest finds one, since connections are far fewer.
void OutletBook::forget_oldest() {
    auto oldest = by_age_.begin();
    while (outlets_.size() > outlets_max && oldest != std::prev(by_age_.end())) {
        const auto found = outlets_.find(*oldest);
        const Outlet& at = found->second;
        if (at.in_flight == 0 && at.line.empty() && at.woken.empty()) {
            outlets_.erase(found);
            oldest = by_age_.erase(oldest);
        } else {
            ++oldest;
        }
    }
}

std::uint32_t OutletBook::room(const Outlet& at) {
    const auto window = static_cast<std::uint32_t>(at.window);
    const std::uint32_t allowed = std::max(std::min(window, at.limit), 1U);
    return allowed > at.in_flight ? allowed - at.in_flight : 0;
}

void OutletBook::forget_late(Outlet& at, MonoTime now) {
    std::erase_if(at.woken, [now](const auto& each) { return each.second <= now; });
}

// Its own place, or one that nobody who was woken is on the way to.
bool OutletBook::may_enter(Outlet& at, const OutletUser& user, MonoTime now) {
    forget_late(at, now);
    if (at.woken.erase(user) > 0) {
        return room(at) > 0;
    }
    return room(at) > at.woken.size();
}

OutletBook::Answer OutletBook::enter(const OutletKey& key, const OutletUser& user,
                                     std::uint32_t limit, MonoTime now, bool is_forced) {
    const Answer answer = is_forced ? Answer{} : ask(key, user, limit, now);
    if (answer.kind == Answer::Kind::Granted) {
        ++outlet(key).in_flight;
    }
    return answer;
}

OutletBook::Answer OutletBook::ask(const OutletKey& key, const OutletUser& user,
                                   std::uint32_t limit, MonoTime now) {
    Outlet& at = outlet(key);
    at.limit = limit;
    if (at.paused_until > now) {
        return {.kind = Answer::Kind::Paused, .until = at.paused_until};
    }
    if (may_enter(at, user, now)) {
        return {};
    }
    probe<"outbound.outlet_full">();
    if (std::ranges::find(at.line, user) == at.line.end()) {
        at.line.push_back(user);
    }
    return {.kind = Answer::Kind::Full};
}

std::vector<OutletUser> OutletBook::wake(Outlet& at, MonoTime now) {
    std::vector<OutletUser> woken;
    forget_late(at, now);
    const bool is_paused = at.paused_until > now;
    while (!at.line.empty() && (is_paused || room(at) > at.woken.size())) {
        // Those who come during a pause are told how long it is; no place is kept for them.
        if (!is_paused) {
            at.woken[at.line.front()] = now + outlet_wake_patience;
        }
        woken.push_back(std::move(at.line.front()));
        at.line.pop_front();
    }
    return woken;
}

void OutletBook::give_up(Outlet& at, MonoTime now) {
    probe<"outbound.outlet_given_up">();
    at.backoff = std::clamp<Duration>(at.backoff * 2, outlet_backoff_min, outlet_backoff_max);
    at.paused_until = std::max(at.paused_until, now + at.backoff);
    at.reason = "no host answers";
    at.window = 1;
    at.failures = 0;
    at.is_probing = true;
}

std::vector<OutletUser> OutletBook::report(const OutletKey& key, const OutletReport& report,
                                           MonoTime now) {
    Outlet& at = outlet(key);
    if (report.sign != OutletSign::None && !report.reply.empty()) {
        at.last_reply = report.reply;
    }
    const double share = 1 / std::max(at.window, 1.0);
    switch (report.sign) {
        case OutletSign::None: break;
        case OutletSign::Success:
            at.failures = 0;
            at.is_probing = false;
            at.backoff = {};
            at.successes += share;
            if (at.successes >= 1) {
                at.successes = 0;
                at.window = std::min<double>(at.window + 1, std::max(at.limit, 1U));
            }
            break;
        case OutletSign::Refused:
            // H6: they keep the others, one less than now is what they take.
            at.successes = 0;
            if (at.in_flight > 1) {
                probe<"outbound.outlet_capped">();
                at.window = std::min<double>(at.window, at.in_flight - 1);
                break;
            }
            [[fallthrough]];
        case OutletSign::Failure:
            at.successes = 0;
            at.failures += share;
            at.window = std::max(at.window - share, 1.0);
            if (at.is_probing || at.failures >= outlet_failed_cohorts_max) {
                give_up(at, now);
            }
            break;
    }
    if (report.pause) {
        probe<"outbound.outlet_paused">();
        at.paused_until = std::max(at.paused_until, now + report.pause->time);
        at.reason = report.pause->reason;
        at.window = 1;
        at.successes = 0;
    }
    return wake(at, now);
}

std::vector<std::pair<OutletKey, std::vector<OutletUser>>> OutletBook::end_pauses(
    const std::string& domain, MonoTime now) {
    std::vector<std::pair<OutletKey, std::vector<OutletUser>>> woken;
    const Known* const known = known_.find(domain);
    if (known == nullptr) {
        return woken;
    }
    const std::string hosts = known->key.hosts;
    for (auto at = outlets_.lower_bound({.hosts = hosts, .source = ""});
         at != outlets_.end() && at->first.hosts == hosts; ++at) {
        if (at->second.paused_until > now) {
            probe<"outbound.pause_ended">();
            at->second.paused_until = {};
            at->second.backoff = {};
            woken.emplace_back(at->first, wake(at->second, now));
        }
    }
    return woken;
}

std::vector<OutletUser> OutletBook::leave(const OutletKey& key, MonoTime now) {
    Outlet& at = outlet(key);
    check(at.in_flight > 0, "leave() without enter()");
    --at.in_flight;
    return wake(at, now);
}

std::vector<OutletUser> OutletBook::wake_next(const OutletKey& key, MonoTime now) {
    return wake(outlet(key), now);
}

bool OutletBook::has_line(const OutletKey& key, const OutletUser& user) const {
    const auto found = outlets_.find(key);
    // Each stands there once: the first or the second is another one.
    return found != outlets_.end() &&
           std::ranges::any_of(found->second.line,
                               [&user](const OutletUser& each) { return each != user; });
}

OutletState OutletBook::state_of(const OutletKey& key, const Outlet& at, MonoTime now) {
    OutletState state;
    state.hosts = key.hosts;
    state.source = key.source;
    state.window = std::max(std::min(static_cast<std::uint32_t>(at.window), at.limit), 1U);
    state.limit = at.limit;
    state.in_flight = at.in_flight;
    state.waiting = at.line.size();
    if (at.paused_until > now) {
        state.paused_for = at.paused_until - now;
        state.reason = at.reason;
    }
    state.last_reply = at.last_reply;
    return state;
}

std::vector<OutletState> OutletBook::states(MonoTime now) const {
    std::vector<OutletState> states;
    for (const auto& [key, at] : outlets_) {
        states.push_back(state_of(key, at, now));
    }
    return states;
}

std::vector<OutletState> OutletBook::states_of(const std::string& domain, MonoTime now) {
    std::vector<OutletState> states;
    const Known* const known = known_.find(domain);
    if (known == nullptr) {
        return states;
    }
    const std::string& hosts = known->key.hosts;
    for (auto at = outlets_.lower_bound({.hosts = hosts, .source = ""});
         at != outlets_.end() && at->first.hosts == hosts; ++at) {
        states.push_back(state_of(at->first, at->second, now));
    }
    return states;
}

}  // namespace godwit::flow
