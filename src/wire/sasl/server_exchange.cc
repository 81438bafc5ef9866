// The state machine of the server's side.
#include "wire/sasl/server_exchange.h"

#include "base/ascii.h"
#include "base/encoding.h"
#include "base/limits.h"
#include "wire/sasl/saslprep.h"

namespace godwit::sasl {

ServerExchange::ServerExchange(Mechanism mechanism, ExchangeOptions options)
    : mechanism_(mechanism), options_(std::move(options)) {}

Step ServerExchange::fail(Failure failure, std::string_view reason) {
    state_ = State::Over;
    return Failed{.failure = failure, .authcid = authcid_, .reason = std::string(reason)};
}

ScramHash ServerExchange::scram_hash() const {
    return row_of(mechanism_).scram.value_or(ScramHash::Sha256);
}

Step ServerExchange::start(std::optional<std::string_view> initial) {
    if (state_ != State::New) {
        return fail(Failure::Malformed, "started twice");
    }
    switch (mechanism_) {
        case Mechanism::External: state_ = State::External; break;
        case Mechanism::Plain: state_ = State::Plain; break;
        case Mechanism::Login: state_ = State::LoginName; break;
        case Mechanism::OAuthBearer:
        case Mechanism::XOAuth2: state_ = State::Bearer; break;
        case Mechanism::ScramSha1:
        case Mechanism::ScramSha1Plus:
        case Mechanism::ScramSha256:
        case Mechanism::ScramSha256Plus: state_ = State::ScramFirst; break;
    }
    if (initial) {
        return respond(*initial);
    }
    // Client-first mechanisms: an empty challenge asks for the first message (RFC 4422).
    return Challenge{mechanism_ == Mechanism::Login ? "Username:" : ""};
}

Step ServerExchange::respond(std::string_view bytes) {
    switch (state_) {
        case State::External: return on_external(bytes);
        case State::Plain: return on_plain(bytes);
        case State::LoginName: return on_login_name(bytes);
        case State::LoginPassword: return on_login_password(bytes);
        case State::ScramFirst: return on_scram_first(bytes);
        case State::ScramFinal: return on_scram_final(bytes);
        case State::ScramLast:
            // The client only acknowledges the server's signature (RFC 4422).
            if (!bytes.empty()) {
                return fail(Failure::Malformed, "bytes behind the end of SCRAM");
            }
            state_ = State::Over;
            return Done{.authzid = authzid_, .authcid = authcid_, .mechanism = mechanism_};
        case State::Bearer: return on_bearer(bytes);
        // RFC 7628 3.2.3: a single ^A, and XOAUTH2 nothing; whatever it is, this was the end.
        case State::BearerRefused: return fail(Failure::Credentials, "the token was refused");
        case State::New:
        case State::ScramKeysWanted:
        case State::Verdict:
        case State::Over: break;
    }
    return fail(Failure::Malformed, "a response nobody asked for");
}

Step ServerExchange::cancel() {
    if (state_ == State::BearerRefused) {
        // RFC 7628 3.2.3: the other way to end after a refusal. It stays one.
        return fail(Failure::Credentials, "the token was refused");
    }
    return fail(Failure::Cancelled, "cancelled by the client");
}

// RFC 4422 appendix A: the authorization identity, or nothing.
Step ServerExchange::on_external(std::string_view bytes) {
    if (bytes.size() > limits::sasl_name_size_max || bytes.find('\0') != std::string_view::npos ||
        !is_utf8(bytes)) {
        return fail(Failure::Malformed, "EXTERNAL: bad authzid");
    }
    authzid_ = bytes;
    state_ = State::Verdict;
    return NeedCertificate{.authzid = authzid_};
}

Step ServerExchange::on_bearer(std::string_view bytes) {
    auto request =
        mechanism_ == Mechanism::XOAuth2 ? parse_xoauth2(bytes) : parse_oauthbearer(bytes);
    if (!request) {
        return fail(Failure::Malformed, request.error().text);
    }
    authzid_ = std::move(request->authzid);
    authcid_ = authzid_;
    state_ = State::Verdict;
    return NeedToken{.authzid = authzid_, .token = std::move(request->token)};
}

Step ServerExchange::on_plain(std::string_view bytes) {
    const auto parts = split(bytes, '\0');
    if (parts.size() != 3 || parts[1].empty() || parts[2].empty()) {
        return fail(Failure::Malformed, "PLAIN wants [authzid] NUL authcid NUL password");
    }
    if (parts[0].size() > limits::sasl_name_size_max || !is_utf8(parts[0])) {
        return fail(Failure::Malformed, "PLAIN: bad authzid");
    }
    authzid_ = parts[0];
    if (auto step = on_login_name(parts[1]); std::holds_alternative<Failed>(step)) {
        return step;
    }
    return on_login_password(parts[2]);
}

Step ServerExchange::on_login_name(std::string_view bytes) {
    if (bytes.size() > limits::sasl_name_size_max || bytes.find('\0') != std::string_view::npos ||
        !is_utf8(bytes)) {
        return fail(Failure::Malformed, "bad name");
    }
    auto name = prepare(bytes, Preparation::Query);
    if (!name) {
        return fail(Failure::Credentials, name.error().text);
    }
    authcid_ = *std::move(name);
    state_ = State::LoginPassword;
    return Challenge{"Password:"};
}

Step ServerExchange::on_login_password(std::string_view bytes) {
    auto password = prepare_password(bytes, Preparation::Query);
    if (!password) {
        return fail(Failure::Credentials, password.error().text);
    }
    state_ = State::Verdict;
    return NeedPassword{.authzid = authzid_, .authcid = authcid_, .password = *std::move(password)};
}

Step ServerExchange::on_scram_first(std::string_view bytes) {
    auto first = parse_client_first(bytes);
    if (!first) {
        return fail(Failure::Malformed, first.error().text);
    }
    first_ = *std::move(first);
    authzid_ = first_.authzid;
    auto name = prepare(first_.name, Preparation::Query);
    if (!name) {
        return fail(Failure::Credentials, name.error().text);
    }
    authcid_ = *std::move(name);
    const bool is_plus = row_of(mechanism_).needs_channel_binding;
    const bool is_used = first_.binding == ScramClientFirst::Binding::Used;
    if (is_plus != is_used) {
        return fail(Failure::Malformed, "the binding flag does not fit the mechanism's name");
    }
    if (is_used && options_.bindings.find(first_.binding_type).empty()) {
        return fail(Failure::Credentials,
                    "channel binding type not supported: " + first_.binding_type);
    }
    if (first_.binding == ScramClientFirst::Binding::NotUsed && options_.plus_announced) {
        // RFC 5802 6: the client did not see the -PLUS that was announced. Someone removed it.
        return fail(Failure::Credentials, "downgrade: client says no channel binding was offered");
    }
    state_ = State::ScramKeysWanted;
    return NeedScramKeys{.authzid = authzid_, .authcid = authcid_, .hash = scram_hash()};
}

Step ServerExchange::keys(std::optional<ScramKeys> keys) {
    if (state_ != State::ScramKeysWanted) {
        return fail(Failure::Malformed, "keys nobody asked for");
    }
    check(!keys || keys->hash == scram_hash(), "SCRAM keys of another hash");
    is_decoy_ = !keys.has_value();
    keys_ = keys ? *std::move(keys)
                 : scram_decoy(options_.decoy_secret, authcid_, limits::scram_iterations_default,
                               scram_hash());
    server_first_ = "r=" + first_.nonce + options_.nonce + ",s=" + base64_encode(keys_.salt) +
                    ",i=" + std::to_string(keys_.iterations);
    state_ = State::ScramFinal;
    return Challenge{server_first_};
}

Step ServerExchange::unavailable() {
    return fail(Failure::Temporary, "the look-up failed");
}

Step ServerExchange::on_scram_final(std::string_view bytes) {
    const auto final = parse_client_final(bytes, scram_hash());
    if (!final) {
        return fail(Failure::Malformed, final.error().text);
    }
    // RFC 5802 5.1: the nonce must be ours, whole; section 6: "c=" is always checked.
    const std::string binding =
        first_.gs2_header + std::string(options_.bindings.find(first_.binding_type));
    if (final->nonce != first_.nonce + options_.nonce || final->channel_binding != binding) {
        return fail(Failure::Credentials, "nonce or channel binding does not match");
    }
    const std::string auth_message = first_.bare + "," + server_first_ + "," + final->without_proof;
    const auto signature = verify_proof(keys_, auth_message, final->proof);
    if (!signature || is_decoy_) {
        return fail(Failure::Credentials,
                    is_decoy_ ? "no SCRAM keys of that name" : "wrong password");
    }
    server_first_ = "v=" + base64_encode(*signature);
    state_ = State::Verdict;
    return Proved{.authzid = authzid_, .authcid = authcid_};
}

Step ServerExchange::finish(sasl::Verdict verdict) {
    if (state_ != State::Verdict) {
        return fail(Failure::Malformed, "a verdict nobody asked for");
    }
    if (verdict == sasl::Verdict::Denied && row_of(mechanism_).bears_token) {
        state_ = State::BearerRefused;
        return Challenge{mechanism_ == Mechanism::XOAuth2
                             ? xoauth2_error(options_.token_refusal)
                             : oauthbearer_error(options_.token_refusal)};
    }
    if (verdict == sasl::Verdict::Denied) {
        return fail(Failure::Credentials, "denied");
    }
    if (verdict == sasl::Verdict::Temporary) {
        return fail(Failure::Temporary, "not verifiable now");
    }
    if (!row_of(mechanism_).scram) {
        state_ = State::Over;
        return Done{.authzid = authzid_, .authcid = authcid_, .mechanism = mechanism_};
    }
    // None of the three protocols carries data with success, so it travels as a last challenge.
    state_ = State::ScramLast;
    return Challenge{server_first_};
}

}  // namespace godwit::sasl
