// What becomes of a backup's rows in the store that is made of them. Law: restore_whole.h. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/ids.h"
#include "store/kv/kv.h"

namespace godwit::store {

/// Rows in the order of their keys: an account's head comes before its mailboxes and messages.
class RestoredRows {
public:
    struct How {
        bool release_queue = false;
        WallTime now{};
    };
    explicit RestoredRows(How how) : how_(how) {}

    /// The row as it shall be; nullopt when it has no place in the new store. Rows that do not
    /// decode stay as they are.
    std::optional<std::string> restored(std::string_view key, std::string_view value);
    [[nodiscard]] std::uint64_t held() const { return held_; }
    [[nodiscard]] std::uint64_t damaged() const { return damaged_; }

private:
    Result<std::string> changed(std::string_view key, std::string_view value);
    [[nodiscard]] std::optional<ModSeq> mod_seq_of(std::string_view key) const;

    How how_;
    std::unordered_map<AccountId, ModSeq> mod_seqs_;  // The one that each account's rows get.
    std::uint64_t held_ = 0;
    std::uint64_t damaged_ = 0;
};

}  // namespace godwit::store
