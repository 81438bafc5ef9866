// Header blocks: where each field is, by offsets, never copied. RFC 5322 2.2, 3.6.8, 4.5 (blank
// before the colon). Line ends are CRLF or LF. Field bodies keep their folding until asked.
//
// Broken blocks (SMTP-BEHAVIOUR J5): a line that is no field, no continuation and no blank line ends
// the header and is the first line of the body (`separator_missing`); one mbox "From " or ">From "
// line at the very top is skipped; a message that begins with a blank line has an empty header.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::mail {

/// One field by offsets into the block that was split.
struct HeaderField {
    std::uint32_t begin = 0;       ///< First octet of the name.
    std::uint32_t name_size = 0;   ///< Without blanks before the colon.
    std::uint32_t body_begin = 0;  ///< After the colon.
    std::uint32_t end = 0;         ///< After the line end of its last line.
    bool operator==(const HeaderField&) const = default;

    [[nodiscard]] std::string_view name(std::string_view block) const { return block.substr(begin, name_size); }
    /// After the colon, with folding and the final line end.
    [[nodiscard]] std::string_view body(std::string_view block) const {
        return block.substr(body_begin, end - body_begin);
    }
    /// The whole field, line end included.
    [[nodiscard]] std::string_view raw(std::string_view block) const { return block.substr(begin, end - begin); }
};

struct HeaderIndex {
    std::vector<HeaderField> fields;  ///< In order; at most limits::header_fields_max.
    std::size_t size = 0;             ///< Octets of the header with the blank line: where the body begins.
    bool separator_missing = false;   ///< No blank line stood between header and body (or at the end).
    bool truncated = false;           ///< More fields, or a longer field, than the limits.

    /// First field of that name, ignoring case; nullptr if none. `block` is what was split.
    [[nodiscard]] const HeaderField* find(std::string_view block, std::string_view name) const;
    [[nodiscard]] std::size_t count(std::string_view block, std::string_view name) const;
    /// Unfolded, trimmed body of the first field of that name.
    [[nodiscard]] std::optional<std::string> value(std::string_view block, std::string_view name) const;
};

/// Splits the header at the front of `bytes` (a whole message or a header block). Linear. Blocks
/// longer than limits::header_block_size_max are indexed up to there, `truncated`.
HeaderIndex split_header(std::string_view bytes);

/// Where the header of the message that starts with `bytes` ends (the blank line included), once that
/// is known from these bytes; nullopt if more are needed. Same rules as split_header.
std::optional<std::size_t> find_header_end(std::string_view bytes);

/// RFC 5322 2.2.3: line ends before blanks removed, then blanks trimmed at both ends.
std::string unfold(std::string_view body);

/// Ids between angle brackets (with them) of Message-ID, In-Reply-To, References, in order, the last
/// limits::references_max of them (T69). Words that are no id are skipped.
std::vector<std::string> parse_message_ids(std::string_view body);

}  // namespace godwit::mail
