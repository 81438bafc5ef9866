// Line ends of messages in files. In a Maildir or an mbox a line ends in LF as a rule, in mail in
// CRLF (RFC 5322 2.3).
#pragma once

#include <string>
#include <string_view>

namespace godwit::mail {

/// A file's message as mail, fed in pieces. When its first line ends in CRLF it stays as it is,
/// octet by octet; else every LF without a CR before it gets one.
class MailLineEnds {
public:
    /// Appends to `out`.
    void feed(std::string_view bytes, std::string& out);

private:
    enum class Style : unsigned char { Unknown, AsItIs, Bare };
    Style style_ = Style::Unknown;
    char last_ = '\0';
};

/// What of a message tells how it may be written, found in pieces.
class LineEndSurvey {
public:
    void feed(std::string_view bytes);
    /// Each LF has one CR before it: written with LF alone, MailLineEnds gives it back exactly.
    [[nodiscard]] bool is_plain() const { return is_plain_; }
    /// Written as it is, MailLineEnds gives it back exactly.
    [[nodiscard]] bool survives_as_is() const { return !had_line_ || first_is_crlf_ || !has_bare_; }
    [[nodiscard]] bool ends_in_line_end() const { return last_ == '\n'; }

private:
    bool is_plain_ = true;
    bool had_line_ = false;
    bool first_is_crlf_ = false;
    bool has_bare_ = false;
    char last_ = '\0';
    char before_ = '\0';
};

/// CRLF to LF, in pieces.
class FileLineEnds {
public:
    void feed(std::string_view bytes, std::string& out);
    /// A CR that ended the message.
    void finish(std::string& out);

private:
    bool has_cr_ = false;
};

}  // namespace godwit::mail
