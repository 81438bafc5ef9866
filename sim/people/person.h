// Somebody who uses a node: owns one account of it, submits mail, and reads by IMAP and POP3 with a
// memory of all that was ever told.
#pragma once

#include <memory>
#include <string>

#include "sim/dice.h"
#include "sim/node.h"

namespace godwit::sim {

class Person {
public:
    Person(World* world, Node* node, NodeAccount account);
    ~Person();
    Person(const Person&) = delete;
    Person& operator=(const Person&) = delete;

    [[nodiscard]] const NodeAccount& account() const { return account_; }
    [[nodiscard]] Node& node() const { return *node_; }
    /// Begins to live: a few tasks on the outside shard.
    void start();
    /// Once World::is_ending(): nothing is under way any more and its memory agrees with the
    /// server.
    [[nodiscard]] bool has_converged() const;

    struct Memory;  ///< See memory.h.

private:
    World* world_;
    Node* node_;
    NodeAccount account_;
    std::unique_ptr<Memory> memory_;
};

}  // namespace godwit::sim
