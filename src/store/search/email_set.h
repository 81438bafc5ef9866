// A set of emails of one account: bits in pages that are made when first needed.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/ids.h"

namespace godwit::store {

/// Numbers of 32 bits; memory goes with the pages touched (8 KiB for 65,536 numbers).
class EmailSet {
public:
    void add(std::uint32_t email) { page_at(email >> kPageBits)[word(email)] |= bit(email); }
    /// All from `first` to `last`, both in it.
    void add_range(std::uint32_t first, std::uint32_t last);
    [[nodiscard]] bool contains(std::uint32_t email) const {
        const std::size_t at = email >> kPageBits;
        return at < pages_.size() && pages_[at] && ((*pages_[at])[word(email)] & bit(email)) != 0;
    }
    [[nodiscard]] bool contains(EmailId email) const { return contains(email.value()); }
    void operator|=(const EmailSet& other);
    void operator&=(const EmailSet& other);
    [[nodiscard]] std::size_t count() const;
    [[nodiscard]] bool is_empty() const { return count() == 0; }

    /// Calls `visit(std::uint32_t)` for each, rising.
    template <class Visit>
    void each(Visit visit) const {
        for (std::size_t page = 0; page < pages_.size(); ++page) {
            for (std::size_t at = 0; pages_[page] && at < kPageWords; ++at) {
                for (std::uint64_t left = (*pages_[page])[at]; left != 0; left &= left - 1) {
                    visit(static_cast<std::uint32_t>(
                        (page << kPageBits) + at * 64 +
                        static_cast<std::size_t>(std::countr_zero(left))));
                }
            }
        }
    }

private:
    static constexpr unsigned kPageBits = 16;
    static constexpr std::size_t kPageWords = (std::size_t{1} << kPageBits) / 64;
    using Page = std::array<std::uint64_t, kPageWords>;
    static std::size_t word(std::uint32_t email) { return (email & 0xFFFFU) / 64; }
    static std::uint64_t bit(std::uint32_t email) { return std::uint64_t{1} << (email % 64); }
    Page& page_at(std::size_t at) {
        if (at >= pages_.size()) {
            pages_.resize(at + 1);
        }
        if (!pages_[at]) {
            pages_[at] = std::make_unique<Page>();
        }
        return *pages_[at];
    }

    std::vector<std::unique_ptr<Page>> pages_;
};

}  // namespace godwit::store
