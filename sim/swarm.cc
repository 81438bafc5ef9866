#include "sim/swarm.h"

#include <cstdio>

namespace godwit::sim {

namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

}  // namespace

// Each kind of fault is there in about half of the worlds, at a rate drawn over orders of
// magnitude: rare faults show what happens after long undisturbed work, frequent ones what happens
// on top of each other.
Swarm Swarm::draw(Dice& dice) {
    const auto rate = [&](double least, double most) {
        if (dice.chance(0.5)) {
            return 0.0;
        }
        return least * std::pow(most / least, dice.fraction());
    };
    const auto every = [&](Duration least, Duration most) {
        if (dice.chance(0.5)) {
            return Duration{};
        }
        const double span = static_cast<double>(most.count()) / static_cast<double>(least.count());
        return Duration(static_cast<std::int64_t>(static_cast<double>(least.count()) *
                                                  std::pow(span, dice.fraction())));
    };
    Swarm swarm;
    swarm.nodes = 1 + static_cast<unsigned>(dice.below(3));
    swarm.shards_per_node = 1 + static_cast<unsigned>(dice.below(3));
    swarm.peers = 1 + static_cast<unsigned>(dice.below(5));
    swarm.accounts = 1 + static_cast<unsigned>(dice.below(4));
    swarm.think = dice.between(minutes(5), hours(1));
    swarm.retry_lifetime = dice.between(hours(12), days(3));

    swarm.crash_every = every(minutes(20), days(1));
    swarm.power_cut = dice.chance(0.5) ? dice.fraction() : 0.0;
    swarm.crash_at_point = rate(1e-5, 1e-2);
    swarm.down_for = dice.between(seconds(2), hours(2));
    swarm.crash_in_start = rate(0.01, 0.3);
    swarm.orderly_stop_every = every(hours(2), days(2));
    swarm.clock_jump_every = every(hours(2), days(2));

    swarm.sync_least = dice.between(milliseconds(1), milliseconds(10));
    swarm.sync_most = swarm.sync_least + (dice.chance(0.3) ? dice.between(seconds(1), seconds(40))
                                                           : dice.between({}, milliseconds(50)));
    swarm.slow_read = rate(0.01, 0.9);
    swarm.read_most = dice.between({}, milliseconds(100));
    swarm.commit_fails = rate(1e-5, 1e-3);
    swarm.file_fails = rate(1e-5, 1e-2);
    swarm.read_fails = rate(1e-7, 1e-4);
    swarm.full_every = every(hours(3), days(2));

    swarm.latency_least = dice.between(milliseconds(1), milliseconds(20));
    swarm.latency_most =
        swarm.latency_least + (dice.chance(0.2) ? dice.between(seconds(1), seconds(20))
                                                : dice.between({}, milliseconds(300)));
    swarm.connect_refused = rate(0.001, 0.3);
    swarm.connect_hangs = rate(0.001, 0.3);
    swarm.reset = rate(1e-4, 0.05);
    swarm.stall = rate(1e-4, 0.01);

    swarm.dns_timeout = rate(0.001, 0.5);
    swarm.dns_fails = rate(0.001, 0.5);
    swarm.dns_lies = rate(0.0001, 0.02);
    swarm.dns_slow = dice.chance(0.5) ? dice.between({}, seconds(5)) : Duration{};
    swarm.dns_change_every = every(hours(6), days(2));
    swarm.dns_outage_every = every(hours(12), days(3));

    swarm.peer_trait = rate(0.05, 0.6);
    return swarm;
}

void Swarm::leave_out(const std::string& kind) {
    if (kind == "crash") {
        crash_every = orderly_stop_every = Duration{};
        crash_at_point = crash_in_start = 0;
    } else if (kind == "power") {
        power_cut = 0;
    } else if (kind == "disk") {
        slow_read = commit_fails = file_fails = read_fails = 0;
        full_every = Duration{};
    } else if (kind == "network") {
        connect_refused = connect_hangs = reset = stall = 0;
    } else if (kind == "dns") {
        dns_timeout = dns_fails = dns_lies = 0;
        dns_slow = dns_change_every = dns_outage_every = Duration{};
    } else if (kind == "peers") {
        peer_trait = 0;
    } else if (kind == "clock") {
        clock_jump_every = Duration{};
    }
}

std::vector<std::string> Swarm::kinds() {
    return {"crash", "power", "disk", "network", "dns", "peers", "clock"};
}

std::string Swarm::describe() const {
    std::string text;
    const auto number = [&](const char* name, double value) {
        if (value != 0) {
            char shown[64];
            std::snprintf(shown, sizeof shown, "%s%s=%.3g", text.empty() ? "" : " ", name, value);
            text += shown;
        }
    };
    const auto span = [&](const char* name, Duration value) {
        number(name, std::chrono::duration<double>(value).count());
    };
    number("nodes", nodes);
    number("shards", shards_per_node);
    number("peers", peers);
    number("accounts", accounts);
    span("think_s", think);
    span("lifetime_s", retry_lifetime);
    span("crash_every_s", crash_every);
    number("power_cut", power_cut);
    number("crash_at_point", crash_at_point);
    span("down_for_s", down_for);
    number("crash_in_start", crash_in_start);
    span("stop_every_s", orderly_stop_every);
    span("clock_jump_every_s", clock_jump_every);
    span("sync_most_s", sync_most);
    number("slow_read", slow_read);
    span("read_most_s", read_most);
    number("commit_fails", commit_fails);
    number("file_fails", file_fails);
    number("read_fails", read_fails);
    span("full_every_s", full_every);
    span("latency_most_s", latency_most);
    number("connect_refused", connect_refused);
    number("connect_hangs", connect_hangs);
    number("reset", reset);
    number("stall", stall);
    number("dns_timeout", dns_timeout);
    number("dns_fails", dns_fails);
    number("dns_lies", dns_lies);
    span("dns_slow_s", dns_slow);
    span("dns_change_every_s", dns_change_every);
    span("dns_outage_every_s", dns_outage_every);
    number("peer_trait", peer_trait);
    return text;
}

}  // namespace godwit::sim
