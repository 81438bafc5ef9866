// How the descriptors a process may have are shared out, so that connections never take those that
// the store needs: a log or a table that cannot be opened would end the process.
// SECURITY.md T94; docs/operating/limits.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace godwit::app {

struct DescriptorNeeds {
    std::uint64_t limit = 0;  ///< RLIMIT_NOFILE, soft.
    std::size_t listeners = 0;
    unsigned shards = 1;
    bool has_resolver = false;
};

struct DescriptorPlan {
    int key_files = 0;              ///< Tables of the engine kept open.
    std::size_t body_files = 0;     ///< Files of bodies kept open for reading.
    std::uint32_t connections = 0;  ///< Served at once, at most.
    int sockets_below = 0;          ///< No socket takes a descriptor from this number on.
};

/// Half of what connections get is for the sockets themselves, half for the bodies that arrive on
/// them; a quarter of the sockets is for deliveries. Peer error when it is too little to serve:
/// says how many are needed. Pure.
Result<DescriptorPlan> plan_descriptors(const DescriptorNeeds& needs);

/// RLIMIT_NOFILE as it is now, soft.
std::uint64_t descriptor_limit();
/// Raises it to its hard bound.
void raise_descriptor_limit();

}  // namespace godwit::app
