// What must have become of every letter, against what did: the ledger on one side, mailboxes,
// peers and reports on the other. Pure: everything is handed in, findings come out.
// Law: RELIABILITY.md 1 (P1-P3), 7 (I1-I5, I7-I10, I14).
//
// A recipient leads to ends: mailboxes, addresses abroad, and addresses that nobody has, over
// aliases and from node to node. For each end of each recipient that was accepted there must be a
// copy or a report, and never more than can be accounted for. Where the world itself cannot know
// (a reply that was lost between two nodes), only losses are held against the nodes.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/audit.h"
#include "sim/ends.h"
#include "sim/ledger.h"

namespace godwit::sim {

struct Evidence {
    std::map<std::string, Directory> nodes;  ///< By mail domain.
    std::vector<Held> held;
    /// Recipients that wait in a queue by order of an operator: letter and address.
    std::set<std::pair<std::string, std::string>> on_hold;
    /// Between nodes a reply may have been lost: mail that went that way may be there twice.
    bool may_relays_repeat = true;
    /// A report on its way from node to node may have failed for good (short lifetimes, names that
    /// lie), or one on its way to a peer (that refuses it, too).
    bool may_reports_be_lost = true;
    bool may_reports_abroad_be_lost = true;
    /// Mail for somebody who is there may fail for good.
    bool may_bounce = true;
    std::set<std::string> users_abroad{};  ///< Addresses that are there.
};

/// Everything that is wrong, as "I4: t000123 ...".
std::vector<std::string> reckon(const Ledger& ledger, const Evidence& evidence);

}  // namespace godwit::sim
