// Which messages of other servers or files an account has taken: rows a, one a message, written in
// the commit that appends it, so that an import goes on where it was, whatever became of the
// server, the importing program, or the message itself since. They go with the account.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "store/kv/kv.h"

namespace godwit::store {

/// Octets: the front of a SHA-256 over what tells the message from all others of its source.
inline constexpr std::size_t origin_size = 16;

bool is_origin(std::string_view text);

/// For each of them whether a message of that origin was taken. Bounded by the caller; malformed
/// ones never were.
Result<std::vector<bool>> read_origins(const Snapshot& snapshot, ReadTier tier, AccountId account,
                                       std::span<const std::string> origins);

}  // namespace godwit::store
