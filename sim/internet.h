// The network between all places of the world: bytes take time, connections break, stall, are
// refused or never answered. A place is a node, or "outside" for all peers and people.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "net/io/network.h"
#include "sim/dice.h"

namespace godwit::sim {

class World;

/// 0 is outside; nodes are 1, 2, ...
using PlaceNumber = unsigned;

class Internet {
public:
    explicit Internet(World* world);
    ~Internet();

    /// Who takes the connections to a place, in turn.
    void settle(PlaceNumber place, std::vector<net::Shard*> shards);
    /// The network as seen from one place; connections come from `address` unless they name another
    /// source. Lives as long as the Internet.
    [[nodiscard]] net::Network& from(PlaceNumber place, net::IpAddress address);

    /// What a place wrote from now on goes nowhere, and nobody can connect to it: the moment of a
    /// crash, whose tasks are destroyed a little later.
    void freeze(PlaceNumber place);
    /// Everything of the place that listens or is connected is gone. The other ends see a reset, or
    /// nothing until their patience ends (a power cut).
    enum class End : std::uint8_t { Reset, Silence };
    void cut(PlaceNumber place, End end);
    /// The place may listen and connect again.
    void thaw(PlaceNumber place);
    /// Nobody reaches this address (a dead host): connecting hangs. Existing connections go silent.
    void set_dead(net::IpAddress address, bool is_dead);

    struct State;

private:
    // Two lifetimes: the Internet, and listeners and links that may die after it.
    std::shared_ptr<State> state_;
};

}  // namespace godwit::sim
