// The SMTP and LMTP server as a pure engine: bytes in, events and bytes out. It alone decides
// syntax, order, state, limits, error counts and 421s; the caller decides who is welcome.
// RFC 5321 3, 4; RFC 2033; RFC 2034; RFC 2920; RFC 3030; RFC 3207; RFC 4954; RFC 6531.
//
// The loop:   engine.greet();  write(engine.take_output());
//             while (!engine.is_closed()) {
//                 read -> engine.feed(bytes);
//                 while (auto event = engine.next_event()) { act; answer if it asks; }
//                 write(engine.take_output());      // one write a pipelined group
//             }
// Before waiting on something slow (a commit, a handshake) write take_output() out first.
// Invariants: one Transaction, ended only by end_transaction(). Nothing is executed that came
// before the client was allowed to speak. Memory: one input line, or what one feed() brought.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "wire/sasl/mechanism.h"
#include "wire/sasl/server_exchange.h"
#include "wire/smtp/command.h"
#include "wire/smtp/data.h"
#include "wire/smtp/event.h"
#include "wire/smtp/extension.h"
#include "wire/smtp/reply.h"

namespace godwit::smtp {

struct ServerOptions {
    Service service = Service::Mx;
    std::string hostname = "localhost";
    std::string greeting = "ESMTP Godwit";  ///< Behind the hostname in the 220.
    std::uint64_t message_size_max = limits::message_size_max;
    std::size_t recipients_max = limits::smtp_recipients_max;
    std::size_t recipients_authenticated_max = limits::smtp_recipients_authenticated_max;
    bool tls_available = false;         ///< STARTTLS is announced while TLS is off.
    bool tls_active = false;            ///< Implicit TLS.
    bool tls_required = false;          ///< 530 5.7.0 until STARTTLS (submission only).
    bool auth_available = false;        ///< Ignored on Mx: no AUTH on port 25.
    bool auth_required = false;         ///< 530 5.7.0 at MAIL until authenticated.
    bool allow_plaintext_auth = false;  ///< PLAIN and LOGIN without TLS: loopback dev mode only.
    sasl::ChannelBindings bindings;     ///< With tls_active.
    bool has_sha1_keys = false;         ///< sasl::Means.
    bool takes_tokens = false;          ///< OAUTHBEARER and XOAUTH2, within TLS.
    sasl::BearerRefusal token_refusal;  ///< What a client is told whose token is refused.
    std::string nonce_seed;             ///< >= 16 random bytes, fresh for each connection.
    std::string scram_decoy_secret;     ///< Constant for this server, secret.
    BareNewlines bare_newlines = BareNewlines::Repair;
    /// FUTURERELEASE (submission only): how long mail is held at most, and until when, as it is
    /// announced. 0: it is not offered. The caller refuses what lies beyond.
    std::int64_t hold_seconds_max = 0;
    std::int64_t hold_until_max = 0;  ///< Unix seconds.
    /// A pipe of this machine (sendmail -bs): a script may be written in one go, DATA and all. The
    /// rule against it (A9, T6, T11) guards against strangers in the middle, and there are none.
    bool takes_early_input = false;
    bool answers_questions = false;           ///< VRFY and EXPN, whoever asks here.
    bool answers_questions_of_users = false;  ///< The same, once logged in.
    bool takes_stand_ins = false;             ///< XCLIENT.
    bool takes_forwarded = false;             ///< XFORWARD.
    /// Submission: completes addresses without a domain, as old devices give them (K3). Empty: they
    /// are refused.
    std::string own_domain;
    std::string refused_solicitation;  ///< Behind NO-SOLICITING: keywords of what is not wanted.
    bool takes_requests = false;       ///< ETRN, whoever asks here.
    bool takes_requests_of_users = false;  ///< The same and ATRN, once logged in.
};

class ServerEngine {
public:
    explicit ServerEngine(ServerOptions options);

    // The start. Call one of these first; bytes fed before it end in 554 and Close (A9, T6).
    /// 220 and ready.
    void greet();
    /// A 421 or 521 reply closes at once; a 554 waits for QUIT and answers 503 (RFC 5321 3.1).
    void refuse(Reply reply);

    /// Takes bytes off the stream. Call only while wants_input(); split them anywhere.
    void feed(std::string_view bytes);
    /// The next event, or nullopt when more input or an answer is needed.
    std::optional<event::Event> next_event();
    /// All bytes that are ready to be sent.
    std::string take_output();
    /// False while an answer is due, a handshake is under way, or after Close.
    [[nodiscard]] bool wants_input() const;
    [[nodiscard]] bool is_closed() const { return state_ == State::Closed; }

