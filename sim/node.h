// One machine with Godwit on it: its disk survives its crashes, its house does not.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "app/household.h"
#include "net/io/test_loop.h"
#include "sim/dice.h"
#include "sim/internet.h"
#include "store/store.h"

namespace godwit::serve {
struct AdminHost;
struct AdminVisit;
}  // namespace godwit::serve

namespace godwit::sim {

class World;
class Disk;
class NodeClock;
class ScheduleWatch;
class SlowPool;

/// A mailbox owner of a node. The password is the local part.
struct NodeAccount {
    std::string name;  ///< "ann@node1.test"
    std::string password;
};

class Node {
public:
    /// `number` from 1; shards [first_shard, first_shard + count) of the loop are its own.
    Node(World* world, unsigned number, unsigned first_shard, unsigned count);
    ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    [[nodiscard]] unsigned number() const { return number_; }
    /// "node1.test": its mail domain; its MX is mx.node1.test at address().
    [[nodiscard]] const std::string& domain() const { return domain_; }
    [[nodiscard]] const std::string& hostname() const { return hostname_; }
    [[nodiscard]] net::IpAddress address() const { return address_; }
    [[nodiscard]] net::Endpoint door(flow::Protocol protocol) const;
    [[nodiscard]] const std::vector<NodeAccount>& accounts() const { return accounts_; }
    /// Alias -> targets; targets may be abroad.
    [[nodiscard]] const std::map<std::string, std::vector<std::string>>& aliases() const {
        return aliases_;
    }

    /// Makes domain, accounts and aliases on a new disk.
    void found();
    /// Opens the store and the doors. A start that crashes or fails is tried again later by itself.
    void start();
    /// At once, wherever its tasks stand. Power: what was not synced may be lost.
    enum class Crash : std::uint8_t { Kill, Power };
    void crash(Crash how);
    /// As SIGTERM does, and a start a while later.
    net::Task<void> stop_in_order();
    [[nodiscard]] bool is_up() const { return household_ != nullptr && !is_frozen_; }
    /// From a crash point, or from the disk in the middle of a commit: nothing that happens from
    /// here on leaves the node or reaches its disk; the crash itself follows when the loop is
    /// between two works.
    void freeze(const std::string& why);
    [[nodiscard]] bool is_frozen() const { return is_frozen_; }
    /// Runs the commit thread's work that is due; called when nothing else moves. Internal to
    /// World.
    bool commit_if_due();
    [[nodiscard]] bool owns(const net::Shard* shard) const;

    /// Only while is_up() or after the audit opened it.
    [[nodiscard]] store::Store& store() { return *store_; }
    [[nodiscard]] app::Household& household() { return *household_; }
    [[nodiscard]] Dice& dice() { return dice_; }
    /// As its own clock has it.
    [[nodiscard]] WallTime wall() const;
    /// `godwit queue VERB --all` and the like; the answer as JSON. Empty when the node is down, or
    /// goes down before it has answered. What one order begins another goes on with, as on one
    /// connection of an operator.
    std::string order(const std::string& request);
    /// What is committed now may be an operator's doing.
    [[nodiscard]] bool is_ordering() const { return is_ordering_; }
    /// Tokens of the letters in its queue, and of those that reports in it are about.
    std::vector<std::string> queued_letters();
    /// Reads the newest backup in kBackupFolder whole; what is wrong, in words. Nothing when there
    /// is no backup.
    std::vector<std::string> verify_backup();
    static constexpr const char* kBackupFolder = "/backup";
    /// fsck over its store; what is wrong, in words.
    std::vector<std::string> inspect();
    /// Of the tasks on its shards.
    [[nodiscard]] std::vector<std::string> task_names() const;
    /// Crashes, stops, clock jumps, full disks by chance, from now on.
    void begin_misfortunes();
    void become_calm();

private:
    net::Task<void> crash_by_chance();
    net::Task<void> stop_by_chance();
    net::Task<void> jump_by_chance();
    net::Task<void> fill_by_chance();
    Result<> open_store();
    Result<> open_house();
    void plan_commit();
    void start_later(Duration after);
    void tear_down();
    [[nodiscard]] serve::AdminHost admin_host();
    [[nodiscard]] Clock* clock() const;
    /// At once: for the founding and for operators, who wait for nothing.
    store::CommitResult commit_now(store::Plan plan);
    [[nodiscard]] flow::Settings make_settings() const;
    void fail(const Error& error);

    World* world_;
    unsigned number_;
    Dice dice_;
    std::vector<net::Shard*> shards_;
    unsigned first_shard_;
    std::string domain_;
    std::string hostname_;
    net::IpAddress address_;
    std::vector<NodeAccount> accounts_;
    std::map<std::string, std::vector<std::string>> aliases_;
    std::unique_ptr<NodeClock> clock_;
    std::unique_ptr<Disk> disk_;
    std::unique_ptr<SlowPool> pool_;
    std::unique_ptr<ScheduleWatch> schedule_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<app::Household> household_;
    std::unique_ptr<serve::AdminVisit> visit_;  // Its work uses the store.
    net::Timer commit_timer_;
    net::Timer start_timer_;
    net::Timer end_timer_;
    std::set<std::size_t> idle_shards_;
    bool is_frozen_ = false;
    bool is_ordering_ = false;
    std::uint64_t lives_ = 0;
    std::uint64_t boots_ = 1;  // Of the machine; a killed process does not end it.
};

}  // namespace godwit::sim
