#include "serve/proxied.h"

#include <array>

#include "flow/policy/networks.h"
#include "net/io/proxied_stream.h"
#include "wire/proxy/header.h"

namespace godwit::serve {

namespace {

Result<net::Endpoint> endpoint_of(const proxy::Side& side) {
    return net::Endpoint(TRY(net::IpAddress::from_bytes(side.address)), side.port);
}

net::Task<Result<proxy::Header>> read_header(net::Stream* stream) {
    proxy::HeaderReader reader;
    std::array<char, 512> buffer;
    stream->set_deadline(stream->shard().now() + proxy_header_timeout);
    while (!reader.is_done()) {
        const std::size_t size = std::min(reader.wanted(), buffer.size());
        const std::size_t got = CO_TRY(co_await stream->read_some(std::span(buffer).first(size)));
        if (got == 0) {
            co_return peer_error(ErrorCode::Closed, "closed before its PROXY header was whole");
        }
        CO_TRY(reader.feed(std::string_view(buffer.data(), got)));
    }
    co_return reader.header();
}

}  // namespace

net::Task<Result<std::unique_ptr<net::Stream>>> take_proxy_header(
    const flow::Services* services, std::unique_ptr<net::Stream> stream) {
    if (!flow::is_in(services->settings()->trust.proxy, stream->peer())) {
        co_return peer_error(ErrorCode::Denied, "not one of trust.proxy");
    }
    const proxy::Header header = CO_TRY(co_await read_header(stream.get()));
    if (!header.client || !header.server) {
        co_return stream;
    }
    net::ProxiedEnds ends{.peer = CO_TRY(endpoint_of(*header.client)),
                          .local = CO_TRY(endpoint_of(*header.server))};
    co_return net::make_proxied(std::move(stream), std::move(ends));
}

}  // namespace godwit::serve
