// A bounded memory of what came last: spares a question whose answer was given a moment ago. What
// it does not hold is simply not known.
#pragma once

#include <cstddef>
#include <deque>
#include <unordered_map>
#include <utility>

namespace godwit {

/// Enough for what a busy server has between a message's coming and its going; with keys and values
/// of a few dozen octets under 4 MiB.
inline constexpr std::size_t kRecentBound = 16 * 1024;

/// Key to value for about the `bound` keys that were set last; the oldest go first. One thread.
template <class Key, class Value>
class Recent {
public:
    explicit Recent(std::size_t bound) : bound_(bound) {}

    /// Null when not known. Valid until the next set() or erase().
    [[nodiscard]] Value* find(const Key& key) {
        const auto at = values_.find(key);
        return at == values_.end() ? nullptr : &at->second;
    }
    void set(const Key& key, Value value) {
        if (values_.insert_or_assign(key, std::move(value)).second) {
            order_.push_back(key);
        }
        while (order_.size() > bound_) {
            // May be a key that was erased and set again since: forgotten early, which is allowed.
            values_.erase(order_.front());
            order_.pop_front();
        }
    }
    void erase(const Key& key) { values_.erase(key); }
    void clear() {
        values_.clear();
        order_.clear();
    }
    [[nodiscard]] std::size_t size() const { return values_.size(); }

private:
    std::size_t bound_;
    std::unordered_map<Key, Value> values_;
    std::deque<Key> order_;
};

}  // namespace godwit
