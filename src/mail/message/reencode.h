// Makes a message fit for a hop that takes less than it holds: 8-bit and binary parts become
// quoted-printable or base64, and labels say so. Structure, order and decoded content stay.
// RFC 2045 6 (encodings), 6.4 (never on multipart and message), RFC 3030 3 and RFC 6152 3 (what a
// relay does), RFC 1428 (unknown-8bit), RFC 5321 4.5.3.1.6 (lines of 998). SMTP-BEHAVIOUR.md B1,
// D9, D10.
//
// The message is read several times and never held: parse_message finds the parts, ReencodeSurvey
// what is in them, Reencoder writes the new one (once more for its size). Memory: the part tree, an
// edit a part, and one part's header.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mail/message/parser.h"

namespace godwit::mail {

/// What the hop takes. Binary content is always made into lines.
struct WireForm {
    bool eight_bit = false;   ///< 8BITMIME.
    bool long_lines = false;  ///< Lines of more than line_octets_max may go as they are.
};
/// RFC 5321 4.5.3.1.6: 1000 with CRLF.
inline constexpr std::size_t line_octets_max = 998;

struct ReencodeEdit {
    enum class Kind : std::uint8_t {
        Header,           ///< Of a part: its encoding's label, and what an encoded part must say.
        QuotedPrintable,  ///< A body.
        Base64,           ///< A body.
    } kind = Kind::Header;
    std::uint64_t begin = 0;  ///< In the message as it is; edits rise and do not overlap.
    std::uint64_t end = 0;
    std::string_view encoding;  ///< Header: what it shall say; static text.
    std::string_view charset;   ///< Header: where none is declared; empty: nothing. Static text.
    bool is_root = false;       ///< Of the message itself.
};

struct ReencodePlan {
    enum class Verdict : std::uint8_t {
        Fits,        ///< It may go as it is.
        Changes,     ///< `edits` make it fit.
        Signed,      ///< A signature would break (multipart/signed).
        Impossible,  ///< Its structure cannot be known whole, or may not be encoded.
    } verdict = Verdict::Fits;
    std::vector<ReencodeEdit> edits;
};

/// True when others signed the header or body as they are: DKIM (RFC 6376), ARC (RFC 8617), S/MIME
/// and OpenPGP (RFC 1847).
bool is_signed(const ParsedMessage& message);

/// The second reading. `message` outlives it.
class ReencodeSurvey {
public:
    explicit ReencodeSurvey(const ParsedMessage* message);
    /// All of the message, in pieces of any size.
    void feed(std::string_view bytes);
    [[nodiscard]] ReencodePlan finish(const WireForm& form);

private:
    struct Facts {
        std::uint64_t octets = 0;
        std::uint64_t eight_bit = 0;  ///< Octets of 0x80 and more.
        std::uint64_t escaped = 0;    ///< What quoted-printable would write as three.
        std::uint64_t line = 0;       ///< Octets of the line so far.
        std::uint64_t line_max = 0;
        bool is_binary = false;  ///< A NUL, a bare CR or a bare LF.
        bool is_utf8 = true;
        bool cr_pending = false;
        std::uint8_t utf8_left = 0;  ///< Continuation octets that are due.
    };
    static void look(Facts& facts, std::string_view bytes);
    [[nodiscard]] bool is_in_signed(std::uint32_t part) const;
    [[nodiscard]] bool has_opaque_bodies(const Part& part) const;

    const ParsedMessage* message_;
    std::vector<std::uint32_t> leaves_;  ///< In the order of their bodies.
    std::vector<Facts> facts_;           ///< Of leaves_.
    std::size_t at_leaf_ = 0;
    std::uint64_t offset_ = 0;
};

/// Quoted-printable of text in pieces: CRLF stays, lines have at most 76 characters. RFC 2045 6.7.
class QuotedPrintableWriter {
public:
    void feed(std::string_view bytes, std::string& out);
    void finish(std::string& out);

private:
    void put(char octet, bool is_last_of_line, std::string& out);
    std::string held_;  ///< A blank or a CR whose fate is open; at most 2 octets.
    std::size_t column_ = 0;
};

/// Base64 in pieces, lines of 76 characters with CRLF between them. RFC 2045 6.8.
class Base64Writer {
public:
    void feed(std::string_view bytes, std::string& out);
    void finish(std::string& out);

private:
    void line(std::string_view bytes, std::string& out);
    std::string held_;  ///< Less than a line.
    bool has_lines_ = false;
};

/// The third reading: the new message. `plan` outlives it and says Changes. Linear.
class Reencoder {
public:
    explicit Reencoder(const ReencodePlan* plan) : plan_(plan) {}
    /// All of the message, in pieces of any size; appends what can be written.
    void feed(std::string_view bytes, std::string& out);
    void finish(std::string& out);

private:
    void take(const ReencodeEdit& edit, std::string_view bytes, std::string& out);
    void end(const ReencodeEdit& edit, std::string& out);
    void note_end(std::string_view out);

    const ReencodePlan* plan_;
    std::size_t at_edit_ = 0;
    std::uint64_t offset_ = 0;
    std::string header_;  ///< Of the part that is being read.
    QuotedPrintableWriter quoted_;
    Base64Writer base64_;
    char last_ = '\n';  ///< Written.
};

}  // namespace godwit::mail
