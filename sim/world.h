// One world: nodes of ours, remote mail systems, people, names, a network and disks, all in one
// thread and in virtual time, decided by one seed.
// Law: RELIABILITY.md 4. Two modes: first things go wrong (safety), then the faults stop and
// everything must drain and agree (liveness).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/io/test_loop.h"
#include "net/tls/context.h"
#include "sim/dice.h"
#include "sim/ledger.h"
#include "sim/swarm.h"
#include "sim/trace.h"

namespace godwit {
class Place;
}

namespace godwit::sim {

class Internet;
class Names;
class Node;
class Person;
class Peer;

struct WorldOptions {
    std::uint64_t seed = 1;
    Duration faults_for = std::chrono::days(3);  ///< Safety mode, virtual time.
    bool is_shown = false;                       ///< Print the trace.
    /// Faults to leave out, by name of a Swarm member ("crash", "disk", "network", "dns", "peers",
    /// "clock"): to find what a failure needs.
    std::vector<std::string> without;
};

/// What one life of a world came to.
struct Verdict {
    std::vector<std::string> findings;  ///< Empty: nothing is wrong.
    std::string hash;                   ///< Of the trace.
    std::uint64_t events = 0;
    Duration lived{};                             ///< Virtual time.
    std::map<std::string, std::uint64_t> counts;  ///< "crashes", "messages accepted", ...
    std::map<std::string, std::uint64_t> places;  ///< Probes and crash points passed.
    std::vector<std::string> tail;                ///< The last lines of the trace.
};

class World {
public:
    explicit World(WorldOptions options);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    /// From the first day to the audit. Once.
    Verdict live();

    [[nodiscard]] const Swarm& swarm() const { return swarm_; }
    /// New dice for a part of the world: the same for the same seed and name.
    [[nodiscard]] Dice dice(std::string_view name) const;
    [[nodiscard]] net::TestLoop& loop() { return *loop_; }
    /// Where peers and people live.
    [[nodiscard]] net::Shard& outside();
    [[nodiscard]] MonoTime now();
    /// True time (nodes have clocks of their own, which may be wrong).
    [[nodiscard]] WallTime wall();
    [[nodiscard]] Trace& trace() { return trace_; }
    [[nodiscard]] Ledger& ledger() { return ledger_; }
    [[nodiscard]] Internet& internet() { return *internet_; }
    [[nodiscard]] Names& names() { return *names_; }
    [[nodiscard]] const std::vector<std::unique_ptr<Node>>& nodes() const { return nodes_; }
    [[nodiscard]] const std::vector<std::unique_ptr<Peer>>& peers() const { return peers_; }
    [[nodiscard]] const std::vector<std::unique_ptr<Person>>& people() const { return people_; }
    [[nodiscard]] net::TlsClientContext* tls_client() const { return tls_client_.get(); }
    [[nodiscard]] const net::TlsServerContext* tls_server() const { return tls_server_.get(); }
    [[nodiscard]] const net::TlsCertificates& certificates() const { return certificates_; }

    /// Faults have stopped: peers are good (but for those that always refuse), nothing breaks.
    [[nodiscard]] bool is_calm() const { return is_calm_; }
    /// No new letters are written; people finish what they began and look whether all is there.
    [[nodiscard]] bool is_ending() const { return is_ending_; }
    void count(const std::string& what, std::uint64_t by = 1) { counts_[what] += by; }

    /// While it lives, what is passed and what fails is this node's, though no shard of it runs.
    class Acting {
    public:
        Acting(World* world, Node* node) : world_(world), before_(world->acting_) {
            world->acting_ = node;
        }
        ~Acting() { world_->acting_ = before_; }
        Acting(const Acting&) = delete;
        Acting& operator=(const Acting&) = delete;

    private:
        World* world_;
        Node* before_;
    };

    /// Something that shall be done outside of all tasks, as soon as the loop is between two works:
    /// how a crash is carried out.
    void afterwards(net::Work work) { afterwards_.push_back(std::move(work)); }

private:
    void build();
    void run_for(Duration time);
    void settle();
    void inspect();
    void become_calm();
    [[nodiscard]] bool is_drained();
    void drain();
    static void pass(const Place& place);
    [[nodiscard]] Node* acting() const;

    WorldOptions options_;
    Swarm swarm_;
    std::unique_ptr<net::TestLoop> loop_;
    Trace trace_;
    Ledger ledger_;
    std::unique_ptr<Internet> internet_;
    std::unique_ptr<Names> names_;
    net::TlsCertificates certificates_;
    std::unique_ptr<net::TlsClientContext> tls_client_;
    std::unique_ptr<net::TlsServerContext> tls_server_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::vector<std::unique_ptr<Peer>> peers_;
    std::vector<std::unique_ptr<Person>> people_;
    std::vector<net::Work> afterwards_;
    Node* acting_ = nullptr;
    bool is_calm_ = false;
    bool is_ending_ = false;
    std::map<std::string, std::uint64_t> counts_;
    std::map<std::string, std::uint64_t> places_;
};

}  // namespace godwit::sim
