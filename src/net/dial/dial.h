// From a host to a connection: one address after the other until one answers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/io/network.h"
#include "net/resolver/resolver.h"

namespace godwit::net {

struct DialRequest {
    std::string host{};  ///< For errors, and to be resolved when `endpoints` is empty.
    std::uint16_t port = 0;
    std::vector<Endpoint>
        endpoints{};             ///< Tried instead of resolving `host`; never refused as private.
    MonoTime deadline = kNever;  ///< For all of it.
    Duration connect_timeout{};  ///< For each address; 0: limits.h smtp_client_connect_timeout.
    std::optional<IpAddress> source_v4{};  ///< The local address to use, per family.
    std::optional<IpAddress> source_v6{};
    bool allow_private = false;  ///< Take resolved addresses that are not global (T62).
};

/// What became of one address that did not answer.
struct DialAttempt {
    Endpoint endpoint;
    Error error;
};
struct Dialed {
    std::unique_ptr<Stream> stream;
    Endpoint endpoint;
    std::vector<DialAttempt> failed;  ///< Tried before it.
};

/// IPv6 and IPv4 in turn, IPv6 first, at most dial_addresses_max. Errors: Peer/NotFound when the
/// host has no address; Peer/Denied when none may be connected to; what the resolver says
/// (Temporary); else Temporary with the code of the last attempt and a text that names each.
/// `resolver` may be null: then a name is Temporary/Unavailable. Both outlive the wait.
Task<Result<Dialed>> dial(Network* network, Resolver* resolver, DialRequest request);

/// The order dial() tries them in: families alternate, IPv6 first, duplicates dropped.
std::vector<IpAddress> dial_order(const std::vector<IpAddress>& addresses);

}  // namespace godwit::net
