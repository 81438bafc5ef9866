// A remote mail system: a domain with users, MX hosts that take mail in their own way, and senders
// that write to our nodes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/io/network.h"
#include "sim/dice.h"

namespace godwit::sim {

class World;

/// How a peer behaves. Drawn for each peer: every trait by Swarm::peer_trait.
struct Traits;

class Peer {
public:
    /// `number` from 1: "peer1.test", MX hosts at 192.0.2.(number * 8 + i).
    Peer(World* world, unsigned number);
    ~Peer();
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    [[nodiscard]] const std::string& domain() const { return domain_; }
    /// "user0@peer1.test" ... that take mail, and one that never exists (always 550).
    [[nodiscard]] const std::vector<std::string>& users() const { return users_; }
    [[nodiscard]] const std::string& nobody() const { return nobody_; }
    /// Every message to this peer fails for good, also in calm times.
    [[nodiscard]] bool refuses_all() const;
    /// Registers its names, opens its doors, begins to live.
    void start();
    /// Faults stop: it takes mail like a good server from here on (unless refuses_all()).
    void become_calm();
    /// To another address: listens there, names follow later. By Names, by chance.
    void move();

private:
    World* world_;
    unsigned number_;
    Dice dice_;
    std::string domain_;
    std::vector<std::string> users_;
    std::string nobody_;
    std::unique_ptr<Traits> traits_;
    std::vector<std::unique_ptr<net::Listener>> doors_;
};

}  // namespace godwit::sim
