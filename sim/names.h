// The domain name system of the world: who is where, and how that goes wrong.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "net/resolver/scripted_resolver.h"
#include "sim/dice.h"

namespace godwit::sim {

class World;

class Names {
public:
    explicit Names(World* world);
    ~Names();
    Names(const Names&) = delete;
    Names& operator=(const Names&) = delete;

    /// A resolver for one node, with its own faults: timeouts, SERVFAIL, slow answers, outages,
    /// names that are gone for a while where the swarm's dns_lies says so. Lies are only such that
    /// mail may rightly be refused for them (NXDOMAIN, null MX); the ledger knows refused mail by
    /// its report.
    [[nodiscard]] net::Resolver& for_node(unsigned node);
    /// Lines as in net/resolver/scripted_resolver.h; replaces what is known of the domain.
    void set(const std::string& domain, const std::vector<std::string>& lines);
    [[nodiscard]] bool has_outage() const { return has_outage_; }
    /// Outages and moves of peers begin and end here.
    void start();

    class View;

private:
    World* world_;
    Dice dice_;
    net::ScriptedResolver truth_;
    std::map<unsigned, std::unique_ptr<View>> views_;
    bool has_outage_ = false;
};

}  // namespace godwit::sim
