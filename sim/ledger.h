// What was told to whom: the world's own book. Peers and people write what they saw; reckon()
// (reckoning.h) holds the nodes to it.
// Law: RELIABILITY.md 1 (P1-P5), 7 (I1-I8, I11, I14). Not one line of it asks a node for its
// opinion: what a node holds is looked up in its store at the end (see audit.h).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace godwit::sim {

class World;

/// After a taking a node has this long to remember it; a crash within may bring the letter again.
inline constexpr Duration kMemoryTime = std::chrono::seconds(60);

/// A message, told apart from all others by its token ("t000123"), which stands in its Message-ID
/// (<token@sim.test>) and as the first word of its Subject.
struct Letter {
    std::string token;
    std::string sender;  ///< Reverse-path; "" is the null one.
    std::string text;    ///< Whole, CRLF lines, as handed over.
};

/// What the envelope asked for one recipient.
struct Asked {
    std::string recipient;
    /// One must come: it was not forbidden, and it can reach the sender.
    bool wants_failure_report = true;
    /// None may come: NOTIFY without FAILURE, or the null sender.
    bool forbids_failure_report = false;
};

/// How a hand-over by a client ended.
enum class Told : std::uint8_t {
    Accepted,  ///< The final 250 was read.
    Refused,   ///< A final 4xx or 5xx was read, or the end of data was not sent: must not be
               ///< delivered by it. (A node that ends right after its 451 did not know itself.)
    Unknown,   ///< The end was not heard: may or may not have been accepted (W2).
};

/// One hand-over of a letter to a node. Recipients that lead to one mailbox share a copy of it.
struct HandOver {
    std::string node;  ///< Its mail domain: "node1.test".
    std::vector<Asked> recipients;
    Told told = Told::Unknown;
    MonoTime at{};
};

/// How a peer's taking ended.
struct Taken {
    std::string peer;
    std::string recipient;
    std::string node;         ///< Who brought it (EHLO name).
    std::string body_sha256;  ///< message_hash() of what came.
    MonoTime at{};
    /// False: the peer took it, but its 250 was never sent or may have been lost. True as soon as
    /// the next command came on the same connection.
    bool was_reply_read = false;
    std::string token{};              ///< Set by taken_abroad().
    std::vector<std::string> hops{};  ///< hops_of() it.
};

/// One recipient's part of a report that reached a mailbox.
struct Reported {
    std::string recipient;  ///< Final-Recipient, lower case.
    std::string action;     ///< "failed", "delayed", "relayed" ...
    std::string reader;     ///< Whose mailbox.
    std::string report;     ///< Message-ID of the report; "" when not known.
};

class Ledger {
public:
    /// `world` may be null: nothing is noted in a trace then.
    explicit Ledger(World* world) : world_(world) {}

    /// "t000001", "t000002", ... unique in the world.
    [[nodiscard]] std::string new_token();
    /// Once, before the letter is handed over the first time.
    void wrote(Letter letter);
    /// One hand-over to a node by SMTP, submission or LMTP: what it was told for these recipients.
    /// A letter may be handed over again after Unknown. `node` is its mail domain.
    void handed_over(const std::string& token, const std::string& node,
                     const std::vector<Asked>& recipients, Told told);
    /// APPENDed over IMAP to a mailbox of `account`.
    void appended(const std::string& token, const std::string& account, Told told);
    /// The owner of `account` is sure to have taken a message out of its INBOX.
    void removed(const std::string& token, const std::string& account);
    /// A peer has the message in its mailbox; gives a number for reply_was_read().
    std::size_t taken_abroad(const std::string& token, Taken taken);
    void reply_was_read(std::size_t taking);
    /// A report arrived at `reader` (an account or a peer's mailbox) about a recipient of a letter
    /// of ours. As parsed from message/delivery-status. `report` is its own Message-ID: one that
    /// arrives twice is a copy, not a second report.
    void reported(const std::string& token, const std::string& recipient, const std::string& reader,
                  const std::string& action, const std::string& report = "");
    /// An operator is about to take the letter, or a report about it, out of a queue.
    void deleted(const std::string& token);
    /// A node ended without order. `hostname` is its EHLO name.
    void crashed(const std::string& hostname, MonoTime at);

    /// Something is wrong now: kept, and shown at the end with the trace before it.
    void broken(const std::string& invariant, const std::string& what);
    [[nodiscard]] const std::vector<std::string>& findings() const { return findings_; }

    /// At the end: what the book says against itself (letters nobody wrote, and so on). The rest
    /// is reckon()'s, see audit.h.
    void check();

    struct Row {
        Letter letter;
        std::vector<HandOver> hand_overs;
        std::vector<std::size_t> takings;  ///< Indices into takings().
        std::vector<Reported> reports;
        std::map<std::string, Told> appends;       ///< By account.
        std::map<std::string, unsigned> removals;  ///< By account: copies taken out of INBOX.
        bool is_deleted = false;  ///< By an operator, from a queue on its way: it may be missing.
    };
    [[nodiscard]] const std::map<std::string, Row>& letters() const { return letters_; }
    [[nodiscard]] const std::vector<Taken>& takings() const { return takings_; }
    [[nodiscard]] const Row* find(const std::string& token) const;
    /// Did the node crash in [from, until]?
    [[nodiscard]] bool has_crashed(const std::string& hostname, MonoTime from,
                                   MonoTime until) const;

private:
    World* world_;
    std::uint64_t next_token_ = 1;
    std::map<std::string, Row> letters_;
    std::vector<Taken> takings_;
    std::vector<std::pair<std::string, MonoTime>> crashes_;
    std::vector<std::string> findings_;
};

/// The token in a Message-ID <token@sim.test> or a Subject that begins with one, anywhere in the
/// text: of a letter, or of one returned inside a report. Empty: none.
std::string find_token(std::string_view text);
/// A message without the trace lines that hops put on top (Received, Return-Path, Delivered-To).
std::string_view without_trace(std::string_view text);
/// Hash of that: what must be the same for sender and reader (I9).
std::string message_hash(std::string_view text);
/// Who put the Received lines on top of a message, the last one first: the names after "by", lower
/// case; "" for a line without one (I10).
std::vector<std::string> hops_of(std::string_view text);
/// An address as it is compared: ASCII lower case.
std::string address_key(std::string_view address);

}  // namespace godwit::sim
