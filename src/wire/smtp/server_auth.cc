// AUTH: carries the SASL exchange in 334 lines. RFC 4954; RFC 4422; SECURITY.md T36-T40.
#include "base/crypto.h"
#include "base/encoding.h"
#include "wire/smtp/server.h"

#include <algorithm>

namespace godwit::smtp {

void ServerEngine::on(AuthCommand& command) {
    if (refuses_early_input("AUTH")) {
        return;
    }
    if (auth_failures_ >= limits::smtp_auth_failures_max) {
        close_with(make_reply(421, {4, 7, 0}, "Too many failed logins"),
                   event::CloseReason::TooManyErrors, "too many failed logins");
        return;
    }
    const sasl::MechanismRow* row = sasl::find_mechanism(command.mechanism);
    const auto offered = offered_mechanisms();
    if (row == nullptr || std::ranges::find(offered, row) == offered.end()) {
        if (row != nullptr && row->reveals_password && !may_offer_passwords()) {
            events_.emplace_back(event::AuthFailed{.authcid = "",
                                                   .failure = sasl::Failure::Malformed,
                                                   .reason = "password mechanism without TLS"});
            refuse_command(make_reply(538, {5, 7, 11}, "Encryption required for this mechanism"));
        } else {
            refuse_command(make_reply(504, {5, 5, 4}, "Unrecognized authentication type"));
        }
        return;
    }
    std::optional<std::string> initial;
    if (command.initial) {
        // RFC 4954: "=" is an initial response of no octets.
        initial = *command.initial == "=" ? std::optional<std::string>("")
                                          : base64_decode(*command.initial);
        if (!initial) {
            refuse_command(make_reply(501, {5, 5, 2}, "Cannot decode the initial response"));
            return;
        }
    }
    const bool plus =
        std::ranges::any_of(offered, [](const auto* one) { return one->needs_channel_binding; });
    exchange_.emplace(row->mechanism,
                      sasl::ExchangeOptions{.bindings = options_.bindings,
                                            .plus_announced = plus,
                                            .nonce = next_nonce(),
                                            .decoy_secret = options_.scram_decoy_secret,
                                            .token_refusal = options_.token_refusal});
    state_ = State::AuthResponse;
    on_auth_step(exchange_->start(initial));
}

std::string ServerEngine::next_nonce() {
    // Base64url has neither ',' nor control characters; 24 of its characters are 144 bits.
    return base64url_encode(
               hmac_sha256(options_.nonce_seed, "nonce " + std::to_string(nonce_count_++)))
        .substr(0, 24);
}

void ServerEngine::on_auth_line(std::string_view line) {
    if (refuses_early_input("an AUTH response")) {
        return;
    }
    if (line == "*") {
        on_auth_step(exchange_->cancel());
        return;
    }
    const auto bytes = base64_decode(line);
    if (!bytes) {
        on_auth_step(sasl::Failed{
            .failure = sasl::Failure::Malformed, .authcid = "", .reason = "bad base64"});
        return;
    }
    on_auth_step(exchange_->respond(*bytes));
}

void ServerEngine::on_auth_step(sasl::Step step) {
    if (const auto* challenge = std::get_if<sasl::Challenge>(&step)) {
        send({.code = 334, .enhanced = {}, .text = base64_encode(challenge->bytes)});
    } else if (auto* password = std::get_if<sasl::NeedPassword>(&step)) {
        pending_ = Pending::AuthPassword;
        events_.emplace_back(event::AuthPassword{.mechanism = exchange_->mechanism(),
                                                 .authzid = std::move(password->authzid),
                                                 .authcid = std::move(password->authcid),
                                                 .password = std::move(password->password)});
    } else if (auto* lookup = std::get_if<sasl::NeedScramKeys>(&step)) {
        pending_ = Pending::AuthLookup;
        events_.emplace_back(event::AuthScramLookup{.authzid = std::move(lookup->authzid),
                                                    .authcid = std::move(lookup->authcid),
                                                    .hash = lookup->hash});
    } else if (auto* certificate = std::get_if<sasl::NeedCertificate>(&step)) {
        pending_ = Pending::AuthProved;
        events_.emplace_back(event::AuthCertificate{.authzid = std::move(certificate->authzid)});
    } else if (auto* bearer = std::get_if<sasl::NeedToken>(&step)) {
        pending_ = Pending::AuthProved;
        events_.emplace_back(event::AuthToken{.authzid = std::move(bearer->authzid),
                                              .token = std::move(bearer->token)});
    } else if (auto* proved = std::get_if<sasl::Proved>(&step)) {
        pending_ = Pending::AuthProved;
        events_.emplace_back(event::AuthProved{.authzid = std::move(proved->authzid),
                                               .authcid = std::move(proved->authcid)});
    } else if (auto* done = std::get_if<sasl::Done>(&step)) {
        state_ = State::Command;
        identity_ = std::move(*done);
        exchange_.reset();
        junk_ = 0;
        send(make_reply(235, {2, 7, 0}, "Authentication successful"));
        (void)close_if_shutting_down();
    } else if (const auto* failed = std::get_if<sasl::Failed>(&step)) {
        on_auth_failed(*failed);
    }
}

void ServerEngine::on_auth_failed(const sasl::Failed& failed) {
    state_ = State::Command;
    events_.emplace_back(event::AuthFailed{
        .authcid = failed.authcid, .failure = failed.failure, .reason = failed.reason});
    exchange_.reset();
    switch (failed.failure) {
        case sasl::Failure::Credentials:
            ++auth_failures_;
            send(make_reply(535, {5, 7, 8}, "Authentication credentials invalid"));
            break;
        case sasl::Failure::Temporary:
            // K1: never 535 on a fault of ours; clients throw the password away.
            send(make_reply(454, {4, 7, 0}, "Temporary authentication failure"));
            if (is_too_much_junk()) {
                return;
            }
            break;
        case sasl::Failure::Malformed:
            refuse_command(make_reply(501, {5, 5, 2}, "Cannot understand the response"));
            break;
        case sasl::Failure::Cancelled:
            refuse_command(make_reply(501, {5, 7, 0}, "Authentication cancelled"));
            break;
    }
    (void)close_if_shutting_down();
}

void ServerEngine::answer_auth(sasl::Verdict verdict) {
    if (state_ == State::Closed) {
        return;
    }
    check(pending_ == Pending::AuthPassword || pending_ == Pending::AuthProved,
          "answer_auth() without a question");
    pending_ = Pending::None;
    on_auth_step(exchange_->finish(verdict));
}

void ServerEngine::answer_scram(std::optional<sasl::ScramKeys> keys) {
    if (state_ == State::Closed) {
        return;
    }
    check(pending_ == Pending::AuthLookup, "answer_scram() without a question");
    pending_ = Pending::None;
    on_auth_step(exchange_->keys(std::move(keys)));
}

void ServerEngine::answer_scram_unavailable() {
    if (state_ == State::Closed) {
        return;
    }
    check(pending_ == Pending::AuthLookup, "answer_scram_unavailable() without a question");
    pending_ = Pending::None;
    on_auth_step(exchange_->unavailable());
}

}  // namespace godwit::smtp
