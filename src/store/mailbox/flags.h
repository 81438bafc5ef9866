// Flags of a message: five system flags and up to 256 keywords of the account's dictionary.
// RFC 3501 2.3.2; keywords compare ignoring ASCII case and keep the spelling first used.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace godwit::store {

enum class SystemFlag : std::uint8_t {
    Seen = 1,
    Answered = 2,
    Flagged = 4,
    Deleted = 8,
    Draft = 16,
};

/// Flags by name, as a plan carries them: independent of the dictionary.
struct FlagNames {
    std::uint8_t system = 0;            ///< SystemFlag bits.
    std::vector<std::string> keywords;  ///< Atoms, e.g. "$Forwarded".
    [[nodiscard]] bool has(SystemFlag flag) const {
        return (system & static_cast<std::uint8_t>(flag)) != 0;
    }
    bool operator==(const FlagNames&) const = default;
};

/// Numbers in the account's keyword dictionary.
class KeywordSet {
public:
    static constexpr std::size_t kCapacity = 256;
    [[nodiscard]] bool has(std::uint8_t id) const {
        return (words_[id >> 6U] >> (id & 63U) & 1U) != 0;
    }
    void add(std::uint8_t id) { words_[id >> 6U] |= std::uint64_t{1} << (id & 63U); }
    void remove(std::uint8_t id) { words_[id >> 6U] &= ~(std::uint64_t{1} << (id & 63U)); }
    [[nodiscard]] bool is_empty() const { return words_ == std::array<std::uint64_t, 4>{}; }
    [[nodiscard]] const std::array<std::uint64_t, 4>& words() const { return words_; }
    [[nodiscard]] std::array<std::uint64_t, 4>& words() { return words_; }
    bool operator==(const KeywordSet&) const = default;

private:
    std::array<std::uint64_t, 4> words_{};
};

/// Flags as stored in a row.
struct MessageFlags {
    std::uint8_t system = 0;
    KeywordSet keywords;
    [[nodiscard]] bool has(SystemFlag flag) const {
        return (system & static_cast<std::uint8_t>(flag)) != 0;
    }
    bool operator==(const MessageFlags&) const = default;
};

}  // namespace godwit::store