    // Answers, each only when its event asked.
    void answer(Reply reply);
    /// EndOfMail with is_each_answered: as many replies as transaction.recipients had.
    void answer_each(std::vector<Reply> replies);
    /// FetchUrl: the content that the octets come to, to be stored as BodyBytes are; nullopt when
    /// they are too many or not sound, and no more are wanted.
    std::optional<std::string> take_fetched(std::string_view bytes);
    /// FetchUrl: that was all of them, or enough.
    void end_fetched();
    void answer_auth(sasl::Verdict verdict);
    void answer_scram(std::optional<sasl::ScramKeys> keys);
    void answer_scram_unavailable();
    /// The session begins anew with a greeting, for the client of event::StandIn; logged in as
    /// `identity` when that is given. Whether VRFY is answered goes by the new client.
    void answer_stand_in(std::optional<sasl::Done> identity, bool answers_questions);
    /// The handshake is done: everything the client said before is forgotten (RFC 3207 4.2).
    void tls_started(sasl::ChannelBindings bindings);

    // From outside.
    /// 421 4.3.2 at the next command boundary, never between the dot and its reply (I5).
    void begin_shutdown();
    /// No input in time: 421 4.4.2 and Close.
    void on_timeout();
    /// The peer is gone. Drops what is open.
    void on_disconnect();
    /// The caller's own reason to hang up, with its 421 (or 5xx) reply. Not while EndOfMail is due.
    void hang_up(Reply reply, std::string detail);

    // What is known, for policy and trace headers.
    /// The open transaction; nullptr when there is none.
    [[nodiscard]] const Transaction* transaction() const {
        return transaction_ ? &*transaction_ : nullptr;
    }
    [[nodiscard]] const std::string& hello_name() const { return hello_name_; }
    [[nodiscard]] bool is_tls() const { return tls_active_; }
    /// Who logged in; nullopt before.
    [[nodiscard]] const std::optional<sasl::Done>& identity() const { return identity_; }
    /// The word after "with" in Received: SMTP, ESMTPSA, LMTPS, UTF8SMTPSA, ...
    [[nodiscard]] std::string protocol_name(bool smtputf8) const;
    /// True while content is being received, or dropped: the data timeout applies, else the command
    /// timeout.
    [[nodiscard]] bool is_receiving_data() const {
        return state_ == State::Data || state_ == State::Chunk || state_ == State::Discard;
    }
    [[nodiscard]] bool is_between_commands() const {
        return state_ == State::Command && pending_ == Pending::None;
    }

private:
    enum class State : std::uint8_t {
        Start,
        Command,
        Refused,
        AuthResponse,
        Data,
        Chunk,
        Discard,
        TlsHandshake,
        Closed
    };
    enum class Pending : std::uint8_t {
        None,
        Mail,
        Rcpt,
        DataStart,
        ChunkStart,
        Url,
        EndOfMail,
        AuthPassword,
        AuthLookup,
        AuthProved,
        Question,
        StandIn,
        Turn
    };

    // server.cc: input, output, ends.
    void run();
    bool run_line();
    std::optional<std::string> take_line();
    void send(const Reply& reply);
    void refuse_command(const Reply& reply);
    void end_transaction();
    Transaction clear_transaction();
    void begin_session();
    void send_greeting();
    void close(event::CloseReason reason, std::string detail);
    void close_with(const Reply& reply, event::CloseReason reason, std::string detail);
    bool close_if_shutting_down();
    [[nodiscard]] std::string_view unread() const {
        return std::string_view(input_).substr(input_pos_);
    }
    [[nodiscard]] std::size_t line_size_max() const;

