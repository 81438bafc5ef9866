// The arguments of APPEND and REPLACE, read in steps: they arrive between the octets of messages.
// RFC 3501 6.3.11; RFC 3502 (several messages); RFC 4466 3 (append-data); RFC 4469 5 (CATENATE);
// RFC 6855 4 (UTF8); RFC 8508 5 (REPLACE). Q14.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/clock.h"
#include "base/result.h"
#include "wire/imap/command.h"
#include "wire/imap/flags.h"
#include "wire/imap/lexer.h"
#include "wire/imap/mailbox_name.h"

namespace godwit::imap {

/// Where the messages go: always the first event.
struct AppendTarget {
    MailboxName mailbox;
    /// REPLACE alone: the message that goes, a sequence number or a uid as the command was; 0 for
    /// "*" (RFC 3501 9: seq-number may be it).
    std::uint32_t replaced = 0;
};
/// A message begins.
struct AppendBegin {
    FlagSet flags;
    std::optional<WallTime> internal_date;
    bool is_catenated = false;  ///< Its pieces follow; else one AppendOctets does.
};
/// Octets of the message: a literal that is streamed.
struct AppendOctets {
    LiteralToken literal;
    bool is_utf8 = false;  ///< UTF8 (~{n} ...): RFC 6855 4; taken without ENABLE (Q14).
};
/// Octets that another message has. RFC 4469 3.
struct AppendUrl {
    std::string url;
};
/// As AppendUrl, but the URL is a literal that is streamed.
struct AppendUrlOctets {
    LiteralToken literal;
};
/// The message begun last has all its pieces.
struct AppendEnd {};
/// The text ends here though the command does not: the octets of the literal told last come first.
struct AppendMore {};
/// The command is over.
struct AppendDone {};

using AppendEvent = std::variant<AppendTarget, AppendBegin, AppendOctets, AppendUrl,
                                 AppendUrlOctets, AppendEnd, AppendMore, AppendDone>;

/// Reads one command while it grows. Each octet of the text is looked at a bounded number of times,
/// however often next() is called.
class AppendReader {
public:
    explicit AppendReader(NameSpelling spelling) : spelling_(spelling) {}

    /// `command` is what came so far (LiteralOffer) or, when `is_whole`, all; its text begins with
    /// the text that was given before. After an error, AppendMore or AppendDone of a whole command
    /// nothing may be asked any more.
    Result<AppendEvent> next(const Command& command, bool is_whole);

private:
    enum class Place : std::uint8_t {
        Start,       ///< Before the mailbox.
        Message,     ///< Before a message or the end.
        Octets,      ///< Before the only literal of a message.
        FirstPiece,  ///< Behind "CATENATE (".
        Piece,       ///< Behind a piece.
        UtfEnd,      ///< Behind the literal of UTF8 (, outside CATENATE.
        PieceUtfEnd,
        Close,  ///< The message is to be ended.
    };

    Result<AppendEvent> read_target(Lexer& lexer, const Command& command);
    Result<AppendEvent> read_begin(Lexer& lexer);
    Result<AppendEvent> read_octets(Lexer& lexer);
    Result<AppendEvent> read_piece(Lexer& lexer);
    Result<AppendEvent> step(Lexer& lexer, const Command& command, bool is_whole);

    NameSpelling spelling_;
    Place place_ = Place::Start;
    std::size_t offset_ = 0;
};

}  // namespace godwit::imap
