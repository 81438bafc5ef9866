// The grammar of RFC 7628 3.1 and of XOAUTH2.
#include "wire/sasl/bearer.h"

#include "base/ascii.h"
#include "base/json.h"
#include "base/limits.h"
#include "wire/sasl/scram.h"

namespace godwit::sasl {

// RFC 6750 2.1: 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=".
bool is_bearer_token(std::string_view text) {
    const std::size_t end = std::min(text.find('='), text.size());
    if (end == 0 || text.size() > bearer_token_size_max ||
        text.find_first_not_of('=', end) != std::string_view::npos) {
        return false;
    }
    for (const char c : text.substr(0, end)) {
        if (!is_alnum(c) && std::string_view("-._~+/").find(c) == std::string_view::npos) {
            return false;
        }
    }
    return true;
}

namespace {

constexpr char kSeparator = '\x01';  // kvsep

std::unexpected<Error> malformed(std::string_view what) {
    return peer_error(ErrorCode::Invalid, "bearer: " + std::string(what));
}

// value of RFC 7628 3.1: VCHAR, SP, HTAB, CR, LF.
bool is_value(std::string_view text) {
    for (const char c : text) {
        if (!is_vchar(c) && c != ' ' && c != '\t' && c != '\r' && c != '\n') {
            return false;
        }
    }
    return true;
}

bool is_name(std::string_view text) {
    return text.size() <= limits::sasl_name_size_max && is_utf8(text) &&
           text.find('\0') == std::string_view::npos;
}

Result<std::string> take_token(std::string_view value) {
    // RFC 7235 2.1: the scheme in any case, then at least one space.
    constexpr std::string_view kScheme = "bearer";
    if (value.size() <= kScheme.size() ||
        !equals_ignore_case(value.substr(0, kScheme.size()), kScheme) ||
        value[kScheme.size()] != ' ') {
        return malformed("another scheme than Bearer");
    }
    value.remove_prefix(std::min(value.find_first_not_of(' ', kScheme.size()), value.size()));
    if (!is_bearer_token(value)) {
        return malformed("not a token (bearer.h: bearer_token_size_max)");
    }
    return std::string(value);
}

// *kvpair kvsep, all of it.
Result<> take_pairs(std::string_view rest, BearerRequest& request) {
    bool has_auth = false;
    while (!rest.starts_with(kSeparator)) {
        const std::size_t end = rest.find(kSeparator);
        const std::string_view pair = rest.substr(0, end);
        const std::size_t equals = pair.find('=');
        if (end == std::string_view::npos || equals == 0 || equals == std::string_view::npos ||
            !is_value(pair.substr(equals + 1))) {
            return malformed("bad key and value");
        }
        const std::string_view key = pair.substr(0, equals);
        const std::string_view value = pair.substr(equals + 1);
        if (equals_ignore_case(key, "auth")) {
            if (std::exchange(has_auth, true)) {
                return malformed("auth twice");
            }
            request.token = TRY(take_token(value));
        } else if (equals_ignore_case(key, "host")) {
            request.host = value.substr(0, limits::sasl_name_size_max);
        } else if (equals_ignore_case(key, "port")) {
            request.port = value.substr(0, limits::sasl_name_size_max);
        }
        // RFC 7628 3.1: unknown ones MUST be ignored.
        rest.remove_prefix(end + 1);
    }
    if (rest.size() != 1 || !has_auth) {
        return malformed(has_auth ? "bytes behind the end" : "no auth");
    }
    return {};
}

}  // namespace

Result<BearerRequest> parse_oauthbearer(std::string_view message) {
    // RFC 5801 4: gs2-header; no channel binding is defined for this mechanism.
    if (!message.starts_with("n,") && !message.starts_with("y,")) {
        return malformed("bad GS2 header");
    }
    message.remove_prefix(2);
    BearerRequest request;
    const std::size_t end = message.find(',');
    const std::string_view authzid = message.substr(0, end);
    if (end == std::string_view::npos || (!authzid.empty() && !authzid.starts_with("a="))) {
        return malformed("bad GS2 header");
    }
    if (!authzid.empty()) {
        auto name = unescape_name(authzid.substr(2));
        if (!name || name->empty() || !is_name(*name)) {
            return malformed("bad authzid");
        }
        request.authzid = *std::move(name);
    }
    message.remove_prefix(end + 1);
    if (!message.starts_with(kSeparator)) {
        return malformed("no separator behind the GS2 header");
    }
    TRY(take_pairs(message.substr(1), request));
    return request;
}

Result<BearerRequest> parse_xoauth2(std::string_view message) {
    // "user=" name ^A "auth=Bearer " token ^A ^A
    constexpr std::string_view kUser = "user=";
    const std::size_t end = message.find(kSeparator);
    if (!message.starts_with(kUser) || end == std::string_view::npos) {
        return malformed("XOAUTH2 begins with user=");
    }
    BearerRequest request;
    const std::string_view name = message.substr(kUser.size(), end - kUser.size());
    if (name.empty() || !is_name(name)) {
        return malformed("bad user");
    }
    request.authzid = name;
    TRY(take_pairs(message.substr(end + 1), request));
    return request;
}

std::string make_oauthbearer(const BearerRequest& request) {
    std::string out = "n,";
    if (!request.authzid.empty()) {
        out += "a=" + escape_name(request.authzid);
    }
    out.append(",").append(1, kSeparator);
    if (!request.host.empty()) {
        out.append("host=").append(request.host).append(1, kSeparator);
    }
    if (!request.port.empty()) {
        out.append("port=").append(request.port).append(1, kSeparator);
    }
    return out.append("auth=Bearer ").append(request.token).append(2, kSeparator);
}

std::string make_xoauth2(const BearerRequest& request) {
    std::string out = "user=" + request.authzid;
    out.append(1, kSeparator).append("auth=Bearer ");
    return out.append(request.token).append(2, kSeparator);
}

std::string oauthbearer_error(const BearerRefusal& refusal) {
    JsonWriter json;
    json.begin_object().field("status", "invalid_token");
    if (!refusal.scope.empty()) {
        json.field("scope", refusal.scope);
    }
    if (!refusal.openid_configuration.empty()) {
        json.field("openid-configuration", refusal.openid_configuration);
    }
    json.end_object();
    return std::move(json).take();
}

std::string xoauth2_error(const BearerRefusal& refusal) {
    JsonWriter json;
    json.begin_object().field("status", "401").field("schemes", "bearer");
    if (!refusal.scope.empty()) {
        json.field("scope", refusal.scope);
    }
    json.end_object();
    return std::move(json).take();
}

}  // namespace godwit::sasl
