#include "store/kv/kv.h"

namespace godwit::store {

void Batch::put(std::string key, std::string value) {
    size_ += key.size() + value.size();
    entries_.push_back({std::move(key), std::move(value)});
}

void Batch::erase(std::string key) {
    size_ += key.size();
    entries_.push_back({std::move(key), std::nullopt});
}

void Batch::clear() {
    entries_.clear();
    size_ = 0;
}

void Batch::shrink_to(std::size_t count) {
    while (entries_.size() > count) {
        const Entry& last = entries_.back();
        size_ -= last.key.size() + (last.value ? last.value->size() : 0);
        entries_.pop_back();
    }
}

}  // namespace godwit::store
