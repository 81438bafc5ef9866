#include "store/commit/stamper_rows.h"

#include "store/kv/key.h"

namespace godwit::store {

void StampedRows::set(std::string key, std::optional<std::string> value) {
    const auto [row, is_new] = rows_.try_emplace(std::move(key));
    Undo undo{.row = row, .was_there = !is_new, .before = std::nullopt};
    if (!is_new) {
        size_ -= row_size(*row);
        undo.before = std::move(row->second);
    }
    row->second = std::move(value);
    size_ += row_size(*row);
    undo_.push_back(std::move(undo));
}

void StampedRows::roll_back() {
    for (; !undo_.empty(); undo_.pop_back()) {
        Undo& last = undo_.back();
        size_ -= row_size(*last.row);
        if (!last.was_there) {
            rows_.erase(last.row);
            continue;
        }
        last.row->second = std::move(last.before);
        size_ += row_size(*last.row);
    }
}

Result<std::optional<std::string>> StampedRows::get(std::string_view key) const {
    const auto row = rows_.find(key);
    if (row != rows_.end()) {
        return row->second;
    }
    return kv_->get(key, ReadTier::Disk);
}

const Snapshot& StampedRows::snapshot() const {
    if (!snapshot_) {
        snapshot_ = kv_->snapshot();
    }
    return *snapshot_;
}

Result<> StampedRows::scan(std::string_view from, std::string_view upper,
                           const Visitor& visit) const {
    const std::unique_ptr<Cursor> stored = snapshot().cursor(ReadTier::Disk, upper);
    stored->seek(from);
    auto changed = rows_.lower_bound(from);
    const auto changed_end = rows_.lower_bound(upper);
    while (true) {
        const bool has_stored = stored->is_valid();
        const bool has_changed = changed != changed_end;
        if (!has_stored && !has_changed) {
            break;
        }
        const int order = !has_changed  ? -1
                          : !has_stored ? 1
                                        : stored->key().compare(changed->first);
        bool goes_on = true;
        if (order < 0) {
            goes_on = TRY(visit(stored->key(), stored->value()));
        } else if (changed->second) {
            goes_on = TRY(visit(changed->first, *changed->second));
        }
        if (!goes_on) {
            return {};
        }
        if (order <= 0) {
            stored->next();
        }
        if (order >= 0) {
            ++changed;
        }
    }
    return stored->status();
}

Result<bool> StampedRows::has_any(std::string_view prefix) const {
    bool found = false;
    TRY(scan(prefix, prefix_end(prefix),
             [&found](std::string_view, std::string_view) -> Result<bool> {
                 found = true;
                 return false;
             }));
    return found;
}

Result<bool> StampedRows::had_any(std::string_view prefix) const {
    const std::string upper = prefix_end(prefix);
    const std::unique_ptr<Cursor> cursor = snapshot().cursor(ReadTier::Disk, upper);
    cursor->seek(prefix);
    TRY(cursor->status());
    return cursor->is_valid();
}

void StampedRows::take(Batch& batch) {
    while (!rows_.empty()) {
        auto row = rows_.extract(rows_.begin());
        if (row.mapped()) {
            batch.put(std::move(row.key()), *std::move(row.mapped()));
        } else {
            batch.erase(std::move(row.key()));
        }
    }
    clear();
}

void StampedRows::clear() {
    undo_.clear();
    rows_.clear();
    snapshot_.reset();
    size_ = 0;
}

}  // namespace godwit::store
