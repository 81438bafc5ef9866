// Cuts what an IMAP server says into tokens: the client's side of the grammar, for imports.
// RFC 3501 7, 9 (response); RFC 3516 4.4 (literal8); RFC 9051 7. Input may be split anywhere: the
// tokens are the same. Memory is bounded by response_line_max and what was fed and not fetched;
// literals pass through in pieces. Linear. Servers' own extensions are tokens as well: nothing but
// a broken string, an endless line or a literal past the bound is an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit::imap {

/// Octets of one response without its literals.
inline constexpr std::size_t response_line_max = 1024 * 1024;
/// Of one literal.
inline constexpr std::uint64_t response_literal_max = 1024ULL * 1024 * 1024;

struct ResponseToken {
    enum class Kind : std::uint8_t {
        Atom,          ///< A word, number, flag or section: "BODY[HEADER.FIELDS (TO)]".
        String,        ///< Of a quoted string.
        Open,          ///< "(".
        Close,         ///< ")".
        Text,          ///< Behind OK, NO, BAD, BYE, PREAUTH and "+": all of the line.
        LiteralBegin,  ///< `size` octets follow as Octets, then LiteralEnd.
        Octets,
        LiteralEnd,
        End,  ///< Of the response.
    };
    Kind kind = Kind::End;
    std::string text{};
    std::uint64_t size = 0;
    bool operator==(const ResponseToken&) const = default;
};

class ResponseReader {
public:
    void feed(std::string_view bytes);
    /// nullopt: feed more. After an error the stream makes no sense any more.
    Result<std::optional<ResponseToken>> next();

private:
    Result<> take_line(std::string_view line);
    Result<std::size_t> take_string(std::string_view line, std::size_t at);
    Result<std::size_t> take_atom(std::string_view line, std::size_t at);
    Result<std::optional<std::uint64_t>> literal_at_end(std::string_view& line) const;
    void emit(ResponseToken::Kind kind, std::string_view text = {}, std::uint64_t size = 0);

    std::string input_;
    std::size_t searched_ = 0;  ///< No LF in front of here.
    std::deque<ResponseToken> tokens_;
    std::uint64_t literal_due_ = 0;
    bool in_literal_ = false;
    std::size_t words_ = 0;  ///< Of the open response, up to 2.
    std::size_t line_size_ = 0;
};

}  // namespace godwit::imap
