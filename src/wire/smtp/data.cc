// The three framers. Each scans a line at a time with memchr; only line ends and the octet at a
// line's start take the slow way.
#include "wire/smtp/data.h"

namespace godwit::smtp {

namespace {

struct Piece {
    std::size_t end = 0;  ///< Of the text, before its line end.
    enum class Stop { Input, Lf, Cr, Nul } stop = Stop::Input;
};

/// The text from `from` to the next LF, CR, NUL or the end of `bytes`.
Piece next_piece(std::string_view bytes, std::size_t from) {
    const std::size_t lf = bytes.find('\n', from);
    const std::string_view line = bytes.substr(from, lf == std::string_view::npos ? lf : lf - from);
    Piece piece{.end = from + line.size(),
                .stop = lf == std::string_view::npos ? Piece::Stop::Input : Piece::Stop::Lf};
    if (const std::size_t cr = line.find('\r'); cr != std::string_view::npos) {
        piece = {.end = from + cr, .stop = Piece::Stop::Cr};
    }
    if (const std::size_t nul = line.substr(0, piece.end - from).find('\0');
        nul != std::string_view::npos) {
        piece = {.end = from + nul, .stop = Piece::Stop::Nul};
    }
    return piece;
}

}  // namespace

std::string_view describe(ContentFault fault) {
    switch (fault) {
        case ContentFault::None: return "";
        case ContentFault::BareLf: return "Bare <LF> received; lines end with <CR><LF>";
        case ContentFault::BareLfAtDot: return "Bare <LF> beside a line with a single dot";
        case ContentFault::BareCr: return "Bare <CR> received; lines end with <CR><LF>";
        case ContentFault::Nul: return "NUL received in message content";
    }
    return "";
}

void DataReceiver::note(ContentFault fault) {
    if (fault_ == ContentFault::None) {
        fault_ = fault;
    }
}

DataReceiver::Progress DataReceiver::feed(std::string_view bytes, std::string& out) {
    std::size_t at = 0;
    std::size_t kept = 0;  // bytes[kept, at) is content that has not been appended yet.
    const auto flush = [&](std::size_t to, std::size_t next) {
        if (fault_ == ContentFault::None) {
            out.append(bytes.substr(kept, to - kept));
        }
        kept = next;
    };
    while (at < bytes.size()) {
        if (cr_pending_) {
            // A CR was held back: it is half of a line end or bare.
            cr_pending_ = false;
            if (bytes[at] != '\n') {
                note(ContentFault::BareCr);
                cr_before_cr_ = bytes[at] == '\r';
                line_ = Line::Text;
                continue;
            }
            flush(at, at + 1);
            ++at;
            if (end_line(cr_before_cr_ ? Break::CrCrlf : Break::Crlf, out)) {
                return {.consumed = at, .is_ended = true};
            }
            kept = at;
            continue;
        }
        if (line_ == Line::Empty && bytes[at] == '.') {
            line_ = Line::Dot;
            // RFC 5321 4.5.2: the dot that starts a line is not content. Only CRLF starts a line.
            if (last_break_ != Break::Lf) {
                flush(at, at + 1);
            }
            ++at;
            continue;
        }
        const Piece piece = next_piece(bytes, at);
        if (piece.end > at) {
            line_ = Line::Text;
            cr_before_cr_ = false;
        }
        at = piece.end;
        switch (piece.stop) {
            case Piece::Stop::Input: break;
            case Piece::Stop::Lf:
                flush(at, at + 1);
                ++at;
                (void)end_line(Break::Lf, out);
                kept = at;
                break;
            case Piece::Stop::Cr:
                if (line_ != Line::Dot && at + 1 < bytes.size() && bytes[at + 1] == '\n') {
                    // The common line: its CRLF goes out with it in one run.
                    at += 2;
                    last_break_ = cr_before_cr_ ? Break::CrCrlf : Break::Crlf;
                    line_ = Line::Empty;
                    cr_before_cr_ = false;
                    break;
                }
                flush(at, at + 1);
                ++at;
                cr_pending_ = true;
                break;
            case Piece::Stop::Nul:
                note(ContentFault::Nul);
                line_ = Line::Text;
                cr_before_cr_ = false;
                ++at;
                break;
        }
    }
    flush(at, at);
    return {.consumed = at, .is_ended = false};
}

/// True at the end of the data. Appends the line's CRLF otherwise.
bool DataReceiver::end_line(Break how, std::string& out) {
    const bool is_dot = line_ == Line::Dot;
    if (is_dot && how != Break::Lf && last_break_ != Break::Lf) {
        is_end_suspicious_ = last_break_ == Break::CrCrlf;
        return true;
    }
    if (is_dot) {
        note(ContentFault::BareLfAtDot);
    } else if (how == Break::Lf) {
        is_repaired_ = true;
        if (mode_ == BareNewlines::Reject) {
            note(ContentFault::BareLf);
        }
    }
    if (fault_ == ContentFault::None) {
        out += "\r\n";
    }
    last_break_ = how;
    line_ = Line::Empty;
    cr_before_cr_ = false;
    return false;
}

void ChunkReceiver::note(ContentFault fault) {
    if (fault_ == ContentFault::None) {
        fault_ = fault;
    }
}

void ChunkReceiver::end_line(bool is_lf, std::string& out) {
    if (line_ == Line::Dot && (is_lf || last_break_is_lf_)) {
        note(ContentFault::BareLfAtDot);
    }
    if (is_lf) {
        is_repaired_ = true;
        if (mode_ == BareNewlines::Reject) {
            note(ContentFault::BareLf);
        }
    }
    if (fault_ == ContentFault::None) {
        out += "\r\n";
    }
    last_break_is_lf_ = is_lf;
    line_ = Line::Empty;
}

void ChunkReceiver::feed(std::string_view bytes, std::string& out) {
    if (mode_ == BareNewlines::Keep) {
        out.append(bytes);
        return;
    }
    std::size_t at = 0;
    while (at < bytes.size() && fault_ == ContentFault::None) {
        if (cr_pending_) {
            cr_pending_ = false;
            if (bytes[at] != '\n') {
                note(ContentFault::BareCr);
                return;
            }
            ++at;
            end_line(false, out);
            continue;
        }
        const Piece piece = next_piece(bytes, at);
        const std::string_view text = bytes.substr(at, piece.end - at);
        if (!text.empty()) {
            line_ = line_ == Line::Empty && text == "." ? Line::Dot : Line::Text;
            out.append(text);
        }
        at = piece.end + (piece.stop == Piece::Stop::Input ? 0 : 1);
        switch (piece.stop) {
            case Piece::Stop::Input: break;
            case Piece::Stop::Lf: end_line(true, out); break;
            case Piece::Stop::Cr: cr_pending_ = true; break;
            case Piece::Stop::Nul: note(ContentFault::Nul); break;
        }
    }
}

void ChunkReceiver::end() {
    if (cr_pending_) {
        note(ContentFault::BareCr);
    }
    // A last line without its end counts as one: what is stored gets a CRLF on its next way out.
    if (line_ == Line::Dot && last_break_is_lf_) {
        note(ContentFault::BareLfAtDot);
    }
}

void ContentSender::feed(std::string_view bytes, std::string& out) {
    if (framing_ == Framing::Binary) {
        out.append(bytes);
        return;
    }
    std::size_t at = 0;
    while (at < bytes.size()) {
        if (cr_pending_) {
            cr_pending_ = false;
            if (bytes[at] == '\n') {
                out += "\r\n";
                at_line_start_ = true;
                ++at;
            } else {
                out += ' ';
                is_altered_ = true;
                at_line_start_ = false;
            }
            continue;
        }
        if (at_line_start_ && framing_ == Framing::Dots && bytes[at] == '.') {
            out += '.';  // RFC 5321 4.5.2
        }
        const std::size_t cr = std::min(bytes.find('\r', at), bytes.size());
        const std::size_t stop = std::min(bytes.substr(0, cr).find('\n', at), cr);
        if (stop > at) {
            out.append(bytes.substr(at, stop - at));
            at_line_start_ = false;
        }
        at = stop;
        if (at < bytes.size()) {
            cr_pending_ = bytes[at] == '\r';
            if (!cr_pending_) {
                out += ' ';
                is_altered_ = true;
                at_line_start_ = false;
            }
            ++at;
        }
    }
}

void ContentSender::finish(std::string& out) {
    if (cr_pending_) {
        cr_pending_ = false;
        out += ' ';
        is_altered_ = true;
        at_line_start_ = false;
    }
    if (framing_ == Framing::Dots) {
        out += at_line_start_ ? ".\r\n" : "\r\n.\r\n";  // A8
    }
}

}  // namespace godwit::smtp
