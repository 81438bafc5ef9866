// TLS over a Channel, one step at a time; it never waits. Private to net/; OpenSSL stays in
// layer.cc. One path for sockets and memory: OpenSSL reads and writes through a small BIO on the
// channel, so what tests run is what serves. Buffers are released while idle
// (SSL_MODE_RELEASE_BUFFERS).
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "net/io/channel.h"
#include "net/tls/context.h"

namespace godwit::net {

/// Own shard only; moves with its stream. The channel and the context outlive it.
class TlsLayer : public TlsSession {
public:
    static std::unique_ptr<TlsLayer> server(const TlsServerContext& context, Channel* channel);
    static Result<std::unique_ptr<TlsLayer>> client(const TlsClientContext& context,
                                                    const TlsClientOptions& options,
                                                    Channel* channel);
    virtual IoStep handshake() = 0;
    virtual IoStep read(std::span<char> buffer) = 0;
    virtual IoStep peek() = 0;
    virtual IoStep write(std::string_view bytes) = 0;
    /// close_notify.
    virtual IoStep shutdown() = 0;
    /// Why the last step failed.
    [[nodiscard]] virtual Error failure(std::string_view doing) const = 0;
};

}  // namespace godwit::net
