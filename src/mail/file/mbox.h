// Messages in an mbox: where one ends and the next begins, what its lines were quoted to, and what
// its From_ line and its Status headers say. As qmail's mbox(5).
// A line that begins with "From " and has a time and a year begins a message at the start of the
// file and behind an empty line; the empty line in front of it belongs to neither. Content-Length
// (mboxcl) is not believed: files were edited since. Any octets are taken; memory is bounded by
// mbox_line_max and by what was fed and not fetched.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace godwit::mail {

/// Lines are looked at whole up to here; what is longer is text.
inline constexpr std::size_t mbox_line_max = 64 * 1024;

enum class MboxQuoting : std::uint8_t {
    Rd,    ///< Each ">From ", ">>From " and so on has one ">" too many.
    Old,   ///< Only ">From " has.
    None,  ///< Nothing was quoted.
};

struct MboxBegin {
    std::string from_line;  ///< Without its end.
};
struct MboxOctets {
    std::string octets;
};
struct MboxEnd {
    std::optional<std::int64_t> date;  ///< Of the From_ line, unix seconds.
    std::vector<std::string> flags;    ///< System flags and keywords, as IMAP names them.
};
using MboxEvent = std::variant<MboxBegin, MboxOctets, MboxEnd>;

class MboxReader {
public:
    explicit MboxReader(MboxQuoting quoting) : quoting_(quoting) {}
    void feed(std::string_view bytes);
    /// No more comes.
    void finish();
    /// The next event; nullopt: feed more.
    std::optional<MboxEvent> next();
    /// Octets in front of the first message: a file with any is no mbox.
    [[nodiscard]] bool had_strange_start() const { return had_strange_start_; }

private:
    void take_line(std::string_view line);
    void take_header(std::string_view line);
    bool take_status(std::string_view line);
    [[nodiscard]] std::string_view unquoted(std::string_view line) const;
    void end_message();
    void emit(std::string_view octets);

    MboxQuoting quoting_;
    std::deque<MboxEvent> events_;
    std::string line_;
    std::string blank_;  ///< An empty line that may be the one in front of a From_ line.
    MboxEnd facts_;
    unsigned seen_ = 0;  ///< Which of the Status headers came.
    bool is_inside_ = false;
    bool is_header_ = false;
    bool is_status_ = false;  ///< The last header field was one of them.
    bool is_long_ = false;    ///< The rest of a line whose front was text.
    bool had_strange_start_ = false;
};

/// The date of a From_ line: "From a@example.org Mon Nov 23 16:24:04 2026", with or without a zone.
std::optional<std::int64_t> mbox_date(std::string_view from_line);

/// "From MAILER-DAEMON Mon Nov 23 16:24:04 2026\n" and the three headers of flags, all of which are
/// written, so that a header of that name in the message itself stays the message's.
/// `line_end` is the message's own.
std::string mbox_front(std::int64_t date, const std::vector<std::string>& flags,
                       std::string_view line_end);
/// Quotes a message's octets (MboxQuoting::Rd), in pieces.
class MboxQuoter {
public:
    void feed(std::string_view bytes, std::string& out);
    void finish(std::string& out);

private:
    std::string front_;  ///< What may become "From ".
    bool is_front_ = true;
};

}  // namespace godwit::mail
