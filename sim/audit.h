// The end of a world: what the nodes hold is read out of their stores and compared with the ledger.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::sim {

class World;

/// What a delivery status notification says. RFC 3464.
struct Report {
    struct Part {
        std::string action;
        std::string recipient;  ///< Final-Recipient.
    };
    std::string message_id;  ///< Its own.
    std::string about;       ///< Token of the letter it returns; "" when there is none.
    std::vector<Part> parts;
};
/// nullopt: `text` is no report.
std::optional<Report> read_report(std::string_view text);

/// One message in a mailbox of a node.
struct Held {
    std::string node;     ///< Mail domain.
    std::string account;  ///< "ann@node1.test"
    std::string mailbox;
    std::string token;  ///< Of the letter; "" when it has none, or is a report.
    std::string hash;   ///< message_hash() of it.
    std::optional<Report> report{};
    std::vector<std::string> hops{};  ///< hops_of() it.
};

/// All messages of all mailboxes of the nodes' stores. What cannot be read is a finding.
std::vector<Held> read_mailboxes(World& world);

/// Compares everything; findings go to the world's ledger. The nodes are up and calm.
/// I1-I5, I7-I11, I14, fsck for I15-I22, L1, L2.
void audit(World& world);

}  // namespace godwit::sim
