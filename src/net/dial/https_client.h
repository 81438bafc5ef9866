// One HTTPS request, answered once: what the mail system asks of web servers (MTA-STS policies). No
// redirects, no cookies, no proxies, no connection kept. The one door of Boost.Beast.
// RFC 9110, RFC 9112; SECURITY.md T119.
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

struct HttpsRequest {
    std::string host;              ///< Looked up, sent as SNI and Host, verified.
    std::optional<Endpoint> at{};  ///< Instead of looking `host` up; may be a private address.
    std::uint16_t port = 443;
    /// Opportunistic: any certificate will do.
    TlsVerify verify = TlsVerify::Name;
    std::string path = "/";
    std::string post_body{};     ///< Not empty: POST, else GET.
    std::string content_type{};  ///< Of post_body.
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
/// `resolver` may be null when `at` is given. All outlive the wait.
Task<Result<HttpsResponse>> ask_https(Network* network, Resolver* resolver,
                                      const TlsClientContext* trust, HttpsRequest request);

/// What all octets of a server up to its end mean. Pure: for tests and the fuzz target.
Result<HttpsResponse> parse_https_answer(std::string_view octets, std::size_t body_size_max);

}  // namespace godwit::net
