// Message bytes on the wire, both ways: DATA with its dots, BDAT with its counts.
// RFC 5321 4.1.1.4, 4.5.2; RFC 3030 2. SMTP-BEHAVIOUR A1-A8 and its first page; SECURITY.md T1-T4.
//
// The rule: DATA ends at CR LF . CR LF, these five octets and no others. A bare LF is repaired to
// CRLF, except on either side of a line that is only a dot: such a message is read to its true end
// and refused whole. A bare CR or a NUL: the same. All of it is safe under any split of the input.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace godwit::smtp {

enum class BareNewlines : std::uint8_t {
    Repair,  ///< Bare LF becomes CRLF.
    Reject,  ///< Any bare LF refuses the message.
    Keep,    ///< BODY=BINARYMIME (RFC 3030 3): no lines at all, each octet as it comes. BDAT only.
};

/// Why a message cannot be taken; the first finding stays.
enum class ContentFault : std::uint8_t { None, BareLf, BareLfAtDot, BareCr, Nul };
/// For the 550 5.5.2.
std::string_view describe(ContentFault fault);

/// The receiving end of DATA. Holds a few flags, never text.
class DataReceiver {
public:
    explicit DataReceiver(BareNewlines mode) : mode_(mode) {}
    struct Progress {
        std::size_t consumed = 0;
        bool is_ended = false;  ///< The final dot is among what was consumed.
    };
    /// Appends the content in `bytes` to `out`: unstuffed, repaired. After a fault nothing more is
    /// appended. Stops behind the final dot. Linear in `bytes`.
    Progress feed(std::string_view bytes, std::string& out);
    [[nodiscard]] ContentFault fault() const { return fault_; }
    [[nodiscard]] bool is_repaired() const { return is_repaired_; }
    /// The line before the final dot ended CR CR LF. A sender that does not take this for a line's
    /// end has been tricked into ending here (A1): refuse, and trust nothing that follows.
    [[nodiscard]] bool is_end_suspicious() const { return is_end_suspicious_; }

private:
    enum class Break : std::uint8_t { Crlf, CrCrlf, Lf };
    enum class Line : std::uint8_t { Empty, Dot, Text };
    void note(ContentFault fault);
    bool end_line(Break how, std::string& out);
    BareNewlines mode_;
    ContentFault fault_ = ContentFault::None;
    Break last_break_ = Break::Crlf;
    Line line_ = Line::Empty;
    bool cr_pending_ = false;
    bool cr_before_cr_ = false;
    bool is_repaired_ = false;
    bool is_end_suspicious_ = false;
};

/// The content rule alone, for BDAT: no dots are removed and nothing ends it but end().
class ChunkReceiver {
public:
    explicit ChunkReceiver(BareNewlines mode) : mode_(mode) {}
    /// All of `bytes` belongs to chunks of one message.
    void feed(std::string_view bytes, std::string& out);
    /// The last chunk is in: a CR still waiting for its LF is bare.
    void end();
    [[nodiscard]] ContentFault fault() const { return fault_; }
    [[nodiscard]] bool is_repaired() const { return is_repaired_; }

private:
    enum class Line : std::uint8_t { Empty, Dot, Text };
    void note(ContentFault fault);
    void end_line(bool is_lf, std::string& out);
    BareNewlines mode_;
    ContentFault fault_ = ContentFault::None;
    Line line_ = Line::Empty;
    bool last_break_is_lf_ = false;
    bool cr_pending_ = false;
    bool is_repaired_ = false;
};

/// The sending end, for DATA and BDAT alike: no bare CR or LF leaves. Content is canonical long
/// before it comes here; a stray one is replaced by a space, which keeps every count (A3).
class ContentSender {
public:
    /// Binary: counted, and each octet as it is (RFC 3030 3).
    enum class Framing : std::uint8_t { Dots, Counted, Binary };
    explicit ContentSender(Framing framing) : framing_(framing) {}
    /// Appends `bytes` ready to send. With Counted, as many bytes leave as came in by finish().
    void feed(std::string_view bytes, std::string& out);
    /// Dots: the missing CRLF if any (A8), then the final dot. Counted: a held-back byte if any.
    void finish(std::string& out);
    /// True when something stray was replaced: worth a line in the log.
    [[nodiscard]] bool is_altered() const { return is_altered_; }

private:
    Framing framing_;
    bool at_line_start_ = true;
    bool cr_pending_ = false;
    bool is_altered_ = false;
};

}  // namespace godwit::smtp
