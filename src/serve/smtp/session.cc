#include "serve/smtp/session.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "flow/channel_bindings.h"
#include "serve/smtp/smtp_session.h"

namespace godwit::serve {

namespace {

using smtp::make_reply;

// As much as one read takes at once; lives only while there is something to read.
constexpr std::size_t kReadSize = 32 * 1024;
constexpr std::chrono::seconds kFarewellTime(5);

// Mail was answered: the reply is with the system.
void pass_answered(flow::Protocol protocol) {
    if (protocol == flow::Protocol::Lmtp) {
        crash_point<"lmtp.answered">();
    } else if (is_submission(protocol)) {
        crash_point<"submission.answered">();
    } else {
        crash_point<"smtp.answered">();
    }
}

}  // namespace

smtp::ServerOptions SmtpSession::options() const {
    const flow::SettingsPtr settings = services_->settings();
    smtp::ServerOptions options;
    options.service = service_of(listener_.protocol);
    options.hostname = settings->hostname;
    options.message_size_max = settings->limits.message_size;
    options.recipients_max =
        is_submission(listener_.protocol) || options.service == smtp::Service::Lmtp
            ? settings->limits.recipients_authenticated
            : settings->limits.recipients;
    options.recipients_authenticated_max = settings->limits.recipients_authenticated;
    options.tls_active = stream_->tls() != nullptr;
    options.tls_available = tls_ != nullptr && !options.tls_active && !is_local_door();
    options.takes_early_input = is_local_door();
    if (is_submission(listener_.protocol)) {
        options.own_domain = settings->default_domain;
    }
    if (is_submission(listener_.protocol) && !is_local_door()) {
        options.auth_available = true;
        options.auth_required = true;
        options.allow_plaintext_auth =
            settings->allow_plaintext_login && stream_->peer().is_loopback();
        options.tls_required = tls_ != nullptr && !options.allow_plaintext_auth;
    }
    options.bindings = flow::channel_bindings(stream_->tls());
    options.has_sha1_keys = settings->has_sha1_keys;
    options.takes_tokens = flow::takes_tokens(*settings);
    options.token_refusal = flow::token_refusal(*settings);
    options.nonce_seed = services_->random->bytes(32);
    options.scram_decoy_secret = services_->decoy_secret;
    options.bare_newlines =
        listener_.reject_bare_newline ? smtp::BareNewlines::Reject : smtp::BareNewlines::Repair;
    const flow::TrustSettings& trust = settings->trust;
    options.answers_questions = may_ask();
    options.answers_questions_of_users = trust.answer_users;
    // By the connection itself: whoever stands in for others may do so again.
    options.takes_stand_ins = flow::is_in(trust.xclient, stream_->peer());
    options.takes_forwarded = flow::is_in(trust.xforward, stream_->peer());
    for (const std::string& keyword : unwanted_solicitation()) {
        options.refused_solicitation += (options.refused_solicitation.empty() ? "" : ",") + keyword;
    }
    options.takes_requests =
        options.service != smtp::Service::Lmtp && flow::may_ask_from(*settings, peer());
    options.takes_requests_of_users = options.auth_available && flow::may_users_ask(*settings);
    options.hold_seconds_max = flow::hold_max.count();
    options.hold_until_max = unix_seconds(services_->clock->wall()) + flow::hold_max.count();
    return options;
}

void SmtpSession::set_deadline() {
    stream_->set_deadline(stream_->shard().now() + patience());
}

std::chrono::seconds SmtpSession::patience() const {
    return engine_->is_receiving_data() ? limits::smtp_data_timeout
                                        : services_->settings()->limits.command_timeout;
}

// I2: octets that drip in do not begin the time anew; the last reply did.
MonoTime SmtpSession::end_of_patience() const {
    std::chrono::seconds whole = patience();
    if (engine_->is_receiving_data()) {
        whole += std::chrono::seconds(octets_since_reply_ / smtp_data_rate_min);
    }
    return std::min(stream_->shard().now() + patience(), replied_at_ + whole);
}

net::Task<void> SmtpSession::run() {
    if (permit_) {
        const flow::Protocol protocol = listener_.protocol;
        if (protocol == flow::Protocol::Submissions && tls_ != nullptr) {
            stream_->set_deadline(stream_->shard().now() + limits::tls_handshake_timeout);
            const Result<> secured = co_await stream_->start_tls_server(tls_);
            if (!secured) {
                log::info("smtp.tls_failed",
                          {{"peer", peer().to_string()}, {"error", secured.error().text}});
                co_return;
            }
        }
    }
    engine_.emplace(options());
    if (!services_->store->is_sound()) {
        engine_->refuse(
            make_reply(421, {4, 3, 0}, "The server's disk has failed, try again later"));
    } else if (!listener_.takes_mail) {
        engine_->refuse(
            make_reply(521, {5, 3, 2}, services_->settings()->hostname + " does not accept mail"));
    } else if (permit_) {
        // Whoever speaks before the greeting is no mail server (A9, T6).
        const Result<bool> early = stream_->has_input();
        if (early && *early && stream_->tls() == nullptr && !is_local_door()) {
            std::array<char, 512> bytes;
            stream_->set_deadline(stream_->shard().now() + std::chrono::seconds(1));
            const Result<std::size_t> got = co_await stream_->read_some(bytes);
            engine_->feed(got && *got > 0 ? std::string_view(bytes.data(), *got) : " ");
        } else {
            engine_->greet();
        }
    } else {
        engine_->refuse(make_reply(421, {4, 7, 0}, "Too many connections, try again later"));
    }
    replied_at_ = stream_->shard().now();
    const Result<> ended = co_await converse();
    if (!ended && ended.error().code != ErrorCode::Closed) {
        log::debug("smtp.connection_lost",
                   {{"peer", peer().to_string()}, {"error", ended.error().text}});
    }
    if (ended) {
        stream_->set_deadline(stream_->shard().now() + kFarewellTime);
        co_await stream_->close();
    }
}

net::Task<Result<>> SmtpSession::flush() {
    const std::string output = engine_->take_output();
    if (!output.empty()) {
        set_deadline();
        if (unheard_ && is_mail_answered_) {
            was_end_ahead_ = stream_->has_input().value_or(true);
        }
        const Result<> written = co_await stream_->write_all(output);
        replied_at_ = stream_->shard().now();
        octets_since_reply_ = 0;
        if (!written) {
            note_unheard();
            co_return written;
        }
        if (std::exchange(is_mail_answered_, false)) {
            pass_answered(listener_.protocol);
        }
    }
    co_return Result<>();
}

// RFC 5321 3.8: who is silent is told 421, and not waited for again to read it.
net::Task<Result<>> SmtpSession::say_farewell() {
    const std::string output = engine_->take_output();
    stream_->set_deadline(stream_->shard().now() + kFarewellTime);
    co_return co_await stream_->write_all(output);
}

net::Task<Result<>> SmtpSession::converse() {
    while (!is_done_) {
        if (attendance_.is_closing()) {
            probe<"smtp.closing">();
            engine_->begin_shutdown();
        }
        CO_TRY(co_await handle_events());
        CO_TRY(co_await end_if_stale());
        CO_TRY(co_await flush());
        if (is_done_) {
            break;
        }
        if (engine_->wants_input()) {
            CO_TRY(co_await read_more());
        }
    }
    co_return Result<>();
}

// T46: at a command boundary, so that mail under way is answered first.
net::Task<Result<>> SmtpSession::end_if_stale() {
    if (engine_->is_between_commands() && co_await watch_.is_stale()) {
        login_.reset();
        watch_.end();
        engine_->hang_up(
            make_reply(421, {4, 7, 0}, "Credentials were changed, please log in again"),
            "credentials changed");
        co_return co_await handle_events();
    }
    co_return Result<>();
}

net::Task<Result<>> SmtpSession::read_more() {
    stream_->set_deadline(end_of_patience());
    const Result<net::Readiness> ready = co_await stream_->wait_readable();
    if (!ready) {
        if (engine_->is_receiving_data()) {
            probe<"smtp.client_lost_in_body">();
        }
        if (ready.error().code != ErrorCode::Timeout) {
            note_unheard();
        }
        if (ready.error().code == ErrorCode::Timeout) {
            probe<"smtp.client_silent">();
            engine_->on_timeout();
            CO_TRY(co_await handle_events());
            if (is_done_) {
                co_return co_await say_farewell();
            }
        } else {
            engine_->on_disconnect();
            CO_TRY(co_await handle_events());
        }
        co_return std::unexpected(ready.error());
    }
    if (*ready == net::Readiness::Interrupted) {
        co_return Result<>();
    }
    const auto buffer = std::make_unique_for_overwrite<char[]>(kReadSize);
    const Result<std::size_t> got = co_await stream_->read_some({buffer.get(), kReadSize});
    if (!got || *got == 0) {
        if (!got || was_end_ahead_) {
            note_unheard();
        }
        engine_->on_disconnect();
        CO_TRY(co_await handle_events());
        co_return got ? Result<>(peer_error(ErrorCode::Closed, "the client went away"))
                      : Result<>(std::unexpected(got.error()));
    }
    unheard_.reset();
    octets_since_reply_ += *got;
    engine_->feed(std::string_view(buffer.get(), *got));
    co_return Result<>();
}

// RELIABILITY.md W2: the mail is ours, its sender may not know and send it again. RFC 5321
// 4.2.5 gives the responsibility to us; RFC 1047.
void SmtpSession::note_unheard() {
    if (unheard_) {
        log::info("smtp.reply_unheard", {{"id", *unheard_}, {"peer", peer().to_string()}});
        count(Metric::PossibleDuplicates);
        unheard_.reset();
    }
}

net::Task<Result<>> SmtpSession::handle_events() {
    for (;;) {
        std::optional<smtp::event::Event> event = engine_->next_event();
        if (!event || is_done_) {
            co_return Result<>();
        }
        // One event at a time, in order; each is finished before the next is asked for.
        Result<> handled;
        switch (event->index()) {
            case 0: handled = co_await on(std::get<0>(std::move(*event))); break;
            case 1: handled = co_await on(std::get<1>(std::move(*event))); break;
            case 2: handled = co_await on(std::get<2>(std::move(*event))); break;
            case 3: handled = co_await on(std::get<3>(std::move(*event))); break;
            case 4: handled = co_await on(std::get<4>(std::move(*event))); break;
            case 5: handled = co_await on(std::get<5>(std::move(*event))); break;
            case 6: handled = co_await on(std::get<6>(std::move(*event))); break;
            case 7: handled = co_await on(std::get<7>(std::move(*event))); break;
            case 8: handled = co_await on(std::get<8>(std::move(*event))); break;
            case 9: handled = co_await on(std::get<9>(std::move(*event))); break;
            case 10: handled = co_await on(std::get<10>(std::move(*event))); break;
            case 11: handled = co_await on(std::get<11>(std::move(*event))); break;
            case 12: handled = co_await on(std::get<12>(std::move(*event))); break;
            case 13: handled = co_await on(std::get<13>(std::move(*event))); break;
            case 14: handled = co_await on(std::get<14>(std::move(*event))); break;
            case 15: handled = co_await on(std::get<15>(std::move(*event))); break;
            case 16: handled = co_await on(std::get<16>(std::move(*event))); break;
            case 17: handled = co_await on(std::get<17>(std::move(*event))); break;
            case 18: handled = co_await on(std::get<18>(std::move(*event))); break;
            case 19: handled = co_await on(std::get<19>(std::move(*event))); break;
            default: handled = co_await on(std::get<20>(std::move(*event))); break;
        }
        static_assert(std::variant_size_v<smtp::event::Event> == 21, "each event has its case");
        CO_TRY(std::move(handled));
    }
}

net::Task<Result<>> SmtpSession::on(smtp::event::Close event) {
    forget_mail();
    is_done_ = true;
    log::debug("smtp.closed", {{"peer", peer().to_string()}, {"detail", event.detail}});
    co_return Result<>();
}

net::Task<void> serve_smtp(Connection connection) {
    SmtpSession session(std::move(connection));
    co_await session.run();
}

}  // namespace godwit::serve
