// The domain name system of the world: who is where, and how that goes wrong.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

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

    /// A resolver for one node, with its own faults: timeouts, SERVFAIL, slow answers, outages, and
    /// names of peers that are wrong for a while where the swarm's dns_lies says so. Lies are only
    /// such that mail may rightly be put off or refused for them (NXDOMAIN, null MX, loops of
    /// CNAME, hosts without an address); the ledger knows refused mail by its report.
    [[nodiscard]] net::Resolver& for_node(unsigned node);
    /// Lines as in net/resolver/scripted_resolver.h; replaces what is known of the domain.
    void set(const std::string& domain, const std::vector<std::string>& lines);
    [[nodiscard]] bool has_outage() const { return has_outage_; }
    /// Outages and moves of peers begin and end here.
    void start();

    class View;

private:
    net::Task<void> have_outages();
    net::Task<void> move_peers();

    World* world_;
    Dice dice_;
    Dice moves_;
    net::ScriptedResolver truth_;
    std::map<std::string, std::vector<std::string>> names_of_;  // By domain: what it has set.
    std::map<unsigned, std::unique_ptr<View>> views_;
    bool has_outage_ = false;
};

}  // namespace godwit::sim
