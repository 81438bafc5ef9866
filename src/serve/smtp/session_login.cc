// TLS, and who is there. RFC 3207; RFC 4954.
#include "serve/smtp/smtp_session.h"

#include <algorithm>

#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "flow/channel_bindings.h"

namespace godwit::serve {

namespace {
using smtp::make_reply;
}

net::Task<Result<>> SmtpSession::on(smtp::event::StartTls) {
    CO_TRY(co_await flush());
    stream_->set_deadline(stream_->shard().now() + limits::tls_handshake_timeout);
    CO_TRY(co_await stream_->start_tls_server(tls_));
    login_.reset();
    stand_in_.login.reset();
    watch_.end();
    engine_->tls_started(flow::channel_bindings(stream_->tls()));
    co_return Result<>();
}

void SmtpSession::settle_login(const LoginOutcome& outcome) {
    login_ = outcome.who;
    if (login_) {
        watch_.begin(*login_);
    }
    is_failure_counted_ = outcome.verdict == sasl::Verdict::Denied;
    engine_->answer_auth(outcome.verdict);
}

net::Task<Result<>> SmtpSession::on(smtp::event::AuthPassword event) {
    CO_TRY(co_await flush());
    settle_login(co_await verify_password(services_, std::move(event.authzid),
                                          std::move(event.authcid), std::move(event.password),
                                          peer()));
    co_return Result<>();
}

net::Task<Result<>> SmtpSession::on(smtp::event::AuthScramLookup event) {
    Result<ScramLookup> found =
        co_await find_scram_keys(services_, std::move(event.authcid), event.hash, peer());
    scram_mark_ = found ? found->mark : std::nullopt;
    if (found) {
        engine_->answer_scram(std::move(found->keys));
    } else {
        engine_->answer_scram_unavailable();
    }
    co_return Result<>();
}

net::Task<Result<>> SmtpSession::on(smtp::event::AuthCertificate event) {
    // A proxy's certificate says nothing of whom it stands in for.
    const net::TlsSession* tls = stand_in_.peer ? nullptr : stream_->tls();
    settle_login(co_await admit_certificate(
        services_, tls != nullptr ? tls->client_addresses() : std::vector<std::string>(),
        std::move(event.authzid), peer()));
    co_return Result<>();
}

net::Task<Result<>> SmtpSession::on(smtp::event::AuthToken event) {
    CO_TRY(co_await flush());
    settle_login(
        co_await admit_token(services_, std::move(event.token), std::move(event.authzid), peer()));
    co_return Result<>();
}

net::Task<Result<>> SmtpSession::on(smtp::event::AuthProved event) {
    settle_login(co_await admit_proved(services_, std::exchange(scram_mark_, {}),
                                       std::move(event.authzid), std::move(event.authcid), peer()));
    co_return Result<>();
}

net::Task<Result<>> SmtpSession::on(smtp::event::AuthFailed event) {
    login_.reset();
    watch_.end();
    // A wrong password was counted where it was verified; a wrong SCRAM proof is known only here
    // (T37).
    if (event.failure == sasl::Failure::Credentials && !std::exchange(is_failure_counted_, false)) {
        note_failure(services_, event.authcid, peer());
    }
    log::info("smtp.auth_failed",
              {{"peer", peer().to_string()}, {"user", event.authcid}, {"reason", event.reason}});
    co_return Result<>();
}

}  // namespace godwit::serve
