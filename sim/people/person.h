// Somebody who uses a node: owns one account of it, submits mail, and reads it by IMAP or POP3 with
// a memory of all that was ever told. The first of a node runs it, too.
#pragma once

#include <memory>
#include <string>

#include "net/io/network.h"
#include "sim/dice.h"
#include "sim/node.h"

namespace godwit::sim {

class World;

/// How a program reaches a door.
enum class Reach : std::uint8_t {
    Clear,     ///< From the node's own machine: passwords go in the clear.
    StartTls,  ///< From elsewhere, TLS begun by a command.
    Tls,       ///< From elsewhere, TLS from the first octet.
};

class Person {
public:
    Person(World* world, Node* node, NodeAccount account);
    ~Person();
    Person(const Person&) = delete;
    Person& operator=(const Person&) = delete;

    [[nodiscard]] World& world() const { return *world_; }
    [[nodiscard]] const NodeAccount& account() const { return account_; }
    [[nodiscard]] Node& node() const { return *node_; }
    /// Begins to live: a few tasks on the outside shard.
    void start();
    /// Once World::is_ending(): nothing is under way any more and its memory agrees with the
    /// server.
    [[nodiscard]] bool has_converged() const;
    /// What it is about, in words: for those who wait in vain.
    [[nodiscard]] std::string state() const;

    // For its tasks, which live as long as the world.

    struct Memory;  ///< See memory.h.
    [[nodiscard]] Memory& memory() { return *memory_; }
    /// A stream to a door of its node, TLS done when the reach says Tls.
    net::Task<Result<std::unique_ptr<net::Stream>>> connect(flow::Protocol door, Reach reach);
    [[nodiscard]] Reach choose_reach(Dice& dice) const;
    void note(const std::string& what);
    /// A promise to this account was not kept.
    void broken(const std::string& invariant, const std::string& what);
    /// How long after a command without an answer it may still take effect: what is on its way when
    /// a connection breaks may arrive late. Not at all once its node has crashed.
    net::Task<void> let_settle(MonoTime since);

private:
    World* world_;
    Node* node_;
    NodeAccount account_;
    net::IpAddress address_;  ///< Of its own machine.
    std::unique_ptr<Memory> memory_;
};

}  // namespace godwit::sim
