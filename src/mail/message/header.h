// Header blocks: where each field is, by offsets, never copied. RFC 5322 2.2, 3.6.8, 4.5 (blank
// before the colon). Line ends are CRLF or LF. Field bodies keep their folding until asked.
//
// Broken blocks (SMTP-BEHAVIOUR J5): a line that is no field, no continuation and no blank line
// ends the header and is the first line of the body (`separator_missing`); one mbox "From " or
// ">From " line at the very top is skipped; a message that begins with a blank line has an empty
// header.
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

    [[nodiscard]] std::string_view name(std::string_view block) const {
        return block.substr(begin, name_size);
    }
    /// After the colon, with folding and the final line end.
    [[nodiscard]] std::string_view body(std::string_view block) const {
        return block.substr(body_begin, end - body_begin);
    }
    /// The whole field, line end included.
    [[nodiscard]] std::string_view raw(std::string_view block) const {
        return block.substr(begin, end - begin);
    }
};

struct HeaderIndex {
    std::vector<HeaderField> fields;  ///< In order; at most limits::header_fields_max.
    std::size_t size = 0;  ///< Octets of the header with the blank line: where the body begins.
    bool separator_missing =
        false;               ///< No blank line stood between header and body (or at the end).
    bool truncated = false;  ///< More fields, or a longer field, than the limits.

    /// First field of that name, ignoring case; nullptr if none. `block` is what was split.
    [[nodiscard]] const HeaderField* find(std::string_view block, std::string_view name) const;
    [[nodiscard]] std::size_t count(std::string_view block, std::string_view name) const;
    /// Unfolded, trimmed body of the first field of that name.
    [[nodiscard]] std::optional<std::string> value(std::string_view block,
                                                   std::string_view name) const;
};

/// Takes a header line by line and keeps where the fields are. The streaming parser and
/// split_header both stand on it, so that they cannot disagree.
class HeaderSplitter {
public:
    enum class Verdict : std::uint8_t {
        More,   ///< The line belongs to the header.
        Blank,  ///< The line is the blank line: the header ends behind it.
        Body,   ///< The line is no header line: the header ended before it.
    };
    /// `block_size_max` bounds what is indexed: a line that ends past it, and all after it, are
    /// header lines that are not indexed, until a blank line comes.
    explicit HeaderSplitter(std::size_t block_size_max) : block_size_max_(block_size_max) {}

    /// Makes room for so many fields.
    void expect_fields(std::size_t count) { index_.fields.reserve(count); }
    /// The next line with its line end (the last may lack one).
    Verdict line(std::string_view line);
    /// A line longer than block_size_max, of which only the length is known.
    void long_line() { overflow_ = true; }
    /// A line that ends past the bound came: lines are no longer indexed (nor need they be kept).
    [[nodiscard]] bool is_overflowing() const { return overflow_; }
    /// Ends it; `separated`: a blank line was seen. `size` of the index is left for the caller.
    [[nodiscard]] HeaderIndex finish(bool separated) &&;

private:
    Verdict field_line(std::string_view line);
    HeaderIndex index_;
    std::size_t block_size_max_;
    std::size_t offset_ = 0;  ///< Of the next line in the block.
    bool overflow_ = false;
    bool open_field_ = false;  ///< A continuation would belong to the last field kept.
    bool seen_field_ = false;  ///< A continuation is allowed.
};

/// Splits the header at the front of `bytes` (a whole message or a header block). Linear. Blocks
/// longer than limits::header_block_size_max are indexed up to there, `truncated`.
HeaderIndex split_header(std::string_view bytes);

/// Where the header of the message that starts with `bytes` ends (the blank line included), once
/// that is known from these bytes; nullopt if more are needed. Same rules as split_header.
std::optional<std::size_t> find_header_end(std::string_view bytes);

/// RFC 5322 2.2.3: line ends before blanks removed, then blanks trimmed at both ends.
std::string unfold(std::string_view body);

/// Ids between angle brackets (with them) of Message-ID, In-Reply-To, References, in order, the
/// last limits::references_max of them (T69). Words that are no id are skipped.
std::vector<std::string> parse_message_ids(std::string_view body);

}  // namespace godwit::mail
