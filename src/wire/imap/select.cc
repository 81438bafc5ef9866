#include "wire/imap/select.h"

namespace godwit::imap {

namespace {

// A set of plain numbers as RFC 7162 7 wants them: no "*".
Result<SequenceSet> read_known(Lexer& lexer) {
    SequenceSet set = TRY(SequenceSet::parse(TRY(
        lexer.run([](char c) { return c != ' ' && c != '(' && c != ')'; }, "a set of numbers"))));
    return set.is_saved() ? lexer.bad("a set of numbers") : Result<SequenceSet>(std::move(set));
}

Result<> read_matches(Lexer& lexer, QresyncArguments& out) {
    TRY(lexer.expect('('));
    const SequenceSet numbers = TRY(read_known(lexer));
    TRY(lexer.space());
    const SequenceSet uids = TRY(read_known(lexer));
    TRY(lexer.expect(')'));
    // RFC 7162 3.2.5.2: both MUST rise. Otherwise nobody knows which belong together.
    if (!numbers.is_ascending() || !uids.is_ascending()) {
        return lexer.bad("numbers and uids in ascending order");
    }
    out.matched_numbers = numbers.resolve(0);
    out.matched_uids = uids.resolve(0);
    if (out.matched_numbers.count() != out.matched_uids.count()) {
        return lexer.bad("as many uids as numbers");
    }
    return {};
}

Result<QresyncArguments> read_qresync(Lexer& lexer) {
    QresyncArguments out;
    TRY(lexer.expect('('));
    out.uid_validity = TRY(lexer.nz_number());
    TRY(lexer.space());
    out.mod_seq = TRY(lexer.number64());
    if (lexer.take(')')) {
        return out;
    }
    TRY(lexer.space());
    if (lexer.peek() != '(') {
        const SequenceSet known = TRY(read_known(lexer));
        if (known.has_star()) {
            return lexer.bad("uids without *");
        }
        out.known_uids = known.resolve(0);
        if (lexer.take(')')) {
            return out;
        }
        TRY(lexer.space());
    }
    TRY(read_matches(lexer, out));
    TRY(lexer.expect(')'));
    return out;
}

Result<> read_parameter(Lexer& lexer, SelectArguments& out) {
    if (!out.condstore && lexer.take_word("CONDSTORE")) {
        out.condstore = true;
        return {};
    }
    if (!out.qresync && lexer.take_word("QRESYNC")) {
        TRY(lexer.space());
        out.qresync = TRY(read_qresync(lexer));
        return {};
    }
    return lexer.bad("a SELECT parameter");
}

}  // namespace

Result<SelectArguments> parse_select(Lexer& lexer, NameSpelling spelling) {
    SelectArguments out;
    TRY(lexer.space());
    out.mailbox = TRY(read_mailbox_name(lexer, spelling));
    if (lexer.end()) {
        return out;
    }
    TRY(lexer.space());
    TRY(lexer.expect('('));
    for (;;) {
        TRY(read_parameter(lexer, out));
        if (lexer.take(')')) {
            break;
        }
        TRY(lexer.space());
    }
    TRY(lexer.end());
    return out;
}

}  // namespace godwit::imap
