// What was told to whom: the world's own book. Peers and clients write what they saw; check()
// holds the nodes to it.
// Law: RELIABILITY.md 1 (P1-P5), 7 (I1-I8, I11, I14). Not one line of it asks a node for its
// opinion: what a node holds is looked up in its store at the end (see audit.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"

namespace godwit::sim {

class World;

/// A message, told apart from all others by its token ("t000123x..."), which stands in its
/// Message-ID (<token@sim.test>) and as the first word of its Subject.
struct Letter {
    std::string token;
    std::string sender;  ///< Reverse-path; "" is the null one.
    std::string text;    ///< Whole, CRLF lines, as handed over.
};

/// What the envelope asked for one recipient.
struct Asked {
    std::string recipient;
    bool wants_failure_report = true;  ///< NOTIFY is not NEVER and the sender is not null.
};

/// How a hand-over by a client ended.
enum class Told : std::uint8_t {
    Accepted,  ///< The final 250 was read.
    Refused,   ///< A final 4xx or 5xx was read: must not be delivered by it.
    Unknown,   ///< The end was not heard: may or may not have been accepted (W2).
};

/// How a peer's taking ended.
struct Taken {
    std::string peer;
    std::string recipient;
    std::string node;         ///< Who brought it (EHLO name).
    std::string body_sha256;  ///< Of the message below its trace lines (see message_hash()).
    MonoTime at{};
    /// False: the peer took it, but its 250 was never sent or may have been lost. True as soon as
    /// the next command came on the same connection.
    bool was_reply_read = false;
};

class Ledger {
public:
    explicit Ledger(World* world) : world_(world) {}

    /// "t000001", "t000002", ... unique in the world.
    [[nodiscard]] std::string new_token();
    /// Once, before the letter is handed over the first time.
    void wrote(Letter letter);
    /// One hand-over to a node by SMTP, submission or LMTP: what it was told for these recipients.
    /// A letter may be handed over again after Unknown.
    void handed_over(const std::string& token, const std::string& node,
                     const std::vector<Asked>& recipients, Told told);
    /// APPENDed over IMAP. `mailbox` for people.
    void appended(const std::string& token, const std::string& account, Told told);
    /// A peer has the message in its mailbox; gives a number for reply_was_read().
    std::size_t taken_abroad(const std::string& token, Taken taken);
    void reply_was_read(std::size_t taking);
    /// A report of failure arrived at `reader` (an account or a peer's mailbox) about a recipient
    /// of a letter of ours. As parsed from message/delivery-status.
    void reported(const std::string& token, const std::string& recipient, const std::string& reader,
                  const std::string& action);
    /// A node ended without order.
    void crashed(const std::string& node, MonoTime at);

    /// Something is wrong now: kept, and shown at the end with the trace before it.
    void broken(const std::string& invariant, const std::string& what);
    [[nodiscard]] const std::vector<std::string>& findings() const { return findings_; }

    /// At the end, when all is calm and drained: every letter against what peers, mailboxes and
    /// reports say. See audit.h for what it compares with.
    void check();

    struct Recipient {
        bool is_accepted = false;
        bool wants_failure_report = false;
        unsigned accepted = 0;  ///< Times a 250 was heard.
        unsigned unknown = 0;   ///< Times no end was heard.
        std::vector<std::size_t> takings;
        std::map<std::string, unsigned> reports;  ///< By action: "failed", "delayed" ...
        std::string node;                         ///< That accepted it.
    };
    struct Row {
        Letter letter;
        std::map<std::string, Recipient> recipients;
    };
    [[nodiscard]] const std::map<std::string, Row>& letters() const { return letters_; }
    [[nodiscard]] const std::vector<Taken>& takings() const { return takings_; }
    [[nodiscard]] const Row* find(const std::string& token) const;

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
/// Hash of a message without the trace lines that hops put on top (Received, Return-Path,
/// Delivered-To): what must be the same for sender and reader (I9).
std::string message_hash(std::string_view text);

}  // namespace godwit::sim