    // server_verbs.cc: one function a command.
    void dispatch(Command command);
    [[nodiscard]] std::optional<Reply> out_of_order(Verb verb) const;
    [[nodiscard]] std::optional<Reply> out_of_order_data() const;
    [[nodiscard]] std::optional<Reply> out_of_order_burl() const;
    [[nodiscard]] std::optional<Reply> out_of_order_auth() const;
    void on(HelloCommand& command);
    void on(MailCommand& command);
    void on(RcptCommand& command);
    void on(DataCommand& command);
    void on(BdatCommand& command);
    void on(BurlCommand& command);
    void on(RsetCommand& command);
    void on(NoopCommand& command);
    void on(HelpCommand& command);
    void on(VrfyCommand& command);
    void on(ExpnCommand& command);
    void on(QuitCommand& command);
    void on(StartTlsCommand& command);
    void on(AuthCommand& command);
    void on(StandInCommand& command);
    void on(ForwardedCommand& command);
    void on(EtrnCommand& command);
    void on(AtrnCommand& command);
    void on(HttpCommand& command);
    void answer_mail(const Reply& reply);
    void answer_rcpt(const Reply& reply);
    bool is_too_much_junk();
    void ask(std::string text, bool is_of_list, bool takes_utf8);
    [[nodiscard]] bool answers_questions() const {
        return options_.answers_questions || (options_.answers_questions_of_users && identity_);
    }
    [[nodiscard]] std::optional<Reply> out_of_order_facts(bool is_allowed) const;
    [[nodiscard]] std::optional<Reply> out_of_order_request(Verb verb) const;
    bool refuses_early_input(std::string_view after);
    [[nodiscard]] Announcement announcement() const;
    [[nodiscard]] std::vector<const sasl::MechanismRow*> offered_mechanisms() const;
    [[nodiscard]] bool may_offer_passwords() const;
    [[nodiscard]] std::string ehlo_text() const;
    [[nodiscard]] std::string ehlo_values(Extension extension) const;
    [[nodiscard]] std::size_t recipients_max() const;
    [[nodiscard]] bool is_binary() const {
        return transaction_ && transaction_->parameters.body == BodyType::BinaryMime;
    }

    // server_data.cc: DATA and BDAT.
    bool run_data();
    bool run_chunk();
    void end_of_chunk();
    void ask_for_url();
    bool run_discard();
    void answer_data_start(const Reply& reply);
    void answer_chunk_start(const Reply& reply);
    void answer_end_of_mail(const std::vector<Reply>& replies);
    [[nodiscard]] std::optional<Reply> refusal_of_chunk(std::uint64_t size) const;
    void begin_discard(std::uint64_t size, std::optional<Reply> then, std::size_t copies);
    bool take_content(std::size_t consumed, ContentFault fault);
    void end_of_content(ContentFault fault, bool is_repaired);
    void refuse_content(const Reply& reply, std::size_t copies);
    [[nodiscard]] std::size_t replies_at_end() const;
    [[nodiscard]] bool is_block_asked() const;

    // server_auth.cc: AUTH.
    void on_auth_line(std::string_view line);
    void on_auth_step(sasl::Step step);
    void on_auth_failed(const sasl::Failed& failed);
    [[nodiscard]] std::string next_nonce();

    ServerOptions options_;
    State state_ = State::Start;
    Pending pending_ = Pending::None;
    std::string input_;
    std::size_t input_pos_ = 0;
    std::string output_;
    std::deque<event::Event> events_;

    bool tls_active_ = false;
    bool is_shutting_down_ = false;
    ExtensionSet offered_;
    std::string hello_name_;
    std::optional<Verb> hello_verb_;
    std::optional<sasl::Done> identity_;
    ClientFacts stand_in_;  ///< What XCLIENT said; outlives a new EHLO.
    ClientFacts asked_stand_in_;

    std::optional<Transaction> transaction_;
    std::optional<MailCommand> asked_mail_;
    std::optional<Recipient> asked_rcpt_;
    std::optional<DataReceiver> data_;
    std::optional<ChunkReceiver> chunks_;
    std::string body_;
    std::uint64_t content_size_ = 0;
    bool is_oversize_ = false;
    std::uint64_t chunk_left_ = 0;
    std::uint64_t chunk_size_ = 0;
    bool chunk_is_last_ = false;
    std::optional<std::string> asked_url_;  ///< The chunk is what it names.
    std::size_t chunk_count_ = 0;
    std::size_t replies_due_ = 0;
    bool is_block_due_ = false;  ///< Of PRDR.
    std::optional<Reply> discard_then_;
    std::size_t discard_copies_ = 0;
    std::uint64_t discarded_ = 0;

    std::optional<sasl::ServerExchange> exchange_;
    std::uint64_t nonce_count_ = 0;
    std::size_t errors_ = 0;
    std::size_t junk_ = 0;
    std::size_t auth_failures_ = 0;
    std::size_t transactions_ = 0;
};

}  // namespace godwit::smtp
