// Somebody abroad who writes to the nodes, and keeps the ledger of what the nodes said to it.
#pragma once

#include <string>
#include <vector>

#include "net/io/endpoint.h"
#include "sim/dice.h"
#include "sim/peers/transmission.h"

namespace godwit::sim {

class World;
class Node;

struct SenderOptions {
    std::string name;    ///< In the trace, and of its dice: "peer1.sender0".
    std::string domain;  ///< "peer1.test"
    std::vector<std::string> users;
    net::IpAddress address;
};

class Sender {
public:
    Sender(World* world, SenderOptions options);
    /// Writes until the world ends.
    net::Task<void> live();
    /// In the middle of a letter.
    [[nodiscard]] bool is_busy() const { return is_busy_; }

private:
    struct Draft {
        Handing handing;
        unsigned tries = 0;
        bool is_written = false;  ///< The ledger knows it.
        bool is_done = false;
    };
    Draft draft(Node* node);
    std::vector<std::string> choose_recipients(Node* node);
    net::Task<void> deliver(Node* node, std::vector<Draft>* drafts);
    void record(const Node& node, Draft* draft, const Handed& handed);

    World* world_;
    SenderOptions options_;
    Dice dice_;
    bool is_busy_ = false;
};

}  // namespace godwit::sim
