// What the server engine asks of, or tells, its caller. Each event says which answer it waits for.
// While an answer is due the engine takes no input and gives no further event.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "wire/sasl/server_exchange.h"
#include "wire/smtp/command.h"
#include "wire/smtp/envelope.h"

namespace godwit::smtp::event {

/// HELO, EHLO or LHLO was accepted. No answer.
struct Hello {
    Verb verb = Verb::Ehlo;
    std::string name;
};
/// May this sender start a transaction? Answer: answer(Reply).
struct MailFrom {
    std::optional<mail::Address> sender;
    MailParameters parameters;
};
/// May this recipient be added? Answer: answer(Reply). Order on the wire is order of answers.
struct RcptTo {
    Recipient recipient;
};
/// Content is about to come for engine.transaction(). Answer: answer(Reply); 354 to go on (for
/// chunks the code is not sent, only heeded), 4xx or 5xx to refuse and end the transaction.
struct DataStart {
    bool is_chunked = false;
};
/// BURL: the octets that a URL names belong to the content, which has begun. Answer: take_fetched()
/// for each piece of them, then end_fetched(); or answer(Reply) with 4xx or 5xx, which ends the
/// transaction. Commit nothing.
struct FetchUrl {
    std::string url;
    std::uint64_t size_max = 0;  ///< What the message may still grow by.
};
/// Some content, canonical and unstuffed. No answer. At most about what one feed() brought.
struct BodyBytes {
    std::string bytes;
};
/// The content is whole and sound, and the transaction is yours now. Answer: answer(Reply), or
/// where each is answered (LMTP; PRDR with several recipients) answer_each() with one reply per
/// recipient, in order. Commit first, then answer.
struct EndOfMail {
    Transaction transaction;
    bool is_each_answered = false;
    std::uint64_t size = 0;
    bool was_repaired = false;  ///< Bare LFs became CRLFs.
};
/// The transaction that was accepted at MAIL is over without EndOfMail (RSET, EHLO, a refused or
/// broken body, a lost connection): forget sender, recipients and any bytes. No answer.
struct TransactionDropped {
    bool had_body = false;  ///< BodyBytes may have come.
};
/// Flush take_output(), do the handshake, then call tls_started() or close.
struct StartTls {};
/// Verify, off the event loop. Answer: answer_auth(Verdict).
struct AuthPassword {
    sasl::Mechanism mechanism = sasl::Mechanism::Plain;
    std::string authzid;  ///< Empty: same as authcid.
    std::string authcid;
    std::string password;
};
/// Answer: answer_scram(keys), or nullopt for an unknown name; answer_scram_unavailable() when the
/// look-up failed.
struct AuthScramLookup {
    std::string authzid;
    std::string authcid;
    sasl::ScramHash hash = sasl::ScramHash::Sha256;
};
/// May the TLS client certificate act as authzid (empty: whoever it names)?
/// Answer: answer_auth().
struct AuthCertificate {
    std::string authzid;
};
/// Whose is this access token, and may it act as authzid (empty: whoever it names)? Answer:
/// answer_auth().
struct AuthToken {
    std::string authzid;
    std::string token;
};
/// SCRAM proved the password. May the account log in and act as authzid? Answer: answer_auth().
struct AuthProved {
    std::string authzid;
    std::string authcid;
};
/// An attempt failed for good. No answer; for rate limits and logs. Also sent after Denied.
struct AuthFailed {
    std::string authcid;  ///< Empty when it never became known.
    sasl::Failure failure = sasl::Failure::Credentials;
    std::string reason;
};
/// VRFY or EXPN of somebody who may ask. Answer: answer(Reply).
struct Question {
    std::string text;         ///< An address or a name, as it came; not empty.
    bool is_of_list = false;  ///< EXPN.
    bool takes_utf8 = false;  ///< The reply may have UTF-8 (RFC 6531 3.7.4.2).
};
/// XCLIENT: from here on the client is somebody else. Answer: answer_stand_in(), or answer(Reply)
/// to refuse; a 421 ends the connection.
struct StandIn {
    ClientFacts facts;
};
/// XFORWARD, for logs and traces of the next transaction, until it ends. No answer.
struct Forwarded {
    ClientFacts facts;
};
/// ETRN: mail that waits for this node shall be sent. Answer: answer(Reply).
struct Etrn {
    char option = 0;  ///< As in EtrnCommand.
    std::string node;
};
/// ATRN of somebody who has logged in. Answer: answer(Reply). After a 250 the engine is done: once
/// take_output() is written the peer greets, and whoever answered is its client.
struct Turn {
    std::vector<std::string> domains;  ///< Empty: all of theirs.
};
/// Why the engine ends the connection.
enum class CloseReason : std::uint8_t {
    Quit,
    Shutdown,
    Timeout,
    Refused,        ///< refuse() was called.
    TooManyErrors,  ///< Errors, junk commands, failed logins or transactions past their limit.
    Protocol,       ///< Out of step, over-long line, bytes behind STARTTLS, TLS or HTTP in clear.
    Disconnected,   ///< The peer went away.
    Turned,         ///< ATRN: it goes on the other way round.
};
/// Flush take_output(), then close. The last event.
struct Close {
    CloseReason reason = CloseReason::Quit;
    std::string detail;  ///< For logs.
};

using Event = std::variant<Hello, MailFrom, RcptTo, DataStart, FetchUrl, BodyBytes, EndOfMail,
                           TransactionDropped, StartTls, AuthPassword, AuthScramLookup,
                           AuthCertificate, AuthToken, AuthProved, AuthFailed, Question, StandIn,
                           Forwarded, Etrn, Turn, Close>;

}  // namespace godwit::smtp::event
