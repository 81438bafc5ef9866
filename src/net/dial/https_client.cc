#include "net/dial/https_client.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "net/dial/dial.h"

namespace godwit::net {

namespace {

namespace http = boost::beast::http;

constexpr std::uint16_t kHttpsPort = 443;
constexpr std::size_t kUrlSizeMax = 2048;
constexpr std::size_t kHostSizeMax = 253;

// RFC 9110 7.2: the port where it is not the usual one; RFC 3986 3.2.2: IPv6 in brackets.
std::string authority_of(const HttpsRequest& request) {
    const bool is_v6 = request.host.contains(':');
    std::string text = is_v6 ? "[" + request.host + "]" : request.host;
    return request.port == kHttpsPort ? text : text + ":" + std::to_string(request.port);
}

std::string text_of(const HttpsRequest& request) {
    std::string text = (request.post_body.empty() ? "GET " : "POST ") + request.path +
                       " HTTP/1.1\r\nHost: " + authority_of(request) +
                       "\r\nUser-Agent: Godwit\r\nAccept: */*\r\nConnection: close\r\n";
    if (!request.authorization.empty()) {
        text += "Authorization: " + request.authorization + "\r\n";
    }
    if (!request.post_body.empty()) {
        text += "Content-Type: " + request.content_type +
                "\r\nContent-Length: " + std::to_string(request.post_body.size()) + "\r\n";
    }
    return text + "\r\n" + request.post_body;
}

std::unexpected<Error> no_http(const boost::system::error_code& error) {
    const bool is_large = error == http::error::body_limit || error == http::error::header_limit;
    return peer_error(is_large ? ErrorCode::LimitExceeded : ErrorCode::Invalid,
                      "HTTP answer: " + error.message());
}

std::unexpected<Error> ended_early() {
    return peer_error(ErrorCode::Invalid, "HTTP answer: it ended early");
}

/// Beast's parser, fed from a buffer of ours.
class Answer {
public:
    explicit Answer(std::size_t body_size_max) {
        parser_.eager(true);
        parser_.header_limit(static_cast<std::uint32_t>(https_header_size_max));
        parser_.body_limit(body_size_max);
    }
    [[nodiscard]] bool is_done() const { return parser_.is_done(); }
    Result<> feed(std::string_view bytes) {
        rest_ += bytes;
        taken_ += bytes.size();
        has_begun_ = has_begun_ || !bytes.empty();
        TRY(parse());
        const std::size_t behind = parser_.is_done() ? rest_.size() : 0;
        if (taken_ - behind - parser_.get().body().size() > https_framing_size_max) {
            return peer_error(ErrorCode::LimitExceeded,
                              "HTTP answer: too much of it is not its body");
        }
        return {};
    }
    /// The peer has ended.
    Result<> end() {
        if (!has_begun_) {
            return ended_early();  // Beast takes that for a mistake of ours.
        }
        boost::system::error_code error;
        parser_.put_eof(error);
        if (error) {
            return no_http(error);
        }
        return {};
    }
    HttpsResponse take() {
        auto message = parser_.release();
        HttpsResponse response;
        response.status = message.result_int();
        const auto type = message[http::field::content_type];
        response.content_type.assign(type.data(), type.size());
        response.body = std::move(message.body());
        return response;
    }

private:
    Result<> parse() {
        while (!rest_.empty() && !parser_.is_done()) {
            boost::system::error_code error;
            const std::size_t used = parser_.put(boost::asio::buffer(rest_), error);
            rest_.erase(0, used);
            if (error == http::error::need_more) {
                return {};
            }
            if (error) {
                return no_http(error);
            }
            if (used == 0) {
                return {};
            }
        }
        return {};
    }

    http::response_parser<http::string_body> parser_;
    bool has_begun_ = false;
    std::size_t taken_ = 0;  // Octets.
    std::string rest_;       // At most one header line or chunk head longer than what was read.
};

}  // namespace

Result<HttpsUrl> parse_https_url(std::string_view text) {
    constexpr std::string_view kScheme = "https://";
    const auto bad = [](std::string_view what) {
        return peer_error(ErrorCode::Invalid, "URL: " + std::string(what));
    };
    if (text.size() > kUrlSizeMax || !equals_ignore_case(text.substr(0, kScheme.size()), kScheme)) {
        return bad("expected https:// and at most 2048 octets");
    }
    if (text.find('#') != std::string_view::npos || !std::ranges::all_of(text, is_vchar)) {
        return bad("a fragment, a space or what is no printable ASCII");
    }
    text.remove_prefix(kScheme.size());
    const std::size_t end = std::min(text.find_first_of("/?"), text.size());
    const std::string_view authority = text.substr(0, end);
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    HttpsUrl url;
    url.host = to_lower(authority.substr(0, colon));
    const bool is_name = !url.host.empty() && url.host.size() <= kHostSizeMax &&
                         std::ranges::all_of(url.host, [](char c) {
                             return is_alnum(c) || c == '.' || c == '-' || c == '_';
                         });
    if (!is_name) {
        return bad("expected the name of a host");
    }
    if (colon < authority.size()) {
        const auto port = parse_u64(authority.substr(colon + 1));
        if (!port || *port == 0 || *port > 65535) {
            return bad("expected a port from 1 to 65535");
        }
        url.port = static_cast<std::uint16_t>(*port);
    }
    const std::string_view rest = text.substr(end);
    url.path = (rest.starts_with('/') ? "" : "/") + std::string(rest);
    return url;
}

Result<HttpsResponse> parse_https_answer(std::string_view octets, std::size_t body_size_max) {
    Answer answer(body_size_max);
    TRY(answer.feed(octets));
    if (!answer.is_done()) {
        TRY(answer.end());
    }
    if (!answer.is_done()) {
        return ended_early();
    }
    return answer.take();
}

Task<Result<HttpsResponse>> ask_https(Network* network, Resolver* resolver,
                                      const TlsClientContext* trust, HttpsRequest request) {
    const MonoTime deadline = Shard::here().now() + request.patience;
    DialRequest dialing;
    dialing.host = request.host;
    dialing.port = request.port;
    dialing.deadline = deadline;
    if (request.at) {
        dialing.endpoints = {*request.at};
    }
    Dialed dialed = CO_TRY(co_await dial(network, resolver, std::move(dialing)));
    Stream* const stream = dialed.stream.get();
    stream->set_deadline(deadline);
    TlsClientOptions tls;
    tls.host = request.host;
    tls.verify = request.verify;
    tls.alpn = {"http/1.1"};
    CO_TRY(co_await stream->start_tls_client(trust, std::move(tls)));
    const std::string text = text_of(request);
    CO_TRY(co_await stream->write_all(text));
    Answer answer(request.body_size_max);
    std::string buffer(16 * 1024, '\0');
    while (!answer.is_done()) {
        const std::size_t count = CO_TRY(co_await stream->read_some(buffer));
        if (count == 0) {
            CO_TRY(answer.end());
            break;
        }
        CO_TRY(answer.feed(std::string_view(buffer).substr(0, count)));
    }
    stream->abort();
    if (!answer.is_done()) {
        co_return ended_early();
    }
    co_return answer.take();
}

}  // namespace godwit::net
