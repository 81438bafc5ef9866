// The tokens of structured header fields: folding white space, comments, atoms, quoted strings.
// RFC 5322 3.2 and 4.1 (obsolete forms are read). Used by addresses, parameters, dates, message
// ids. Total and linear: each call moves forward or says no; comments nest to
// limits::comment_depth_max.
#pragma once

#include <string>
#include <string_view>

namespace godwit::mail {

/// atext of RFC 5322 3.2.3, and any octet >= 0x80 (RFC 6532 3.2).
bool is_atext(char c);
/// Characters of a token of RFC 2045 5.1 (no tspecials, no controls), and octets >= 0x80.
bool is_token_char(char c);

/// Reads one field body from its front. A view: the bytes must outlive it.
class LexicalView {
public:
    explicit LexicalView(std::string_view text) : rest_(text) {}

    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    [[nodiscard]] char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
    [[nodiscard]] std::string_view rest() const { return rest_; }
    void advance(std::size_t count) {
        rest_.remove_prefix(count < rest_.size() ? count : rest_.size());
    }
    /// Takes `c` if it is next.
    bool take(char c);

    /// Skips blanks, line ends and comments. The text of the last comment skipped, without its
    /// parentheses and with quoted pairs resolved, is appended to `*comment` when one is given
    /// (after clearing it). True if anything was skipped.
    bool skip_cfws(std::string* comment = nullptr);
    /// Skips SP, HTAB, CR and LF only.
    bool skip_white_space();
    /// The longest run of atext; empty if none is next.
    std::string_view take_atom();
    /// The longest run of atext and dots.
    std::string_view take_dot_atom();
    /// The longest run of token characters (RFC 2045 5.1).
    std::string_view take_token();
    /// A quoted string that is next: its value without quotes, quoted pairs resolved, line ends
    /// dropped. An unterminated one runs to the end. Call only when peek() is '"'.
    std::string take_quoted_string();
    /// A domain literal that is next, with brackets, white space dropped. Call when peek() is '['.
    std::string take_domain_literal();

private:
    void skip_comment(std::string* comment);
    std::string_view rest_;
};

/// `text` as a quoted string: quotes around, backslash before quote and backslash. CR, LF and NUL
/// are left out, so that nothing can break out of a field.
std::string quote(std::string_view text);

}  // namespace godwit::mail
