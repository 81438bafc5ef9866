#include "store/search/email_set.h"

#include <algorithm>

namespace godwit::store {

void EmailSet::add_range(std::uint32_t first, std::uint32_t last) {
    for (std::uint64_t at = first; at <= last;) {
        const auto email = static_cast<std::uint32_t>(at);
        if (email % 64 == 0 && at + 63 <= last) {
            page_at(email >> kPageBits)[word(email)] = ~std::uint64_t{0};
            at += 64;
        } else {
            add(email);
            ++at;
        }
    }
}

void EmailSet::operator|=(const EmailSet& other) {
    for (std::size_t at = 0; at < other.pages_.size(); ++at) {
        if (other.pages_[at]) {
            Page& own = page_at(at);
            for (std::size_t i = 0; i < kPageWords; ++i) {
                own[i] |= (*other.pages_[at])[i];
            }
        }
    }
}

void EmailSet::operator&=(const EmailSet& other) {
    pages_.resize(std::min(pages_.size(), other.pages_.size()));
    for (std::size_t at = 0; at < pages_.size(); ++at) {
        if (!other.pages_[at]) {
            pages_[at].reset();
        } else if (pages_[at]) {
            for (std::size_t i = 0; i < kPageWords; ++i) {
                (*pages_[at])[i] &= (*other.pages_[at])[i];
            }
        }
    }
}

std::size_t EmailSet::count() const {
    std::size_t count = 0;
    for (const auto& page : pages_) {
        if (page) {
            for (const std::uint64_t bits : *page) {
                count += static_cast<std::size_t>(std::popcount(bits));
            }
        }
    }
    return count;
}

}  // namespace godwit::store
