// What somebody may do with a mailbox that is not his, and who. RFC 4314 2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace godwit::store {

/// In the order in which they are written: "lrswipkxtea". RFC 4314 2.1.
enum class Right : std::uint16_t {
    Lookup = 1,
    Read = 2,
    Seen = 4,   ///< To have a \Seen of his own.
    Write = 8,  ///< Flags but \Seen and \Deleted.
    Insert = 16,
    Post = 32,
    CreateBelow = 64,
    DeleteMailbox = 128,
    DeleteMessages = 256,  ///< Set and clear \Deleted.
    Expunge = 512,
    Administer = 1024,
};

/// A set of rights.
class Rights {
public:
    constexpr Rights() = default;
    constexpr Rights(Right right) : bits_(static_cast<std::uint16_t>(right)) {}  // NOLINT
    static constexpr Rights all() { return Rights(kAll); }
    /// Bits that are no right are left out.
    static constexpr Rights of_bits(std::uint64_t bits) {
        return Rights(static_cast<std::uint16_t>(bits & kAll));
    }

    [[nodiscard]] constexpr bool has(Right right) const { return (*this & right) == Rights(right); }
    [[nodiscard]] constexpr bool has_any(Rights rights) const {
        return !(*this & rights).is_empty();
    }
    [[nodiscard]] constexpr bool is_empty() const { return bits_ == 0; }
    [[nodiscard]] constexpr std::uint16_t bits() const { return bits_; }
    [[nodiscard]] constexpr Rights without(Rights other) const {
        return of_bits(static_cast<std::uint16_t>(bits_ & ~other.bits_));
    }
    friend constexpr Rights operator|(Rights a, Rights b) { return of_bits(a.bits_ | b.bits_); }
    friend constexpr Rights operator&(Rights a, Rights b) { return of_bits(a.bits_ & b.bits_); }
    friend constexpr bool operator==(Rights a, Rights b) = default;

private:
    static constexpr std::uint16_t kAll = 2047;
    explicit constexpr Rights(std::uint16_t bits) : bits_(bits) {}
    std::uint16_t bits_ = 0;
};
constexpr Rights operator|(Right a, Right b) {
    return Rights(a) | Rights(b);
}

/// The set that these letters name; "c" and "d" stand for what they were split into (RFC
/// 4314 2.1.1). nullopt when one is no right.
std::optional<Rights> parse_rights(std::string_view letters);
/// The letters, "c" and "d" behind those they were split into when one of them is there, as RFC
/// 4314 2.1.1 wants it told.
std::string to_letters(Rights rights);

/// In place of an account: all accounts of the domain that the mailbox's owner is in.
inline constexpr AccountId kAnyone{0};
inline constexpr std::string_view anyone_name = "anyone";

}  // namespace godwit::store
