// The SMTP and LMTP client as a pure engine: one connection, several transactions. Bytes in, events
// and bytes out. Routing, retries, TLS policy and time are the caller's.
// RFC 5321 3, 4.2, 4.5.4; RFC 2033; RFC 1870 6.2; RFC 2920 3.1; RFC 3030 2; RFC 3207 4; RFC 3461 5;
// RFC 4954; RFC 6531 3.2. SMTP-BEHAVIOUR C, D5, D8, E.
//
// The loop:   while (!engine.is_closed()) {
//                 while (auto event = engine.next_event()) { act; }
//                 write(engine.take_output());  // or on_write_failed()
//                 if (engine.waiting_for() is neither BodyWrite nor Nothing)
//                     read within the time for it -> engine.feed(bytes);
//             }
// NeedBody comes only while less than limits::stream_write_buffer_max waits to be written, so a
// body costs that and one piece of memory, and a small one leaves in one write with its end. With
// BodyWrite never read first: write and ask again.
// Invariants: no bare CR or LF leaves. Only what was offered is used. Replies are matched to
// commands by counting (RFC 2920 3.1). Every recipient gets exactly one Outcome.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "wire/sasl/client_exchange.h"
#include "wire/smtp/data.h"
#include "wire/smtp/envelope.h"
#include "wire/smtp/extension.h"
#include "wire/smtp/reply.h"

namespace godwit::smtp {

enum class TlsUse : std::uint8_t { Never, IfOffered, Required };

struct ClientOptions {
    std::string hello_name = "localhost";  ///< FQDN or address literal (C17).
    bool is_lmtp = false;
    TlsUse tls = TlsUse::IfOffered;
    bool tls_active = false;  ///< Implicit TLS (submissions).
    std::optional<sasl::Credentials> credentials = std::nullopt;
    bool allow_plaintext_auth = false;
    sasl::ChannelBindings bindings = {};  ///< With tls_active.
    std::string auth_nonce = "";          ///< 18 or more random printable characters without ','.
    bool may_pipeline = true;             ///< E14: off after a time-out in a group.
    bool may_chunk = true;
    bool use_helo = false;     ///< C5: the peer hung up on EHLO last time.
    bool is_dot_late = false;  ///< C18: the last dot goes alone, after a Pause.
};

struct OutgoingRecipient {
    mail::Address address;
    RcptParameters parameters;
};
/// One message to be sent. `size` is exact: that many bytes will be supplied.
struct OutgoingMail {
    std::optional<mail::Address> sender;
    std::vector<OutgoingRecipient> recipients;
    std::uint64_t size = 0;
    bool is_eight_bit = false;
    bool needs_smtputf8 = false;
    DsnReturn ret = DsnReturn::Unstated;
    std::optional<std::string> envid;
    bool is_binary = false;  ///< Not made of lines: BINARYMIME and BDAT, or not at all.
    bool require_tls = false;
    std::optional<ByTime> by;  ///< What is left of it now.
    std::optional<int> priority;
    std::string solicit;              ///< SOLICIT= of RFC 3865.
    std::optional<std::string> auth;  ///< AUTH= of somebody we trust; empty for "<>".
    /// Ends before DATA, with RSET: who would be taken has the outcome Delivered at stage Rcpt, and
    /// got nothing. No NeedBody comes, `size` is not said.
    bool is_probe = false;
};

/// Where it went wrong, which decides what is cached and what is tried next (E9, M6).
enum class FaultScope : std::uint8_t {
    None,       ///< Delivered.
    Host,       ///< Connect, greeting, EHLO, TLS, AUTH, time-out, nonsense: another host may do.
    Message,    ///< MAIL, DATA, the final dot.
    Recipient,  ///< RCPT, or an LMTP reply of its own.
};
enum class Stage : std::uint8_t {
    Greeting,
    Hello,
    Tls,
    Auth,
    Mail,
    Rcpt,
    DataStart,
    Body,
    DataEnd,
    Idle,
    Quit
};

enum class OutcomeKind : std::uint8_t { Delivered, Temporary, Permanent };
struct Outcome {
    OutcomeKind kind = OutcomeKind::Temporary;
    FaultScope scope = FaultScope::Host;
    Stage stage = Stage::Mail;
    Reply reply;                ///< The peer's, or one of ours saying what happened (4.4.2, 5.6.7).
    bool is_local = false;      ///< `reply` is ours: the peer never said it.
    bool is_ambiguous = false;  ///< Lost after the final dot: may be delivered twice (E4).
    bool is_for_number = false;  ///< Put off only as too many were named at once (B6).
};

namespace client_event {
/// The session stands: send() or quit(). Comes again after each transaction.
struct Ready {};
/// Flush take_output(), do the handshake, then tls_started() or tls_failed().
struct StartTls {};
/// supply() some bytes of the message; again when they are written, until all are in.
struct NeedBody {};
/// One per transaction, one outcome per recipient in order. When Failed follows, the
/// connection is done; otherwise Ready follows.
struct TransactionDone {
    std::vector<Outcome> outcomes;
    bool too_many_recipients = false;  ///< B6: some were put off only for number; send them next.
};
/// The session cannot go on; QUIT is sent where it makes sense. The last event but Closed.
struct Failed {
    FaultScope scope = FaultScope::Host;
    Stage stage = Stage::Greeting;
    bool is_permanent = false;  ///< The peer said 5xx. C3: still temporary for the message.
    Reply reply;
    bool is_local = false;
    bool is_hang_up = false;  ///< The peer closed the connection, without a word.
};
/// Flush take_output(), wait a while, then resume().
struct Pause {};
/// Flush take_output(), then close.
struct Closed {};
using Event = std::variant<Ready, StartTls, NeedBody, Pause, TransactionDone, Failed, Closed>;
}  // namespace client_event

/// Which limit of limits.h applies now. Nothing: the engine waits for its caller.
enum class WaitingFor : std::uint8_t {
    Nothing,
    Greeting,
    CommandReply,
    DataInitReply,
    BodyWrite,
    DataDoneReply,
    QuitReply
};

class ClientEngine {
public:
    explicit ClientEngine(ClientOptions options);
    void feed(std::string_view bytes);
    std::optional<client_event::Event> next_event();
    std::string take_output();
    /// With what take_output() gives now, the peer may have the whole message: from here on it may
    /// be delivered, whatever is heard.
    [[nodiscard]] bool is_message_complete() const;
    [[nodiscard]] WaitingFor waiting_for() const;
    /// How many replies were heard whole: the time for the next begins with the last.
    [[nodiscard]] std::uint64_t replies() const { return replies_; }
    [[nodiscard]] bool is_closed() const { return state_ == State::Closed; }

