// TLS that is the same each time: the real library with the world's luck and a fixed certificate.
#pragma once

#include <cstdint>

#include "net/tls/context.h"

namespace godwit::sim {

/// From here on the TLS library draws its random bytes from `seed`. One thread.
void make_tls_deterministic(std::uint64_t seed);

/// For all servers of the world.
net::TlsCertificate world_certificate();

}  // namespace godwit::sim
