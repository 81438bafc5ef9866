// SMTP replies: the value, its writer for the server and its bounded parser for the client.
// RFC 5321 4.2, 4.2.1; RFC 2034 4 (enhanced status codes); SMTP-BEHAVIOUR B3, C7, E11-E13.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "mail/report/enhanced_status.h"

namespace godwit::smtp {

using mail::EnhancedStatus;

struct Reply {
    std::uint16_t code = 0;
    std::optional<EnhancedStatus> enhanced;  ///< None on greetings, EHLO, 3xx, and from old peers.
    std::string text;                        ///< Lines parted by '\n'. Without the codes.

    [[nodiscard]] bool is_positive() const { return code >= 200 && code < 300; }
    [[nodiscard]] bool is_intermediate() const { return code >= 300 && code < 400; }
    [[nodiscard]] bool is_temporary() const { return code >= 400 && code < 500; }
    [[nodiscard]] bool is_permanent() const { return code >= 500 && code < 600; }
    bool operator==(const Reply&) const = default;
};
/// make_reply(550, {5, 1, 1}, "No such user").
Reply make_reply(std::uint16_t code, EnhancedStatus enhanced, std::string text);
/// "550 5.1.1 No such user", lines joined by " / ": for logs and reports.
std::string to_string(const Reply& reply);

/// Appends the reply as it goes on the wire. Every line carries the code and the enhanced code
/// (RFC 2034 4). Control characters in the text become spaces, so no text can forge a line.
void write_reply(const Reply& reply, std::string& out);

/// Takes replies off a byte stream, one at a time, split anywhere.
/// Bounds: limits::smtp_reply_{line_size,lines,size}_max; past one, Failed for good (B3).
/// Accepts LF alone as a line's end (C7) and a code without text; takes the last line's code where
/// they differ (E13); text is made valid UTF-8 without controls. A code outside 200-599 or a line
/// without three digits is Failed (E11).
class ReplyParser {
public:
    enum class Status : std::uint8_t { More, Complete, Failed };
    struct Progress {
        Status status = Status::More;
        std::size_t consumed = 0;
    };
    /// Reads up to the end of one reply; bytes behind it are not touched.
    Progress feed(std::string_view bytes);
    /// After Complete: the reply; the parser is ready for the next one.
    Reply take();
    /// After Failed: what was wrong, for logs.
    [[nodiscard]] const std::string& failure() const { return failure_; }
    /// True while part of a reply has been read.
    [[nodiscard]] bool is_inside_reply() const { return lines_ > 0 || !line_.empty(); }

private:
    Status end_line();
    Status fail(std::string_view why);
    std::string line_;
    std::string text_;
    std::uint16_t code_ = 0;
    std::optional<EnhancedStatus> enhanced_;
    std::size_t lines_ = 0;
    std::size_t size_ = 0;
    bool complete_ = false;
    std::string failure_;
};

}  // namespace godwit::smtp