    /// After Ready. Refused locally, with TransactionDone, where the peer lacks what it needs:
    /// SMTPUTF8 (5.6.7, D8), its SIZE (5.3.4, B5), REQUIRETLS within TLS (5.7.30), BINARYMIME
    /// (5.6.1) or DELIVERBY (5.3.3). What another host may have is of Host scope, all the same
    /// permanent; the session stays ready. Every send() gets its TransactionDone, even with no
    /// recipients or on a connection that has just gone.
    void send(OutgoingMail mail);
    /// After NeedBody: the next bytes, in order, at least one. Over `size` or short of it at
    /// end_body() is our own fault: the connection is cut, never a false message sent.
    void supply(std::string_view bytes);
    /// All bytes are supplied.
    void end_body();
    /// The body cannot be read: cuts the connection before an end could be seen.
    void abort_body();
    /// After Pause.
    void resume();
    void tls_started(sasl::ChannelBindings bindings);
    /// The handshake failed: Failed{Host, Tls}.
    void tls_failed(std::string why);
    /// After Ready, or in place of it: QUIT, then Closed when answered.
    void quit();
    /// The time for waiting_for() ran out.
    void on_timeout();
    /// The peer closed, or writing failed; what arrived before is still heeded (E7).
    void on_disconnect(std::string why);
    /// What take_output() gave last did not leave whole: a message whose end was in it cannot have
    /// been taken. What the peer said before is still to be read, then on_disconnect().
    void on_write_failed() { is_end_out_ = false; }

