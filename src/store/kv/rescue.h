// Brings the engine of a damaged disk back: whatever rows can be read move into a fresh folder.
// Law: RELIABILITY.md 3; docs/decisions/0021; docs/operating/repair.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "store/kv/kv.h"
#include "store/kv/lost_rows.h"

namespace godwit::store {

/// What was found when an engine was opened for its repair.
struct Rescue {
    std::vector<LostRows> lost;  ///< In the order of their keys.
    /// Logs that end too early or are not there, tables that do not open.
    std::vector<std::string> remarks;
    std::uint64_t saved = 0;  ///< Rows within `lost` that were found all the same.
    /// Rows are gone, in this run or in one before that did not come to its end.
    bool are_rows_missing = false;
    std::string kept;  ///< Where the damaged folder is now; empty: nothing moved.
};
/// A table that does not open at all may be most of the store.
enum class LostTables : std::uint8_t { Refused, GivenUp };
struct RescuedKv {
    Rescue rescue;
    std::unique_ptr<Kv> kv;
};

/// Opens the engine in `folder` for repair(), whatever its commits are called. Where a table or a
/// log is damaged, all that can be read is copied into a fresh engine first (needs as much room
/// again), which takes the folder's place when it is durable; the damaged folder is kept beside it
/// as `<folder>.damaged-N`. May be cut off anywhere and run again. Nobody else may be at work
/// there. A list of tables (MANIFEST) that does not name all of them is made anew from those there
/// are. Fails where that list or CURRENT is lost, and where no row can be read.
Result<RescuedKv> open_rocks_kv_for_repair(const std::string& folder, RocksOptions options,
                                           LostTables lost_tables);

/// What follows from the rows that are left is repaired: the engine in `folder`, of which rows were
/// missing, may be opened again. Until then open_rocks_kv() refuses it.
Result<> end_rescue(const std::string& folder);

/// Says durably that the next commit of the engine in `folder` may be called `first`
/// (kRestoredFile).
Result<> allow_first_commit(const std::string& folder, CommitSeq first);

}  // namespace godwit::store
