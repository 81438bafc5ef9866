// Walks the whole store and says of every invariant how often it was checked and how often it did
// not hold. Changes nothing. Law: RELIABILITY.md 6 (I15-I25), STORE.md "Decided" 6,
// docs/storage.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/blob/blob.h"
#include "store/kv/kv.h"
#include "store/store.h"

namespace godwit::store {

struct FsckOptions {
    bool read_bodies = true;  ///< Reads each body whole and compares its hash: the slow part.
};

/// One invariant. `examples` names the first few rows at fault (limits::fsck_examples_max).
struct FsckFinding {
    std::string invariant;
    std::uint64_t checked = 0;
    std::uint64_t violations = 0;
    std::vector<std::string> examples;
};

/// Looks at one snapshot, also of a store at work. Memory grows with accounts and mailboxes, not
/// with messages. Blocks on the disk: offload pool or a process of its own. Fails only when the
/// engine cannot be read; a damaged row is a finding.
Result<std::vector<FsckFinding>> fsck(const Kv& kv, const BlobStore& blobs,
                                      const FsckOptions& options);
inline Result<std::vector<FsckFinding>> fsck(Store& store, const FsckOptions& options) {
    return fsck(store.kv(), store.blobs(), options);
}

}  // namespace godwit::store
