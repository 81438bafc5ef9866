#include "net/io/socket_address.h"

#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

namespace godwit::net {

namespace {

template <class Address>
SocketAddress pack(const Address& address, std::size_t size) {
    SocketAddress made;
    std::memcpy(&made.storage, &address, sizeof address);
    made.size = static_cast<socklen_t>(size);
    return made;
}

template <class Address>
Address unpack(const sockaddr_storage& storage) {
    Address address{};
    std::memcpy(&address, &storage, sizeof address);
    return address;
}

}  // namespace

Result<SocketAddress> SocketAddress::of(const Endpoint& endpoint) {
    if (endpoint.is_unix()) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const std::string& path = endpoint.path();
        if (path.empty() || path.size() >= sizeof address.sun_path) {
            return internal_error(ErrorCode::Invalid,
                                  "a Unix socket's path has 1 to 107 bytes: " + path);
        }
        std::memcpy(address.sun_path, path.data(), path.size());
        return pack(address, offsetof(sockaddr_un, sun_path) + path.size() + 1);
    }
    std::string_view bytes = endpoint.address().bytes();
    if (endpoint.address().is_v4()) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(endpoint.port());
        std::memcpy(&address.sin_addr, bytes.data(), 4);
        return pack(address, sizeof address);
    }
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(endpoint.port());
    std::memcpy(&address.sin6_addr, bytes.data(), 16);
    return pack(address, sizeof address);
}

Endpoint SocketAddress::endpoint() const {
    if (family() == AF_UNIX) {
        auto address = unpack<sockaddr_un>(storage);
        std::size_t room =
            size > offsetof(sockaddr_un, sun_path) ? size - offsetof(sockaddr_un, sun_path) : 0;
        return Endpoint::unix_path(std::string(address.sun_path, strnlen(address.sun_path, room)));
    }
    if (family() == AF_INET) {
        auto address = unpack<sockaddr_in>(storage);
        std::array<std::uint8_t, 4> bytes{};
        std::memcpy(bytes.data(), &address.sin_addr, 4);
        return Endpoint(IpAddress::v4(bytes), ntohs(address.sin_port));
    }
    if (family() == AF_INET6) {
        auto address = unpack<sockaddr_in6>(storage);
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), &address.sin6_addr, 16);
        return Endpoint(IpAddress::v6(bytes), ntohs(address.sin6_port));
    }
    return Endpoint();
}

Endpoint local_endpoint(int socket) {
    SocketAddress address;
    address.size = sizeof address.storage;
    getsockname(socket, reinterpret_cast<sockaddr*>(&address.storage), &address.size);
    return address.endpoint();
}

Endpoint peer_endpoint(int socket) {
    SocketAddress address;
    address.size = sizeof address.storage;
    if (getpeername(socket, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) {
        // The peer has left already: the family is still that of our own end.
        return local_endpoint(socket).is_unix() ? Endpoint::unix_path("") : Endpoint();
    }
    return address.endpoint();
}

}  // namespace godwit::net
