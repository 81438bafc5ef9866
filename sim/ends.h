// Where mail for an address must end: over aliases, subaddresses and from node to node, as the
// world made them. What reckoning.h holds the nodes to.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace godwit::sim {

/// Who has which address at a node, as the world made it.
struct Directory {
    std::string hostname;               ///< EHLO name: "mx.node1.test".
    std::vector<std::string> accounts;  ///< The oldest first: it has postmaster's mail.
    std::map<std::string, std::vector<std::string>> aliases;
};

/// Where mail for one address ends.
struct End {
    enum class Kind : std::uint8_t { Mailbox, Abroad, Nobody };
    Kind kind = Kind::Nobody;
    std::string where;   ///< Account, or address.
    std::string detail;  ///< Subaddress: each has a copy of its own.
    std::vector<std::string>
        path;  ///< Addresses it went by, the first as asked, the last `where`'s.
    std::vector<std::string> nodes;  ///< Mail domains that take it, in order.
};

/// After the last "@"; "" without one.
std::string domain_of(const std::string& address);

/// The ends of mail that `node` takes for `address`; `nodes` by mail domain. Pure.
std::vector<End> ends_of(const std::map<std::string, Directory>& nodes, const std::string& node,
                         const std::string& address);

}  // namespace godwit::sim
