// Endpoint to and from the kernel's sockaddr. Private to net/.
#pragma once

#include <sys/socket.h>

#include "net/io/endpoint.h"

namespace godwit::net {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    static Result<SocketAddress> of(const Endpoint& endpoint);
    [[nodiscard]] Endpoint endpoint() const;
    [[nodiscard]] const sockaddr* raw() const {
        return reinterpret_cast<const sockaddr*>(&storage);
    }
    [[nodiscard]] int family() const { return storage.ss_family; }
};

/// The near and the far end; 0.0.0.0:0 where the kernel does not say.
Endpoint local_endpoint(int socket);
Endpoint peer_endpoint(int socket);

}  // namespace godwit::net
