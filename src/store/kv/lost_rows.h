// Walks on behind rows that the engine cannot read any more: a damaged block of a table costs the
// rows in it and no others. Law: docs/decisions/0021.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/kv/kv.h"
#include "store/kv/record.h"

namespace godwit::store {

/// What cannot be read: rows behind `after` and before `before` (empty: up to the end).
struct LostRows {
    std::string after;
    std::string before;
    std::string error;
};

/// "behind E 00000001 and before E 00000004: block checksum mismatch ..."
std::string to_string(const LostRows& lost);

/// The engine could not read it: a block whose checksum does not hold, a sector that the disk does
/// not give.
inline bool is_unreadable(const Error& error) {
    return is_damage(error) || error.code == ErrorCode::Io;
}

using CursorMaker = std::function<std::unique_ptr<Cursor>()>;

/// A walk met damage at or behind `after`: the next row, near behind the damage, that can be read;
/// nullopt when there is none. Fails when anything but what cannot be read is met. Costs some
/// hundred seeks.
Result<std::optional<std::string>> find_past_damage(const CursorMaker& make,
                                                    std::string_view after);

/// Calls `visit(key, value)` for each row from `from` on that can be read, and `lose(LostRows)` for
/// what lies between. Both give a Result<>.
template <class Visit, class Lose>
Result<> each_readable(const CursorMaker& make, std::string_view from, Visit visit, Lose lose) {
    std::string last(from);
    std::string next(from);
    for (;;) {
        const std::unique_ptr<Cursor> cursor = make();
        for (cursor->seek(next); cursor->is_valid(); cursor->next()) {
            last.assign(cursor->key());
            TRY(visit(cursor->key(), cursor->value()));
        }
        const Result<> status = cursor->status();
        if (status) {
            return {};
        }
        if (!is_unreadable(status.error())) {
            return status;
        }
        const std::optional<std::string> behind = TRY(find_past_damage(make, last));
        TRY(lose(LostRows{.after = last,
                          .before = behind.value_or(std::string()),
                          .error = status.error().text}));
        if (!behind) {
            return {};
        }
        next = last = *behind;
    }
}

}  // namespace godwit::store
