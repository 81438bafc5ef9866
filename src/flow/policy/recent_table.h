// A bounded table of what was seen lately: the entry not touched for longest goes first.
#pragma once

#include <cstddef>
#include <iterator>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/limits.h"

namespace godwit::flow {

/// At most `limits::login_table_size_max` entries. One thread at a time: keep it in a Locked.
template <class Value>
class RecentTable {
public:
    /// nullptr when it is not there. Does not count as a touch. Valid until the next touch or
    /// erase.
    Value* find(std::string_view key) {
        const auto found = by_key_.find(key);
        return found == by_key_.end() ? nullptr : &found->second->second;
    }
    /// The entry, made if need be, as the one last touched.
    Value& touch(const std::string& key) {
        const auto found = by_key_.find(key);
        if (found != by_key_.end()) {
            order_.splice(order_.end(), order_, found->second);
            return found->second->second;
        }
        if (order_.size() >= limits::login_table_size_max) {
            by_key_.erase(order_.front().first);
            order_.pop_front();
        }
        order_.emplace_back(key, Value{});
        const auto added = std::prev(order_.end());
        by_key_.emplace(added->first, added);
        return added->second;
    }
    void erase(std::string_view key) {
        const auto found = by_key_.find(key);
        if (found != by_key_.end()) {
            const auto entry = found->second;
            by_key_.erase(found);
            order_.erase(entry);
        }
    }

private:
    using Entry = std::pair<std::string, Value>;
    std::list<Entry> order_;  // Least recently touched first.
    std::unordered_map<std::string_view, typename std::list<Entry>::iterator> by_key_;
};

}  // namespace godwit::flow
