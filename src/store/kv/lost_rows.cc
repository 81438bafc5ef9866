#include "store/kv/lost_rows.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "store/kv/key.h"

namespace godwit::store {
namespace {

// Longer than the fixed part of any key: rows that differ only behind it are given up together.
constexpr std::size_t kDepth = 64;

// With a cursor of its own: one that met damage may say so again where there is none.
Result<bool> reads_from(const CursorMaker& make, std::string_view key) {
    const auto cursor = make();
    cursor->seek(key);
    if (cursor->is_valid()) {
        return true;
    }
    const Result<> status = cursor->status();
    if (status) {
        return true;
    }
    if (!is_unreadable(status.error())) {
        return std::unexpected(status.error());
    }
    return false;
}

std::uint8_t octet(std::string_view key, std::size_t at) {
    return at < key.size() ? static_cast<std::uint8_t>(key[at]) : 0;
}

// The key in the middle of both, as numbers of kDepth octets.
std::string middle(std::string_view low, std::string_view high) {
    std::array<std::uint16_t, kDepth + 1> sum{};
    std::uint16_t carry = 0;
    for (std::size_t i = kDepth; i != 0; --i) {
        const auto both =
            static_cast<std::uint16_t>(octet(low, i - 1) + octet(high, i - 1) + carry);
        sum.at(i) = both & 0xFFU;
        carry = both >> 8U;
    }
    sum.at(0) = carry;
    std::string key;
    for (std::size_t i = 1; i <= kDepth; ++i) {
        key.push_back(static_cast<char>((sum.at(i - 1) & 1U) << 7U | sum.at(i) >> 1U));
    }
    return key;
}

struct Edges {
    std::string bad;   ///< Nothing can be read from here on,
    std::string good;  ///< but from here on.
};

// First the next row that may be, then ever larger steps. nullopt: nothing can be read any more.
Result<std::optional<Edges>> find_edges(const CursorMaker& make, std::string_view after) {
    Edges edges{.bad = std::string(after), .good = {}};
    for (std::size_t length = after.size(); length != 0; --length) {
        std::string key = prefix_end(after.substr(0, length));
        if (key.empty()) {
            continue;
        }
        if (TRY(reads_from(make, key))) {
            edges.good = std::move(key);
            return std::optional(std::move(edges));
        }
        edges.bad = std::move(key);
    }
    for (unsigned first = octet(edges.bad, 0) + 1U; first <= 0xFF; ++first) {
        std::string key(1, static_cast<char>(first));
        if (TRY(reads_from(make, key))) {
            edges.good = std::move(key);
            return std::optional(std::move(edges));
        }
        edges.bad = std::move(key);
    }
    return std::nullopt;
}

}  // namespace

std::string to_string(const LostRows& lost) {
    const std::string from =
        lost.after.empty() ? "from the beginning" : "behind " + key_text(lost.after);
    const std::string to =
        lost.before.empty() ? " to the end" : " and before " + key_text(lost.before);
    return from + to + ": " + lost.error;
}

Result<std::optional<std::string>> find_past_damage(const CursorMaker& make,
                                                    std::string_view after) {
    std::optional<Edges> found = TRY(find_edges(make, after));
    if (!found) {
        return std::nullopt;
    }
    Edges& edges = *found;
    for (std::size_t step = 0; step != kDepth * 8; ++step) {
        std::string key = middle(edges.bad, edges.good);
        if (key <= edges.bad || key >= edges.good) {
            break;
        }
        if (TRY(reads_from(make, key))) {
            edges.good = std::move(key);
        } else {
            edges.bad = std::move(key);
        }
    }
    const auto cursor = make();
    cursor->seek(edges.good);
    return cursor->is_valid() ? std::optional(std::string(cursor->key())) : std::nullopt;
}

}  // namespace godwit::store
