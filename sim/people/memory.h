// All that a person was told of its mailboxes, and what it asked without hearing an answer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/people/person.h"

namespace godwit::sim {

/// "\\Seen", "$Forwarded" ...; without \Recent, which is a session's.
using Flags = std::set<std::string>;
/// "(\\Seen $Forwarded)".
std::string to_string(const Flags& flags);

struct RememberedMessage {
    std::string hash;   ///< message_hash() of all of it; "" when it was not read yet.
    std::string token;  ///< "" for a report, or when it was not read yet.
    bool is_report = false;
    /// What it may have: one set when that is known, more after a change without an answer.
    std::vector<Flags> flags{};

    [[nodiscard]] bool is_read() const { return !hash.empty(); }
    /// Its owner may take it out of INBOX: the ledger can tell which letter it was.
    [[nodiscard]] bool may_be_removed() const { return !token.empty() && !is_report; }
    [[nodiscard]] bool has(const std::string& flag) const {
        return !flags.empty() && flags.front().contains(flag);
    }
};

struct RememberedMailbox {
    std::uint32_t uid_validity = 0;  ///< 0: never told.
    std::uint32_t uid_next = 1;      ///< The highest ever told or implied.
    std::map<std::uint32_t, RememberedMessage> messages;
    std::set<std::uint32_t> gone;  ///< UIDs that were removed for sure.
};

/// A command whose answer was not heard. At most one at a time: its outcome is found out before
/// anything else is asked.
struct Unanswered {
    enum class Kind : std::uint8_t { Append, Copy, Move, Expunge, Create, Delete, Rename };
    Kind kind = Kind::Append;
    std::string source;
    std::string target;
    std::vector<std::uint32_t> uids;          ///< In the source.
    std::vector<RememberedMessage> messages;  ///< What would come to the target, in order.
    // What was seen of it since.
    std::optional<bool> has_left_source{};
    std::optional<bool> has_reached_target{};
};

struct Person::Memory {
    // IMAP.
    std::map<std::string, RememberedMailbox> mailboxes;
    std::map<std::string, std::uint32_t> retired;  ///< UIDVALIDITY of deleted mailboxes, by name.
    std::optional<Unanswered> unanswered;
    std::optional<MonoTime> unsettled;  ///< Something that was asked then may yet take effect.
    bool knows_mailboxes = false;       ///< LIST was read once.
    std::optional<std::set<std::string>> subscribed{};  ///< As LSUB said, and changed since.
    std::string maybe_subscribed;  ///< Of this name it is not known: an answer was not heard.
    // POP3: by unique id.
    std::map<std::string, RememberedMessage> maildrop;
    std::set<std::string> dropped;        ///< Unique ids removed for sure.
    std::set<std::string> maybe_dropped;  ///< QUIT was not answered.
    // What is left to be done.
    bool is_pop3 = false;
    bool gives_orders = false;
    bool has_written = false;   ///< The writer has stopped.
    bool has_compared = false;  ///< The last comparison is done and agreed.
    bool has_released = false;  ///< All that was held is released.
    std::string doing;
};

}  // namespace godwit::sim
