// How many connections each outlet may have, and from when on: an outlet is a set of hosts (the MX
// set that many domains share, or a route's host) as reached from one of our sources.
// SMTP-BEHAVIOUR.md M3, F12, C4, H3, H6. Pure: time is an argument.
// The window grows by one after a cohort of successes (as many as the window is wide), shrinks by
// one after a cohort of failures, as Postfix's queue manager does it. After
// outlet_failed_cohorts_max cohorts without a success nothing is tried for a while, which doubles
// each time; then one connection probes. Failures here are those of hosts: what a host says about
// one message or recipient is a success of the connection.
// Who finds no room waits in line and is woken in turn; a place that was given to one who was woken
// is kept for it for outlet_wake_patience.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/recent.h"

namespace godwit::flow {

/// Connections to an outlet that nothing is known of, at most: Postfix's
/// initial_destination_concurrency.
inline constexpr std::uint32_t outlet_window_start = 5;
/// C4: large providers refuse in bursts; one cohort that failed says little.
inline constexpr double outlet_failed_cohorts_max = 3;
inline constexpr std::chrono::seconds outlet_backoff_min(30);
inline constexpr std::chrono::seconds outlet_backoff_max = std::chrono::minutes(15);
/// To come from another thread and look at what there is to send.
inline constexpr std::chrono::seconds outlet_wake_patience(2);
/// Outlets remembered, under 1 KiB each; those at rest for longest are forgotten first.
inline constexpr std::size_t outlets_max = 16 * 1024;

/// What came of an attempt, for its outlet.
enum class OutletSign : std::uint8_t {
    None,     ///< Nothing was tried.
    Success,  ///< A host answered for the message, whatever it said.
    Failure,  ///< No host could be spoken to.
    Refused,  ///< They had too many connections from us (H6).
};
/// H3: a provider asked for a pause.
struct OutletPause {
    Duration time{};
    std::string reason;  ///< For operators: "rate limit (Google)".
};
struct OutletReport {
    OutletSign sign = OutletSign::None;
    std::string reply;  ///< The host's last words; bounded by the caller.
    std::optional<OutletPause> pause;
};

/// For operators.
struct OutletState {
    std::string hosts;            ///< "alt1.example.net,mx.example.net".
    std::string source;           ///< Name of the [[egress]]; empty: none.
    std::uint32_t window = 0;     ///< Connections it may have now.
    std::uint32_t limit = 0;      ///< Connections it may come to have.
    std::uint32_t in_flight = 0;  ///< Connections under way.
    std::size_t waiting = 0;      ///< Domains in line.
    std::optional<Duration> paused_for;
    std::string reason;
    std::string last_reply;
};

struct OutletKey {
    std::string hosts;
    std::string source;
    auto operator<=>(const OutletKey&) const = default;
};
/// Who wants to send: a domain's queue, on the part of the scheduler it lives on.
struct OutletUser {
    std::size_t part = 0;
    std::string site;
    auto operator<=>(const OutletUser&) const = default;
};

/// One thread, or behind a lock.
class OutletBook {
public:
    struct Answer {
        enum class Kind : std::uint8_t { Granted, Full, Paused } kind = Kind::Granted;
        MonoTime until{};  ///< Of Paused.
    };
    /// A place for one connection, of at most `limit`; leave() gives it back. Full: `user` is in
    /// line now. `is_forced`: granted in any case.
    Answer enter(const OutletKey& key, const OutletUser& user, std::uint32_t limit, MonoTime now,
                 bool is_forced = false);
    /// Whether enter() could grant it; takes no place, but puts `user` in line where it is full.
    Answer ask(const OutletKey& key, const OutletUser& user, std::uint32_t limit, MonoTime now);
    /// By one that has a place. Returns who may come now.
    std::vector<OutletUser> report(const OutletKey& key, const OutletReport& report, MonoTime now);
    std::vector<OutletUser> leave(const OutletKey& key, MonoTime now);
    /// Others than `user` are in line for this outlet.
    [[nodiscard]] bool has_line(const OutletKey& key, const OutletUser& user) const;

    /// Whoever may come of those in line; also when those woken before did not.
    std::vector<OutletUser> wake_next(const OutletKey& key, MonoTime now);

    /// Where mail for a domain went last, and the bound there.
    struct Known {
        OutletKey key;
        std::uint32_t limit = 0;
        bool is_only = true;  ///< All mail for the domain goes there: there is one source.
    };
    void remember(const std::string& domain, Known known) { known_.set(domain, std::move(known)); }
    [[nodiscard]] const Known* known(const std::string& domain) { return known_.find(domain); }

    /// An operator wants mail for this domain tried now: the pauses of its hosts are over, from
    /// whatever source. Returns who may come now.
    std::vector<std::pair<OutletKey, std::vector<OutletUser>>> end_pauses(const std::string& domain,
                                                                          MonoTime now);

    /// Every outlet that is not at rest, and those at rest that are remembered, by name.
    [[nodiscard]] std::vector<OutletState> states(MonoTime now) const;
    /// The outlets of the hosts that mail for this domain went to last, by source; empty: none is
    /// known.
    [[nodiscard]] std::vector<OutletState> states_of(const std::string& domain, MonoTime now);
    [[nodiscard]] std::size_t size() const { return outlets_.size(); }

private:
    struct Outlet {
        double window = outlet_window_start;
        std::uint32_t limit = outlet_window_start;
        std::uint32_t in_flight = 0;
        double successes = 0;  ///< Cohorts.
        double failures = 0;   ///< Cohorts.
        bool is_probing = false;
        Duration backoff{};  ///< Of the last time it was given up.
        MonoTime paused_until{};
        std::string reason;
        std::string last_reply;
        std::deque<OutletUser> line;
        std::map<OutletUser, MonoTime> woken;
        std::list<OutletKey>::iterator age;
    };
    Outlet& outlet(const OutletKey& key);
    [[nodiscard]] static OutletState state_of(const OutletKey& key, const Outlet& at, MonoTime now);
    [[nodiscard]] static std::uint32_t room(const Outlet& at);
    static void forget_late(Outlet& at, MonoTime now);
    static bool may_enter(Outlet& at, const OutletUser& user, MonoTime now);
    static std::vector<OutletUser> wake(Outlet& at, MonoTime now);
    static void give_up(Outlet& at, MonoTime now);
    void forget_oldest();

    std::map<OutletKey, Outlet> outlets_;
    std::list<OutletKey> by_age_;  ///< Used longest ago first.
    Recent<std::string, Known> known_{kRecentBound};
};

}  // namespace godwit::flow
