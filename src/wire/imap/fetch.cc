#include "wire/imap/fetch.h"

#include <algorithm>

#include "base/limits.h"

namespace godwit::imap {

namespace {

struct PlainItem {
    std::string_view word;
    bool FetchAttributes::* member;
};
constexpr PlainItem kPlainItems[] = {
    {"UID", &FetchAttributes::uid},
    {"FLAGS", &FetchAttributes::flags},
    {"INTERNALDATE", &FetchAttributes::internal_date},
    {"RFC822.SIZE", &FetchAttributes::size},
    {"ENVELOPE", &FetchAttributes::envelope},
    {"BODYSTRUCTURE", &FetchAttributes::body_structure},
    {"MODSEQ", &FetchAttributes::mod_seq},
    {"SAVEDATE", &FetchAttributes::save_date},
    {"EMAILID", &FetchAttributes::email_id},
    {"THREADID", &FetchAttributes::thread_id},
};

Result<> add_body(FetchAttributes& out, BodyItem item) {
    if (std::ranges::find(out.bodies, item) != out.bodies.end()) {
        return {};
    }
    if (out.bodies.size() == limits::imap_fetch_items_max) {
        return peer_error(ErrorCode::LimitExceeded, "Too many body sections in one FETCH");
    }
    out.bodies.push_back(std::move(item));
    return {};
}

Result<std::optional<Partial>> read_partial(Lexer& lexer) {
    if (!lexer.take('<')) {
        return std::optional<Partial>();
    }
    Partial out;
    out.origin = TRY(lexer.number64());
    TRY(lexer.expect('.'));
    out.count = TRY(lexer.number64());
    if (out.count == 0) {
        return lexer.bad("a number above zero");
    }
    TRY(lexer.expect('>'));
    return std::optional(out);
}

// BINARY[...], BINARY.PEEK[...] or BINARY.SIZE[...]. RFC 3516 7.
Result<> read_binary(Lexer& lexer, FetchAttributes& out, BodyItem item) {
    item.section = TRY(read_section(lexer));
    if (item.section.text != SectionText::Whole) {
        return lexer.bad("a part number, or nothing, for BINARY");
    }
    if (item.name == BodyItemName::Binary) {
        item.partial = TRY(read_partial(lexer));
    }
    return add_body(out, std::move(item));
}

// BODY, BODY[...] or BODY.PEEK[...]; take_word() stops before "[", which is an atom character.
Result<bool> read_body(Lexer& lexer, FetchAttributes& out) {
    const std::size_t start = lexer.offset();
    const std::string_view word = TRY(
        lexer.run([](char c) { return is_atom_char(c) && c != '[' && c != '<'; }, "a FETCH item"));
    Lexer name(word);
    BodyItem item;
    const bool is_size = name.take_word("BINARY.SIZE");
    item.peek = is_size || name.take_word("BINARY.PEEK");
    if (item.peek || name.take_word("BINARY")) {
        item.name = is_size ? BodyItemName::BinarySize : BodyItemName::Binary;
        TRY(read_binary(lexer, out, std::move(item)));
        return true;
    }
    item.peek = name.take_word("BODY.PEEK");
    if (!item.peek && !name.take_word("BODY")) {
        lexer.rewind(start);
        return false;
    }
    if (lexer.peek() != '[') {
        if (item.peek) {
            return lexer.bad("[");
        }
        out.body = true;
        return true;
    }
    item.section = TRY(read_section(lexer));
    item.partial = TRY(read_partial(lexer));
    TRY(add_body(out, std::move(item)));
    return true;
}

// RFC 8970 6. What stands in parentheses may belong to FETCH itself.
Result<> read_preview(Lexer& lexer, FetchAttributes& out) {
    out.preview = true;
    const std::size_t behind = lexer.offset();
    if (!lexer.take(' ') || !lexer.take('(') || !lexer.take_word("LAZY")) {
        lexer.rewind(behind);
        return {};
    }
    while (lexer.take(' ')) {
        if (!lexer.take_word("LAZY")) {
            return lexer.bad("LAZY");
        }
    }
    return lexer.expect(')');
}

Result<> read_item(Lexer& lexer, FetchAttributes& out) {
    if (lexer.take_word("PREVIEW")) {
        return read_preview(lexer, out);
    }
    for (const PlainItem& item : kPlainItems) {
        if (lexer.take_word(item.word)) {
            out.*item.member = true;
            return {};
        }
    }
    BodyItem whole;
    if (lexer.take_word("RFC822")) {
        whole.name = BodyItemName::Rfc822;
        return add_body(out, std::move(whole));
    }
    if (lexer.take_word("RFC822.HEADER")) {
        whole.name = BodyItemName::Rfc822Header;
        whole.section.text = SectionText::Header;
        whole.peek = true;
        return add_body(out, std::move(whole));
    }
    if (lexer.take_word("RFC822.TEXT")) {
        whole.name = BodyItemName::Rfc822Text;
        whole.section.text = SectionText::Text;
        return add_body(out, std::move(whole));
    }
    if (!TRY(read_body(lexer, out))) {
        return lexer.bad("a FETCH item");
    }
    return {};
}

Result<> read_modifier(Lexer& lexer, FetchModifiers& out) {
    if (!out.changed_since && lexer.take_word("CHANGEDSINCE")) {
        TRY(lexer.space());
        out.changed_since = TRY(lexer.number64());
        return {};
    }
    if (!out.vanished && lexer.take_word("VANISHED")) {
        out.vanished = true;
        return {};
    }
    if (!out.partial && lexer.take_word("PARTIAL")) {
        TRY(lexer.space());
        out.partial = TRY(read_partial_range(lexer));
        return {};
    }
    return lexer.bad("a FETCH modifier");
}

// RFC 4466 2.4: SP "(" fetch-modifier *(SP fetch-modifier) ")".
Result<FetchModifiers> read_modifiers(Lexer& lexer) {
    FetchModifiers out;
    if (lexer.end()) {
        return out;
    }
    TRY(lexer.space());
    TRY(lexer.expect('('));
    for (;;) {
        TRY(read_modifier(lexer, out));
        if (lexer.take(')')) {
            return out;
        }
        TRY(lexer.space());
    }
}

}  // namespace

bool FetchAttributes::sets_seen() const {
    return std::ranges::any_of(bodies, [](const BodyItem& item) { return !item.peek; });
}

Result<FetchAttributes> read_fetch_attributes(Lexer& lexer) {
    FetchAttributes out;
    // RFC 3501 6.4.5: a macro stands alone.
    const bool is_full = lexer.take_word("FULL");
    const bool is_all = is_full || lexer.take_word("ALL");
    if (is_all || lexer.take_word("FAST")) {
        out.flags = out.internal_date = out.size = true;
        out.envelope = is_all;
        out.body = is_full;
        return out;
    }
    if (!lexer.take('(')) {
        TRY(read_item(lexer, out));
        return out;
    }
    for (;;) {
        TRY(read_item(lexer, out));
        if (lexer.take(')')) {
            return out;
        }
        TRY(lexer.space());
    }
}

Result<FetchArguments> parse_fetch(Lexer& lexer) {
    TRY(lexer.space());
    const std::string_view set = TRY(lexer.run([](char c) { return c != ' '; }, "a sequence set"));
    FetchArguments out{TRY(SequenceSet::parse(set)), {}, {}};
    TRY(lexer.space());
    out.attributes = TRY(read_fetch_attributes(lexer));
    out.modifiers = TRY(read_modifiers(lexer));
    TRY(lexer.end());
    return out;
}

}  // namespace godwit::imap
