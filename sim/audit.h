// The end of a world: what the nodes hold is read out of their stores and compared with the ledger.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace godwit::sim {

class World;

/// One message in a mailbox of a node.
struct Held {
    std::string node;
    std::string account;  ///< "ann@node1.test"
    std::string mailbox;
    std::string token;  ///< Of the letter; "" when it has none (a report has its own below).
    std::string hash;   ///< message_hash() of it.
    /// When it is a report: action and recipient of each of its per-recipient parts, and the token
    /// of the letter that it returns.
    struct Part {
        std::string action;
        std::string recipient;
    };
    std::vector<Part> report;
    std::string about;
};

/// All messages of all mailboxes of the node's store.
std::vector<Held> read_mailboxes(World& world);

/// Compares everything; findings go to the world's ledger. The nodes are up and calm.
/// I1 I2 I3 I4 I5 I7 I8 I9 I11 I14, fsck for I15-I22, L1-L5.
void audit(World& world);

}  // namespace godwit::sim
