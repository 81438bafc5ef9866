// Cuts the octets of an IMAP connection into whole commands.
// RFC 3501 2.2.1, 4.3, 7.5; RFC 7888 3-5 (LITERAL+); RFC 4466 3 (literal8); T75-T77, Q43, Q44.
// Input may be split anywhere: the events are the same. Memory is bounded by ReaderLimits; the
// message of an APPEND is never held, it passes through in chunks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/limits.h"
#include "wire/imap/command.h"

namespace godwit::imap {

/// The bounds in force, which change at login. Sizes are octets.
struct ReaderLimits {
    std::size_t line_size_max =
        limits::imap_line_size_max;  ///< Of all lines of a command together.
    std::size_t literal_size_max = limits::imap_literal_size_max;
    std::size_t literals_max = limits::imap_literals_max;
    std::size_t command_size_max = limits::imap_command_size_max;  ///< Lines and literals together.
    std::size_t append_size_max = limits::message_size_max;        ///< A streamed literal.
    std::size_t discard_max = limits::imap_discard_max;
    /// Before login only LOGIN and AUTHENTICATE may carry literals, and a breach ends the
    /// connection (T75).
    bool authenticated = true;

    static ReaderLimits before_login();
    static ReaderLimits after_login(std::size_t message_size_max);
};

/// Nothing more can be said until more octets are fed.
struct NeedMore {};
/// Send a continuation request ("+ text") now: the client waits to send a literal.
struct Continue {};
/// An APPEND announces its message. The caller looks at the arguments so far (`command.text` ends
/// with the literal's header) and must call accept_literal() or refuse_literal() before next().
struct LiteralOffer {
    Command command;            ///< A copy of what has come so far.
    std::uint64_t size = 0;     ///< At most ReaderLimits::append_size_max.
    bool binary = false;        ///< ~{n}: RFC 4466 literal8.
    bool synchronizing = true;  ///< False for {n+}: the octets come whatever we answer.
    std::size_t number = 0;     ///< 0 for the first streamed literal of this command.
};
/// Some octets of an accepted literal. The view is into the reader and dies at its next call.
struct LiteralChunkView {
    std::string_view bytes;
};
/// The accepted literal is complete; the command goes on.
struct LiteralEnd {};
/// A line asked for with expect_line(), without its CRLF.
struct ContinuationLine {
    std::string text;
};
/// The command cannot be taken: answer `tag` BAD (with `code` in brackets unless empty) and go on.
/// `tag` is "*" where none could be read.
struct Rejected {
    std::string tag;
    std::string code;
    std::string text;
};
/// The connection must end: say `tag` BAD first unless `tag` is empty, then BYE with `code`, and
/// close. Every later event is NeedMore.
struct Fatal {
    std::string tag;
    std::string code;
    std::string text;
};

using ReaderEvent = std::variant<NeedMore, Command, Continue, LiteralOffer, LiteralChunkView,
                                 LiteralEnd, ContinuationLine, Rejected, Fatal>;

/// The reader of one connection. Feed what the stream gave, then call next() until NeedMore.
/// One thread at a time; never waits.
class CommandReader {
public:
    explicit CommandReader(ReaderLimits limits = ReaderLimits::before_login())
        : limits_(limits), discard_budget_(limits.discard_max) {}

    /// Takes over a copy of `bytes`. Feed only after NeedMore, so that what is held stays below one
    /// read of the stream and one command.
    void feed(std::string_view bytes);
    [[nodiscard]] ReaderEvent next();

    /// After LiteralOffer: the octets follow as LiteralChunkView and LiteralEnd (after a Continue
    /// when the client waits for it).
    void accept_literal();
    /// After LiteralOffer, or while an accepted literal is still coming: the caller answers the
    /// command itself; what the client sends of it is drained unseen (Q44).
    void refuse_literal();
    /// The next line is not a command but the client's part of AUTHENTICATE, or IDLE's DONE.
    /// One line at most `size_max` octets long; a longer one is Fatal.
    void expect_line(std::size_t size_max);

    /// Between commands only.
    void set_limits(ReaderLimits limits) {
        limits_ = limits;
        discard_budget_ = limits.discard_max;
    }
    /// Octets have come that no event has told of yet. At STARTTLS that means an injected command:
    /// the connection must be dropped (T11).
    [[nodiscard]] bool has_unread() const { return pos_ < input_.size() || !is_between_commands(); }
    [[nodiscard]] bool is_between_commands() const {
        return mode_ == Mode::Line && command_.text.empty();
    }

private:
    enum class Mode : std::uint8_t {
        Line,            ///< Lines of a command.
        Literal,         ///< Octets of a held literal.
        Offer,           ///< Waiting for accept_literal() or refuse_literal().
        Stream,          ///< Octets of a streamed literal.
        DiscardLiteral,  ///< Octets nobody wants.
        DiscardLine,     ///< The rest of a line nobody wants.
        AwaitedLine,     ///< After expect_line().
        Dead,
    };
    struct LiteralHeader {
        std::uint64_t size = 0;  ///< Saturated.
        bool binary = false;
        bool synchronizing = true;
        std::size_t length = 0;  ///< Of "{n}" itself.
    };
    struct Refusal {
        std::string code;
        std::string text;
    };

    static std::optional<LiteralHeader> literal_header(std::string_view line);
    std::optional<ReaderEvent> read_line();
    std::optional<ReaderEvent> overflow_line(std::string_view piece);
    std::optional<ReaderEvent> end_line(std::string_view line);
    std::optional<ReaderEvent> begin_literal(const LiteralHeader& header);
    std::optional<ReaderEvent> offer_literal(const LiteralHeader& header);
    std::optional<ReaderEvent> read_literal();
    std::optional<ReaderEvent> read_stream();
    std::optional<ReaderEvent> discard_literal();
    std::optional<ReaderEvent> discard_line();
    std::optional<ReaderEvent> read_awaited_line();
    std::optional<Refusal> literal_refusal(const LiteralHeader& header) const;
    bool parse_prefix();
    [[nodiscard]] bool is_message_literal(const LiteralHeader& header) const;
    std::optional<ReaderEvent> reject(Refusal refusal, const std::optional<LiteralHeader>& header);
    std::optional<ReaderEvent> finish_rejected();
    ReaderEvent die(std::string tag, std::string code, std::string text);
    void begin_discard(const LiteralHeader& header);
    void reset_command();
    [[nodiscard]] std::string_view unread() const { return std::string_view(input_).substr(pos_); }

    ReaderLimits limits_;
    std::string input_;
    std::size_t pos_ = 0;
    Mode mode_ = Mode::Line;
    Command command_;
    bool prefix_parsed_ = false;
    bool continue_due_ = false;
    std::size_t line_start_ = 0;   // in command_.text
    std::size_t line_octets_ = 0;  // of all lines so far
    std::size_t literals_ = 0;
    std::uint64_t literal_left_ = 0;
    bool synchronizing_ = true;       // of the offered literal
    std::optional<Refusal> refusal_;  // what to say when the discarded command ends
    std::string discard_tail_;        // last octets of a discarded line, to see "{n+}"
    std::uint64_t discard_budget_ = 0;
    std::string awaited_line_;
    std::size_t awaited_size_max_ = 0;
};

}  // namespace godwit::imap
