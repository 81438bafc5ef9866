// Is a stored body whole? Asked before its size is promised to a client: once the promise is made,
// only the end of the connection can say that it is not kept, and what stands behind the damaged
// message would never come. RELIABILITY.md 7.
#pragma once

#include <cstdint>

#include "base/ids.h"
#include "base/result.h"
#include "flow/services.h"
#include "net/io/task.h"

namespace godwit::flow {

/// Reads octets [offset, offset + length) of the body, all of which must be there, and compares the
/// checksums of their frames; on the offload pool, 64 KiB of memory. A body that was found whole a
/// while ago
/// is not read again (a bounded memory of the process), so that damage that is younger is met by
/// the reader. Corrupt, NotFound, Io; what the store says. `services` outlives the wait. Any shard.
net::Task<Result<>> check_body(const Services* services, BlobId blob, std::uint64_t offset,
                               std::uint64_t length);

/// A reader met damage: the body is looked at again next time.
void forget_sound_body(const BlobId& blob);

}  // namespace godwit::flow
