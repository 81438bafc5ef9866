// What can go wrong in one world and how often: drawn anew for each seed (swarm testing), so that
// some worlds are calm but for one kind of fault and others have all at once.
// Law: RELIABILITY.md 4 (swarm options).
#pragma once

#include <string>
#include <vector>

#include "sim/dice.h"

namespace godwit::sim {

/// How far a node's wall clock jumps at once.
inline constexpr Duration kClockJumpMost = std::chrono::days(2);

struct Swarm {
    // The world.
    unsigned nodes = 1;            ///< 1..3
    unsigned shards_per_node = 1;  ///< 1..3
    unsigned peers = 3;            ///< Remote mail systems, 1..8.
    unsigned accounts = 3;         ///< A node, 1..5.
    Duration think{};              ///< Mean time between two acts of one client.
    Duration retry_lifetime{};     ///< Settings: retry.lifetime.
    // Nodes.
    Duration crash_every{};         ///< Mean; 0: never. Kill or power cut at any time.
    double power_cut = 0;           ///< Share of the crashes that lose what was not synced.
    double crash_at_point = 0;      ///< Chance at each crash point passed.
    Duration down_for{};            ///< Mean time until a crashed node starts again.
    double crash_in_start = 0;      ///< Chance that a start does not come to its end.
    Duration orderly_stop_every{};  ///< Mean; 0: never.
    Duration clock_jump_every{};    ///< Mean; 0: never. The wall clock alone, up to two days.
    // Disk.
    Duration sync_least{};
    Duration sync_most{};     ///< How long a commit takes.
    double slow_read = 0;     ///< Chance that what may be cached is not.
    Duration read_most{};     ///< How long the offload pool takes for a job.
    double commit_fails = 0;  ///< EIO of the key commit, applied or not; the node ends itself.
    double file_fails = 0;    ///< EIO of a segment's write or sync.
    double read_fails = 0;    ///< EIO of a read.
    Duration full_every{};    ///< Mean; 0: never. The disk is below a watermark for a while.
    // Network, a connection.
    Duration latency_least{};
    Duration latency_most{};
    double connect_refused = 0;
    double connect_hangs = 0;
    double reset = 0;  ///< Chance, at each write, that the connection breaks there.
    double stall = 0;  ///< Chance, at each write, that it is late by up to an hour.
    // Names.
    double dns_timeout = 0;
    double dns_fails = 0;  ///< SERVFAIL.
    double dns_lies = 0;   ///< NXDOMAIN or no data where there is some; see names.h.
    Duration dns_slow{};
    Duration dns_change_every{};  ///< Mean; 0: never. A peer moves to another address.
    Duration dns_outage_every{};  ///< Mean; 0: never. Nothing resolves for hours.
    // Peers: chances that a peer has this trait (see peers/).
    double peer_trait = 0;  ///< Of each trait, for each peer.

    /// Drawn from `seed`.
    static Swarm draw(Dice& dice);
    /// The faults of one kind are none. Unknown kinds change nothing: see kinds().
    void leave_out(const std::string& kind);
    static std::vector<std::string> kinds();
    /// "nodes=2 crash_every=3600s ...": what differs from nothing.
    [[nodiscard]] std::string describe() const;
};

}  // namespace godwit::sim
