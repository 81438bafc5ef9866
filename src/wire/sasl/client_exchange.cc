// The state machine of the client's side.
#include "wire/sasl/client_exchange.h"

#include "base/ascii.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "wire/sasl/bearer.h"
#include "wire/sasl/saslprep.h"

namespace godwit::sasl {

namespace {
/// As prepared; a string that SASLprep refuses is sent as it is, the server decides.
std::string prepared(const std::string& text) {
    auto result = prepare(text, Preparation::Query);
    return result ? *std::move(result) : text;
}
}  // namespace

std::optional<Mechanism> choose_mechanism(const std::vector<std::string>& offered,
                                          bool passwords_allowed, const ChannelBindings& bindings,
                                          bool has_token) {
    for (const MechanismRow* row : offered_mechanisms({.passwords_allowed = passwords_allowed,
                                                       .has_sha1_keys = true,
                                                       .takes_tokens = has_token},
                                                      bindings)) {
        if (row->bears_token != has_token) {
            continue;
        }
        for (const std::string& name : offered) {
            if (equals_ignore_case(name, row->name)) {
                return row->mechanism;
            }
        }
    }
    return std::nullopt;
}

ClientExchange::ClientExchange(Options options) : options_(std::move(options)) {
    options_.credentials.name = prepared(options_.credentials.name);
    options_.credentials.password = prepared(options_.credentials.password);
}

std::optional<std::string> ClientExchange::initial() {
    const Credentials& who = options_.credentials;
    switch (options_.mechanism) {
        case Mechanism::External: server_proved_ = true; return who.authzid;
        case Mechanism::Login: return std::nullopt;
        case Mechanism::Plain:
            server_proved_ = true;
            return who.authzid + '\0' + who.name + '\0' + who.password;
        case Mechanism::OAuthBearer:
        case Mechanism::XOAuth2: server_proved_ = true; return bearer_initial();
        case Mechanism::ScramSha1:
        case Mechanism::ScramSha256:
            // RFC 5802 6: "y" when we could bind but the server did not offer to.
            gs2_header_ = options_.bindings.is_empty() ? "n," : "y,";
            break;
        case Mechanism::ScramSha1Plus:
        case Mechanism::ScramSha256Plus:
            gs2_header_ = options_.bindings.tls_exporter.empty() ? "p=tls-server-end-point,"
                                                                 : "p=tls-exporter,";
            break;
    }
    if (!who.authzid.empty()) {
        gs2_header_ += "a=" + escape_name(who.authzid);
    }
    gs2_header_ += ',';
    first_bare_ = "n=" + escape_name(who.name) + ",r=" + options_.nonce;
    return gs2_header_ + first_bare_;
}

std::string ClientExchange::bearer_initial() const {
    const Credentials& who = options_.credentials;
    if (options_.mechanism == Mechanism::XOAuth2) {
        return make_xoauth2({.authzid = who.name, .token = who.token, .host = "", .port = ""});
    }
    return make_oauthbearer({.authzid = who.name,
                             .token = who.token,
                             .host = who.host,
                             .port = who.port == 0 ? "" : std::to_string(who.port)});
}

Result<std::string> ClientExchange::respond(std::string_view challenge) {
    ++step_;
    switch (options_.mechanism) {
        case Mechanism::Login: return on_login(challenge);
        case Mechanism::OAuthBearer:
        case Mechanism::XOAuth2:
            if (step_ == 1) {
                // The refusal: RFC 7628 3.2.3 ends it with ^A, XOAUTH2 with an empty line.
                server_proved_ = false;
                return std::string(options_.mechanism == Mechanism::OAuthBearer ? "\x01" : "");
            }
            break;
        case Mechanism::External:
        case Mechanism::Plain: break;
        case Mechanism::ScramSha1:
        case Mechanism::ScramSha1Plus:
        case Mechanism::ScramSha256:
        case Mechanism::ScramSha256Plus:
            if (step_ == 1) {
                return on_server_first(challenge);
            }
            if (step_ == 2) {
                return on_server_final(challenge);
            }
            break;
    }
    return peer_error(ErrorCode::Invalid, "SASL: a challenge that the mechanism does not have");
}

ScramHash ClientExchange::scram_hash() const {
    return row_of(options_.mechanism).scram.value_or(ScramHash::Sha256);
}

bool ClientExchange::may_succeed() const {
    return server_proved_;
}

Result<std::string> ClientExchange::on_login(std::string_view /*challenge*/) {
    // The prompts' texts differ from server to server; only their order is sure.
    if (step_ == 1) {
        return options_.credentials.name;
    }
    if (step_ == 2) {
        server_proved_ = true;
        return options_.credentials.password;
    }
    return peer_error(ErrorCode::Invalid, "LOGIN: a third challenge");
}

Result<std::string> ClientExchange::on_server_first(std::string_view challenge) {
    const ScramServerFirst first = TRY(parse_server_first(challenge));
    if (!first.nonce.starts_with(options_.nonce) || first.nonce.size() == options_.nonce.size()) {
        return peer_error(ErrorCode::Invalid, "SCRAM: the server's nonce does not continue ours");
    }
    std::string binding = gs2_header_;
    if (row_of(options_.mechanism).needs_channel_binding) {
        binding += options_.bindings.tls_exporter.empty() ? options_.bindings.tls_server_end_point
                                                          : options_.bindings.tls_exporter;
    }
    const std::string without_proof = "c=" + base64_encode(binding) + ",r=" + first.nonce;
    const std::string auth_message =
        first_bare_ + "," + std::string(challenge) + "," + without_proof;
    ScramProof made = make_proof(scram_hash(), options_.credentials.password, first, auth_message);
    server_signature_ = std::move(made.server_signature);
    return without_proof + ",p=" + base64_encode(made.proof);
}

Result<std::string> ClientExchange::on_server_final(std::string_view challenge) {
    const std::string signature = TRY(parse_server_final(challenge, scram_hash()));
    if (!constant_time_equal(signature, server_signature_)) {
        return peer_error(ErrorCode::Denied,
                          "SCRAM: the server did not prove that it knows the password");
    }
    server_proved_ = true;
    return std::string();
}

}  // namespace godwit::sasl
