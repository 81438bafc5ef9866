// The rows of an open group: what plans changed lies over what the kv has, so that each plan sees
// what those before it did. One plan at a time; a plan that fails is taken back whole.
// Commit thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/kv/kv.h"

namespace godwit::store {

class StampedRows {
public:
    /// The kv must outlive this.
    explicit StampedRows(const Kv* kv) : kv_(kv) {}

    void begin_plan() { undo_.clear(); }
    /// Puts every row back to what it was at begin_plan().
    void roll_back();

    /// The newest value, of this group or of the kv.
    [[nodiscard]] Result<std::optional<std::string>> get(std::string_view key) const;
    void put(std::string key, std::string value) { set(std::move(key), std::move(value)); }
    void erase(std::string key) { set(std::move(key), std::nullopt); }

    /// Calls `visit` with each row in [from, upper) in key order until it returns false. It must
    /// not change rows; collect first. `upper` must not be empty.
    using Visitor = std::function<Result<bool>(std::string_view key, std::string_view value)>;
    [[nodiscard]] Result<> scan(std::string_view from, std::string_view upper,
                                const Visitor& visit) const;
    /// True when any row begins with `prefix`.
    [[nodiscard]] Result<bool> has_any(std::string_view prefix) const;
    /// The same for what is committed, without the open group.
    [[nodiscard]] Result<bool> had_any(std::string_view prefix) const;

    /// Rows the open plan changed so far.
    [[nodiscard]] std::size_t plan_rows() const { return undo_.size(); }
    /// Octets of all rows of the group.
    [[nodiscard]] std::size_t size() const { return size_; }
    /// Ends the group: moves all rows into `batch`, in key order.
    void take(Batch& batch);
    void clear();

private:
    using Rows = std::map<std::string, std::optional<std::string>, std::less<>>;
    struct Undo {
        Rows::iterator row;
        bool was_there = false;  ///< In the group, whatever the kv has.
        std::optional<std::string> before;
    };
    void set(std::string key, std::optional<std::string> value);
    static std::size_t row_size(const Rows::value_type& row) {
        return row.first.size() + (row.second ? row.second->size() : 0);
    }
    /// Nothing is committed while a group is open: one snapshot serves all its scans.
    const Snapshot& snapshot() const;

    const Kv* kv_;
    mutable std::unique_ptr<Snapshot> snapshot_;
    Rows rows_;
    std::vector<Undo> undo_;
    std::size_t size_ = 0;
};

}  // namespace godwit::store
