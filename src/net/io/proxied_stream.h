// A stream whose ends a load balancer named: all else is the connection to the balancer.
#pragma once

#include <memory>

#include "net/io/stream.h"

namespace godwit::net {

struct ProxiedEnds {
    Endpoint peer;   ///< The client.
    Endpoint local;  ///< What it connected to.
};

/// `inner` with other names for its ends.
std::unique_ptr<Stream> make_proxied(std::unique_ptr<Stream> inner, ProxiedEnds ends);

}  // namespace godwit::net
