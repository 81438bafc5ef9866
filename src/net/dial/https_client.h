// One HTTPS request, answered once: what the mail system asks of web servers (MTA-STS policies,
// issuers of access tokens). No redirects, no cookies, no proxies, no connection kept. The one door
// of Boost.Beast. RFC 9110, RFC 9112; SECURITY.md T119.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/io/endpoint.h"
#include "net/io/network.h"
#include "net/io/task.h"
#include "net/resolver/resolver.h"
#include "net/tls/context.h"

namespace godwit::net {

/// Octets of status line and header fields.
inline constexpr std::size_t https_header_size_max = 32 * 1024;
/// All octets of an answer that are not its body: status line and header fields, and what frames
/// chunks (their sizes, extensions and trailers), which says nothing and could go on for ever.
inline constexpr std::size_t https_framing_size_max = 64 * 1024;

/// "https://host[:port][/path]". Paths are taken as they are written.
struct HttpsUrl {
    std::string host;
    std::uint16_t port = 443;
    std::string path = "/";  ///< With the query.
    bool operator==(const HttpsUrl&) const = default;
};
/// Peer/Invalid for another scheme, names and passwords, a fragment, and what is not printable
/// ASCII; at most 2,048 octets.
Result<HttpsUrl> parse_https_url(std::string_view text);

struct HttpsRequest {
    std::string host;  ///< Looked up, sent as SNI and Host, verified.
    std::uint16_t port = 443;
    std::optional<Endpoint> at{};  ///< Instead of looking `host` up; may be a private address.
    /// Opportunistic: any certificate will do.
    TlsVerify verify = TlsVerify::Name;
    std::string path = "/";
    std::string post_body{};      ///< Not empty: POST, else GET.
    std::string content_type{};   ///< Of post_body.
    std::string authorization{};  ///< Credentials of ours, without line breaks; empty: none.
    std::size_t body_size_max = 64 * 1024;
    std::chrono::seconds patience{60};  ///< For all of it.
};
struct HttpsResponse {
    unsigned status = 0;
    std::string content_type;  ///< As it was sent.
    std::string body;
};

/// Any status is an answer. Errors: Peer/Denied for a certificate that is not the host's by a
/// trusted CA, Peer/Invalid for what is no HTTP, LimitExceeded, and those of dial() and Stream.
/// `resolver` may be null, as for dial(). All outlive the wait.
Task<Result<HttpsResponse>> ask_https(Network* network, Resolver* resolver,
                                      const TlsClientContext* trust, HttpsRequest request);

/// What all octets of a server up to its end mean. Pure: for tests and the fuzz target.
Result<HttpsResponse> parse_https_answer(std::string_view octets, std::size_t body_size_max);

}  // namespace godwit::net
