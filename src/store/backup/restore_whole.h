// Makes a data folder out of a backup. Law: docs/storage.md "Backups"; RELIABILITY.md I15-I17.
// UIDs, UIDVALIDITY, flags, passwords and queue are as at the backup. What must not be given twice
// goes on with a gap, since the lost server may have gone on after the backup: UIDNEXT, ids, mod-
// sequences. Every message counts as changed (one new mod-sequence), so that clients with a newer
// memory synchronise in full. Queued mail is held, for it may have been sent since.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/backup/folder.h"
#include "store/store.h"

namespace godwit::store {

// Gaps: more than a server gives between a backup and its loss, and less than a 4,000th of what
// there is, so that a store may be restored many times.
inline constexpr std::uint32_t restore_uid_gap = 1U << 20U;      ///< UIDs of each mailbox, emails.
inline constexpr std::uint32_t restore_mailbox_gap = 1U << 16U;  ///< Mailboxes; accounts.
inline constexpr std::uint64_t restore_mod_seq_gap = 1ULL << 32U;
inline constexpr std::uint64_t restore_mail_id_gap = 1ULL << 32U;
/// Held queue entries are kept so long at least: else the first hour would report old ones as
/// undeliverable before anybody looked.
inline constexpr std::chrono::hours restore_queue_keep{7 * 24};
/// Damaged parts and blocks named in the result.
inline constexpr std::size_t restore_losses_max = 20;
/// Rows of one commit.
inline constexpr std::size_t restore_batch_size = 4 * 1024 * 1024;

struct WholeRestore {
    std::string folder;  ///< Of the backup.
    std::optional<std::string> generation;
    bool release_queue = false;  ///< Queued mail is sent again as if nothing had happened.
    WallTime now{};
    std::uint64_t new_store = 0;  ///< Random: the restored store's name (FormatRow::store).
};
struct WholeRestored {
    std::string generation;
    std::uint64_t rows = 0;
    std::uint64_t segment_bytes = 0;
    std::uint64_t held_deliveries = 0;
    std::uint64_t damaged_rows = 0;  ///< As in the backup; a fsck names them.
    /// Parts of segments and blocks of rows that the backup does not give as they were: what could
    /// not be read of them is missing. All, and the first few by name.
    std::uint64_t damaged_parts = 0;
    std::vector<std::string> losses;
    /// Every row and every segment's octets came back, whatever else is damaged.
    bool is_complete = true;
};

/// `target` says where, as for Store::open; its folder is empty or absent. While it runs, and when
/// it did not come to its end, no program opens the folder. Denied when the folder is not empty;
/// Corrupt when nothing can be made of the backup; Unsupported; DiskFull.
Result<WholeRestored> restore_whole(FileSystem* source, const WholeRestore& request,
                                    const StoreOptions& target);

}  // namespace godwit::store
