// Reads a log file of the engine for one question: does it end where it was torn, or is something
// lost before its end? RocksDB cannot say: the mode that refuses damage also refuses what a power
// cut leaves of the last record, the mode that takes the latter loses synced records in silence.
// Law: RELIABILITY.md 3 and P5; docs/decisions/0017. Pure and linear but for checksums of what
// looks like a record behind damage.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace godwit::store {

/// What a log holds. A commit is one record, written when the one before it was synced: a record
/// that was begun behind a damaged one says that the damaged one had been promised.
struct EngineLog {
    std::uint64_t first_commit = 0;  ///< Numbers of commits in whole records; 0 when there is none.
    std::uint64_t last_commit = 0;
    bool is_torn = false;                ///< Its last record is not whole, or room lies behind it.
    bool is_damaged_before_end = false;  ///< Synced records are lost.
};
/// `commit_key` is the key of the row that carries a commit's number.
EngineLog read_engine_log(std::string_view octets, std::string_view commit_key);
/// How many octets from the start are whole records, in a file of records that are not batches: the
/// engine's list of its tables (MANIFEST). All of them when it is not torn.
std::uint64_t whole_engine_records(std::string_view octets);
/// Every key in the whole records up to the end, or up to damage; keys may come more than once.
void for_each_log_key(std::string_view octets,
                      const std::function<void(std::string_view key)>& visit);

}  // namespace godwit::store
