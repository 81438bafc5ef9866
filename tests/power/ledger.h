// What was acknowledged, kept apart from the store and foretold by simple rules: messages with
// their flags and bodies, mailboxes, uids, the queue, ids. After a crash the store must hold just
// this. Law: RELIABILITY.md P1-P4, I14-I26.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "store/store.h"

namespace godwit::power {

struct Letter {
    BlobId blob;
    std::uint8_t flags = 0;
    std::set<std::string> keywords;
    bool operator==(const Letter&) const = default;
};
struct Box {
    MailboxId id;  ///< 0 until it was read once.
    UidValidity validity;
    std::uint32_t uid_next = 1;
    std::uint64_t mod_seq = 0;  ///< The highest one told.
    std::map<std::uint32_t, Letter> letters;
};
struct Person {
    AccountId id;
    std::map<std::string, Box> boxes;
    std::uint64_t mod_seq = 0;
    std::uint32_t last_mailbox = 0;
    std::uint32_t last_validity = 0;
};
struct Queued {
    BlobId blob;
    std::map<std::uint32_t, std::uint32_t> attempts;  ///< By delivery number.
};

struct Ledger {
    std::map<std::string, Person> people;  ///< By login name.
    std::set<std::string> gone;            ///< Names of removed accounts.
    std::map<MailId, Queued> queue;
    std::set<MailId> ids;  ///< Of plans that were acknowledged.
    std::uint32_t last_account = 0;
};

/// Compares a store that was just opened with the ledger and notes numbers that were not known yet
/// (of accounts and mailboxes, mod-sequences). What differs, in words; nullopt when the store could
/// not be read.
std::optional<std::vector<std::string>> compare(store::Store& store, Ledger& ledger);

}  // namespace godwit::power
