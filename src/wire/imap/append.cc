#include "wire/imap/append.h"

#include "wire/imap/date_time.h"

namespace godwit::imap {

namespace {

// The octets of a message are never part of a command's text: the reader streams them.
Result<LiteralToken> read_streamed(Lexer& lexer) {
    const LiteralToken token = TRY(lexer.literal_token());
    if (!token.streamed) {
        return lexer.bad("a literal");
    }
    return token;
}

Result<LiteralToken> read_utf8_literal(Lexer& lexer) {
    TRY(lexer.space());
    TRY(lexer.expect('('));
    const LiteralToken token = TRY(read_streamed(lexer));
    if (!token.binary) {
        return lexer.bad("~ before the literal of UTF8");  // RFC 6855 4: literal8.
    }
    return token;
}

}  // namespace

Result<AppendEvent> AppendReader::read_target(Lexer& lexer, const Command& command) {
    AppendTarget out;
    TRY(lexer.space());
    if (command.name == "REPLACE") {
        if (!lexer.take('*')) {
            out.replaced = TRY(lexer.nz_number());
        }
        TRY(lexer.space());
    }
    out.mailbox = TRY(read_mailbox_name(lexer, spelling_));
    place_ = Place::Message;
    return out;
}

// [SP flag-list] [SP date-time] SP append-data, up to the data.
Result<AppendEvent> AppendReader::read_begin(Lexer& lexer) {
    AppendBegin out;
    TRY(lexer.space());
    if (lexer.peek() == '(') {
        out.flags = TRY(read_flag_list(lexer));
        TRY(lexer.space());
    }
    if (lexer.peek() == '"') {
        out.internal_date = TRY(parse_date_time(TRY(lexer.string())));
        TRY(lexer.space());
    }
    out.is_catenated = lexer.take_word("CATENATE");
    if (out.is_catenated) {
        TRY(lexer.space());
        TRY(lexer.expect('('));
    }
    place_ = out.is_catenated ? Place::FirstPiece : Place::Octets;
    return out;
}

Result<AppendEvent> AppendReader::read_octets(Lexer& lexer) {
    AppendOctets out;
    out.is_utf8 = lexer.take_word("UTF8");
    out.literal = out.is_utf8 ? TRY(read_utf8_literal(lexer)) : TRY(read_streamed(lexer));
    place_ = out.is_utf8 ? Place::UtfEnd : Place::Close;
    return out;
}

Result<AppendEvent> AppendReader::read_piece(Lexer& lexer) {
    if (place_ == Place::Piece) {
        if (lexer.take(')')) {
            place_ = Place::Message;
            return AppendEnd{};
        }
        TRY(lexer.space());
    }
    place_ = Place::Piece;
    if (lexer.take_word("URL")) {
        TRY(lexer.space());
        if (lexer.peek() == '{' || lexer.peek() == '~') {
            return AppendUrlOctets{TRY(read_streamed(lexer))};
        }
        return AppendUrl{TRY(lexer.astring())};
    }
    if (lexer.take_word("UTF8")) {
        place_ = Place::PieceUtfEnd;
        return AppendOctets{.literal = TRY(read_utf8_literal(lexer)), .is_utf8 = true};
    }
    if (!lexer.take_word("TEXT")) {
        return lexer.bad("TEXT, URL or UTF8");
    }
    TRY(lexer.space());
    return AppendOctets{.literal = TRY(read_streamed(lexer))};
}

Result<AppendEvent> AppendReader::step(Lexer& lexer, const Command& command, bool is_whole) {
    // An offer's text ends behind the header of its literal.
    if (!is_whole && lexer.at_end()) {
        return AppendMore{};
    }
    switch (place_) {
        case Place::Start: return read_target(lexer, command);
        case Place::Message:
            // A SP with nothing behind it is forgiven here as at every command's end.
            if (is_whole && lexer.end()) {
                return AppendDone{};
            }
            return read_begin(lexer);
        case Place::Octets: return read_octets(lexer);
        case Place::FirstPiece:
        case Place::Piece: return read_piece(lexer);
        case Place::UtfEnd:
            TRY(lexer.expect(')'));
            place_ = Place::Message;
            return AppendEnd{};
        case Place::PieceUtfEnd:
            TRY(lexer.expect(')'));
            place_ = Place::Piece;
            return read_piece(lexer);
        case Place::Close: place_ = Place::Message; return AppendEnd{};
    }
    return lexer.bad("an argument of APPEND");
}

Result<AppendEvent> AppendReader::next(const Command& command, bool is_whole) {
    Lexer lexer(command);
    if (place_ != Place::Start) {
        lexer.rewind(offset_);
    }
    AppendEvent event = TRY(step(lexer, command, is_whole));
    offset_ = lexer.offset();
    return event;
}

}  // namespace godwit::imap