    [[nodiscard]] const PeerExtensions& peer() const { return peer_; }
    [[nodiscard]] bool is_tls() const { return tls_active_; }
    [[nodiscard]] bool is_authenticated() const { return is_authenticated_; }
    /// The peer answered HELO only: no extensions at all (C5).
    [[nodiscard]] bool is_plain_smtp() const { return used_helo_; }
    /// Nothing came in answer to a group of commands (E14).
    [[nodiscard]] bool has_hung_in_group() const { return has_hung_in_group_; }
    /// The greeting's text is all stars: a firewall stands between that rewrites it (C18).
    [[nodiscard]] bool is_greeting_masked() const { return is_greeting_masked_; }
    /// True when ContentSender replaced something: worth a line in the log.
    [[nodiscard]] bool is_body_altered() const { return is_body_altered_; }

private:
    enum class State : std::uint8_t {
        Greeting,
        Hello,
        StartTlsReply,
        TlsHandshake,
        Auth,
        Ready,
        Envelope,
        Body,
        DotPause,
        BodyReplies,
        Rset,
        Quit,
        Closed
    };
    /// What a reply that is due belongs to.
    struct Due {
        enum class Kind : std::uint8_t {
            Mail,
            Rcpt,
            Data,
            EmptyDot,
            Final,
            BlockEnd  ///< PRDR's word about the whole, behind a Final for each.
        } kind = Kind::Mail;
        std::size_t recipient = 0;
    };

    // client.cc: the session.
    void on_reply(const Reply& reply);
    void on_greeting(const Reply& reply);
    void say_hello();
    void on_hello(const Reply& reply);
    void after_hello();
    void on_starttls(const Reply& reply);
    void begin_auth();
    void on_auth(const Reply& reply);
    void become_ready();
    void command(std::string_view line);
    void fail(FaultScope scope, Stage stage, const Reply& reply);
    void fail_locally(FaultScope scope, Stage stage, EnhancedStatus status, std::string text);
    void end_session(client_event::Failed failed, bool says_quit);
    [[nodiscard]] Stage stage() const;

    // client_mail.cc: a transaction.
    [[nodiscard]] std::optional<Outcome> local_refusal() const;
    [[nodiscard]] bool needs_smtputf8() const;
    [[nodiscard]] std::string extension_words() const;
    [[nodiscard]] std::string mail_line() const;
    [[nodiscard]] std::string rcpt_line(const OutgoingRecipient& recipient) const;
    [[nodiscard]] bool is_pipelining() const;
    [[nodiscard]] bool is_chunking() const;
    void pump_envelope();
    void on_envelope_reply(const Reply& reply);
    void on_mail_reply(const Reply& reply);
    void on_rcpt_reply(std::size_t recipient, const Reply& reply);
    void on_data_reply(const Reply& reply);
    void on_final_reply(Due due, const Reply& reply);
    void on_block_end(const Reply& reply);
    void await_final_replies();
    [[nodiscard]] bool asks_for_block() const;
    [[nodiscard]] bool may_begin_block(const Due& due, const Reply& reply) const;
    void refuse_unchecked_recipients();
    void start_body(ContentSender::Framing framing);
    void settle(std::size_t recipient, Outcome outcome);
    void settle_open(const Outcome& outcome);
    void finish_transaction(bool needs_reset);
    void report_outcomes();

    ClientOptions options_;
    State state_ = State::Greeting;
    ReplyParser parser_;
    std::string output_;
    std::deque<client_event::Event> events_;
    PeerExtensions peer_;
    bool tls_active_ = false;
    bool tls_refused_ = false;
    bool is_authenticated_ = false;
    bool used_helo_ = false;
    bool has_hung_in_group_ = false;
    bool is_greeting_masked_ = false;
    std::optional<sasl::ClientExchange> exchange_;

    std::optional<OutgoingMail> mail_;
    std::vector<std::optional<Outcome>> outcomes_;
    std::deque<Due> due_;
    std::vector<std::size_t> accepted_;
    std::size_t next_rcpt_ = 0;
    bool mail_sent_ = false;
    bool mail_refused_ = false;
    bool data_sent_ = false;
    bool too_many_recipients_ = false;
    bool is_block_asked_ = false;
    std::vector<std::optional<Outcome>> block_;  ///< By recipient; PRDR's, until its end.
    bool wants_body_ = false;
    bool any_refused_ = false;
    std::uint64_t replies_ = 0;
    std::optional<ContentSender> content_;
    bool is_counted_ = false;
    bool is_end_out_ = false;  ///< take_output() gave the message's last octet.
    std::uint64_t supplied_ = 0;
    bool is_body_altered_ = false;
};

}  // namespace godwit::smtp
