// Holds what a look at the mailboxes shows against what was told before. Pure.
// RELIABILITY.md I15 (UIDs), I16 (UIDVALIDITY), I24 (flags), I25 (atomic MOVE), I26, P4.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sim/people/memory.h"

namespace godwit::sim {

/// What one message turned out to be when it was read whole.
struct ReadMessage {
    std::string hash;
    std::string token;
    bool is_report = false;
};

/// One mailbox as a session was shown it, all at once.
struct Seen {
    std::uint32_t uid_validity = 0;
    std::uint32_t uid_next = 0;
    std::map<std::uint32_t, Flags> messages;
    std::map<std::uint32_t, ReadMessage> read;  ///< At least those that memory has not read.
};

/// What came of a comparison.
struct Comparison {
    std::vector<std::pair<std::string, std::string>> broken;  ///< Invariant, and what is wrong.
    std::vector<std::string> removed;                         ///< Tokens that are out of INBOX now.
};

/// Brings `memory` up to what was seen of the mailbox `name`, which it knows.
Comparison compare_mailbox(Person::Memory& memory, const std::string& name, const Seen& seen);
/// The same for the list of mailboxes.
Comparison compare_names(Person::Memory& memory, const std::set<std::string>& names);
/// After a look at all mailboxes that the unanswered command names: did it happen whole or not at
/// all? It is answered then.
Comparison conclude(Person::Memory& memory);

/// The message is gone from the mailbox for sure.
void forget(Person::Memory& memory, const std::string& name, std::uint32_t uid, Comparison& out);

}  // namespace godwit::sim
