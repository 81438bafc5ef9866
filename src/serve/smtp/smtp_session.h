// One SMTP conversation, for the files of this room: session.cc has the loop, session_mail.cc the
// transaction, session_login.cc TLS and logins, session_asks.cc what else a client may ask.
#pragma once

#include <optional>

#include "flow/inbound/intake.h"
#include "flow/inbound/question.h"
#include "flow/inbound/receive.h"
#include "flow/inbound/recipient.h"
#include "flow/inbound/refusal_trail.h"
#include "flow/inbound/sender.h"
#include "flow/inbound/terms.h"
#include "flow/oauth/token_desk.h"
#include "flow/outbound/mail_request.h"
#include "flow/outbound/turned.h"
#include "flow/outbound/verify.h"
#include "flow/policy/networks.h"
#include "flow/policy/relay_domains.h"
#include "flow/policy/sender_domains.h"
#include "flow/roll_call.h"
#include "serve/login/credential_watch.h"
#include "serve/login/login.h"
#include "serve/smtp/session.h"
#include "serve/smtp/stand_in.h"
#include "store/store.h"
#include "wire/smtp/server.h"

namespace godwit::serve {

inline bool is_submission(flow::Protocol protocol) {
    return protocol == flow::Protocol::Submission || protocol == flow::Protocol::Submissions;
}

inline smtp::Service service_of(flow::Protocol protocol) {
    if (protocol == flow::Protocol::Lmtp) {
        return smtp::Service::Lmtp;
    }
    return is_submission(protocol) ? smtp::Service::Submission : smtp::Service::Mx;
}

/// From greeting to close; one coroutine, on the stream's shard.
class SmtpSession {
public:
    explicit SmtpSession(Connection connection)
        : services_(connection.services),
          listener_(std::move(connection.listener)),
          tls_(connection.tls),
          permit_(std::move(connection.permit)),
          stream_(std::move(connection.stream)),
          attendance_(services_->roll_call, stream_.get()),
          watch_(services_, stream_.get()) {}

    net::Task<void> run();

private:
    smtp::ServerOptions options() const;
    net::Task<Result<>> converse();
    net::Task<Result<>> end_if_stale();
    net::Task<Result<>> read_more();
    net::Task<Result<>> say_farewell();
    net::Task<Result<>> flush();
    void note_unheard();
    net::Task<Result<>> handle_events();
    net::Task<Result<>> on(smtp::event::MailFrom event);
    net::Task<Result<>> on(smtp::event::RcptTo event);
    net::Task<Result<>> on(smtp::event::DataStart event);
    net::Task<Result<>> on(smtp::event::FetchUrl event);
    net::Task<Result<>> on(smtp::event::BodyBytes event);
    net::Task<Result<>> on(smtp::event::EndOfMail event);
    net::Task<Result<>> on(smtp::event::TransactionDropped event);
    net::Task<Result<>> on(smtp::event::StartTls event);
    net::Task<Result<>> on(smtp::event::AuthPassword event);
    net::Task<Result<>> on(smtp::event::AuthScramLookup event);
    net::Task<Result<>> on(smtp::event::AuthCertificate event);
    net::Task<Result<>> on(smtp::event::AuthToken event);
    net::Task<Result<>> on(smtp::event::AuthProved event);
    net::Task<Result<>> on(smtp::event::AuthFailed event);
    net::Task<Result<>> on(smtp::event::Hello event);
    net::Task<Result<>> on(smtp::event::Question event);
    net::Task<Result<>> on(smtp::event::StandIn event);
    net::Task<Result<>> on(smtp::event::Forwarded event);
    net::Task<Result<>> on(smtp::event::Etrn event);
    net::Task<Result<>> on(smtp::event::Turn event);
    net::Task<Result<>> on(smtp::event::Close event);
    net::Task<std::vector<smtp::Reply>> take_mail(smtp::event::EndOfMail* event);
    [[nodiscard]] std::vector<std::string> unwanted_solicitation() const;
    net::Task<bool> vouches_for(std::string author);
    void settle_login(const LoginOutcome& outcome);
    void note_refusal(std::string_view stage, std::string recipient, const smtp::Reply& reply);
    flow::Origin origin(const smtp::Transaction& transaction) const;
    void set_deadline();
    [[nodiscard]] std::chrono::seconds patience() const;
    [[nodiscard]] MonoTime end_of_patience() const;
    void forget_mail();
    /// The client, or whom it stands in for.
    [[nodiscard]] const net::Endpoint& peer() const {
        return stand_in_.peer ? *stand_in_.peer : stream_->peer();
    }
    /// For logs and traces, where a filter's word counts too.
    [[nodiscard]] std::string peer_name() const;
    [[nodiscard]] std::string hello_name() const;
    [[nodiscard]] bool may_ask() const;
    [[nodiscard]] flow::MailAsker asker() const {
        return {.peer = peer(), .account = login_ ? login_->name : ""};
    }
    [[nodiscard]] bool is_local_door() const { return stream_->peer().is_unix(); }
    [[nodiscard]] bool may_relay() const {
        return login_.has_value() || (is_submission(listener_.protocol) && is_local_door());
    }

    flow::Services* services_;
    flow::ListenerSettings listener_;
    const net::TlsServerContext* tls_;
    flow::ConnectionPermit permit_;
    std::unique_ptr<net::Stream> stream_;
    flow::Attendance attendance_;
    CredentialWatch watch_;
    std::optional<smtp::ServerEngine> engine_;
    std::optional<LoggedIn> login_;
    std::optional<CredentialMark>
        scram_mark_;  ///< Of the keys that the open exchange is held with.
    bool is_failure_counted_ =
        false;  ///< By verify_password or admit_proved, for the AuthFailed to come.
    bool is_done_ = false;
    MonoTime replied_at_{};  ///< When the client last heard from us.
    std::uint64_t octets_since_reply_ = 0;
    StandIn stand_in_;                            ///< XCLIENT, until the connection ends.
    std::optional<smtp::ClientFacts> forwarded_;  ///< XFORWARD, until the transaction ends.
    // The open transaction, beside the engine's: what the directory said, and the body so far.
    std::string sender_;  ///< For who looks for what was refused.
    std::vector<store::Recipient> resolved_;
    Duration verified_for_{};       ///< Spent with asking downstream servers.
    std::optional<int> priority_;   ///< What was granted of MT-PRIORITY.
    bool is_auth_trusted_ = false;  ///< AUTH= names an address of whoever is logged in.
    std::optional<MailId> mail_;
    std::optional<flow::Intake> intake_;
    std::optional<smtp::Reply> body_failure_;
    bool is_report_ = false;         ///< MAIL FROM:<>.
    bool is_mail_answered_ = false;  ///< The reply to a message's end waits to be written.
    /// Window W2: mail was taken, and nothing has come from the client since. Its 250 may be lost.
    std::optional<MailId> unheard_;
    bool was_end_ahead_ = false;  ///< Something, maybe its end, had come before the 250 was said.
};

}  // namespace godwit::serve
