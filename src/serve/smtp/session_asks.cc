// Questions, those who speak for others, and mail that is asked for.
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

std::string SmtpSession::peer_name() const {
    if (forwarded_) {
        return forwarded_peer(*forwarded_);
    }
    return peer().is_unix() ? "local" : peer().to_string();
}

// XFORWARD_README, note 4: what a filter tells of another session and what this one is are not
// mixed.
std::string SmtpSession::hello_name() const {
    return forwarded_ ? forwarded_->text(smtp::ClientFact::Hello) : engine_->hello_name();
}

// RFC 5321 7.3: who has an address is told to few.
bool SmtpSession::may_ask() const {
    return flow::is_in(services_->settings()->trust.answer, peer()) ||
           (is_submission(listener_.protocol) && is_local_door());
}

net::Task<Result<>> SmtpSession::on(smtp::event::Question event) {
    flow::Question question{.text = std::move(event.text),
                            .is_of_list = event.is_of_list,
                            .takes_utf8 = event.takes_utf8,
                            .may_relay = may_relay()};
    engine_->answer(co_await flow::answer_question(services_, std::move(question)));
    co_return Result<>();
}

net::Task<Result<>> SmtpSession::on(smtp::event::StandIn event) {
    StandInAnswer answer =
        co_await stand_in(services_, std::move(event.facts), stand_in_, stream_->peer());
    if (answer.refusal) {
        engine_->answer(std::move(*answer.refusal));
        co_return Result<>();
    }
    const net::Endpoint client = answer.client.peer.value_or(stream_->peer());
    if (client.address() != peer().address()) {
        const flow::SettingsPtr settings = services_->settings();
        flow::ConnectionPermit permit = services_->connection_guard->admit(
            client, {.total = settings->limits.connections,
                     .per_address = settings->limits.connections_per_address});
        if (!permit) {
            engine_->answer(make_reply(421, {4, 7, 0}, "Too many connections, try again later"));
            co_return Result<>();
        }
        permit_ = std::move(permit);
    }
    log::info("smtp.xclient", {{"connection", stream_->peer().to_string()},
                               {"peer", client.to_string()},
                               {"name", answer.client.name},
                               {"user", answer.client.login ? answer.client.login->name : ""}});
    stand_in_ = std::move(answer.client);
    forwarded_.reset();
    login_ = stand_in_.login;
    watch_.end();
    std::optional<sasl::Done> identity;
    if (login_) {
        watch_.begin(*login_);
        identity = sasl::Done{.authzid = "", .authcid = login_->name};
    }
    engine_->answer_stand_in(std::move(identity), may_ask());
    co_return Result<>();
}

net::Task<Result<>> SmtpSession::on(smtp::event::Forwarded event) {
    if (!forwarded_) {
        forwarded_.emplace();
    }
    forwarded_->update(event.facts);
    co_return Result<>();
}

net::Task<Result<>> SmtpSession::on(smtp::event::Etrn event) {
    flow::Etrn etrn{.option = event.option, .node = std::move(event.node)};
    engine_->answer(co_await flow::answer_etrn(services_, std::move(etrn), asker()));
    co_return Result<>();
}

net::Task<Result<>> SmtpSession::on(smtp::event::Turn event) {
    flow::MailAsker owner = asker();
    owner.takes_it = true;
    if (login_) {
        owner.id = login_->account;
        owner.auth_epoch = login_->auth_epoch;
    }
    flow::Turn turn =
        co_await flow::prepare_turn(services_, std::move(event.domains), std::move(owner));
    if (turn.refusal) {
        engine_->answer(std::move(*turn.refusal));
        co_return Result<>();
    }
    engine_->answer(make_reply(250, {2, 0, 0}, "OK now reversing the connection"));
    CO_TRY(co_await flush());
    watch_.end();
    stream_ =
        co_await flow::take_turn(services_, std::move(stream_), std::move(turn), &attendance_);
    check(stream_ != nullptr, "a turn gives its stream back");
    co_return Result<>();
}

}  // namespace godwit::serve
