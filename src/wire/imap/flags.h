// Flags of messages, as arguments. RFC 3501 2.3.2, RFC 3501 9 (flag, flag-list).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/imap/lexer.h"

namespace godwit::imap {

/// Bits of FlagSet::system; the store's bits have the same values, which the session asserts.
enum class SystemFlag : std::uint8_t {
    Seen = 1,
    Answered = 2,
    Flagged = 4,
    Deleted = 8,
    Draft = 16,
};

struct SystemFlagName {
    SystemFlag flag;
    std::string_view name;  ///< With its backslash.
};
/// In the order in which they are written.
inline constexpr SystemFlagName kSystemFlags[] = {
    {SystemFlag::Answered, "\\Answered"}, {SystemFlag::Flagged, "\\Flagged"},
    {SystemFlag::Deleted, "\\Deleted"},   {SystemFlag::Seen, "\\Seen"},
    {SystemFlag::Draft, "\\Draft"},
};

/// Flags and keywords of one message or of one STORE.
struct FlagSet {
    std::uint8_t system = 0;            ///< SystemFlag bits.
    std::vector<std::string> keywords;  ///< As the client wrote them; no two equal but for case.

    [[nodiscard]] bool has(SystemFlag flag) const {
        return (system & static_cast<std::uint8_t>(flag)) != 0;
    }
    void set(SystemFlag flag) { system |= static_cast<std::uint8_t>(flag); }
};

/// "(\Seen Junk)". At most limits::keywords_max keywords of limits::keyword_size_max octets.
/// \Recent is passed over, as clients copy it back to us; another \Flag is an error.
Result<FlagSet> read_flag_list(Lexer& lexer);
/// A flag list with or without its parentheses, as STORE takes it.
Result<FlagSet> read_flags(Lexer& lexer);
/// A keyword, as in SEARCH KEYWORD.
Result<std::string> read_keyword(Lexer& lexer);

}  // namespace godwit::imap
