#include "wire/imap/section.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/limits.h"

namespace godwit::imap {

namespace {

// "(Date From)" behind HEADER.FIELDS.
Result<> read_fields(Lexer& lexer, Section& out) {
    TRY(lexer.space());
    TRY(lexer.expect('('));
    for (;;) {
        std::string name = TRY(lexer.astring());
        // RFC 5322 3.6.8: a field name is visible ASCII without a colon. Nothing else can match,
        // and nothing else may come back in our answer's section.
        if (name.empty() ||
            !std::ranges::all_of(name, [](char c) { return is_vchar(c) && c != ':'; })) {
            return lexer.bad("a header field name");
        }
        if (out.fields.size() == limits::imap_section_fields_max) {
            return peer_error(ErrorCode::LimitExceeded, "Too many header field names");
        }
        out.fields.push_back(std::move(name));
        if (lexer.take(')')) {
            return {};
        }
        TRY(lexer.space());
    }
}

// section-msgtext, or MIME behind a part number.
Result<> read_text(Lexer& lexer, Section& out) {
    // The longer words first: take_word() asks for a word's end.
    if (lexer.take_word("HEADER.FIELDS.NOT")) {
        out.text = SectionText::HeaderFieldsNot;
        return read_fields(lexer, out);
    }
    if (lexer.take_word("HEADER.FIELDS")) {
        out.text = SectionText::HeaderFields;
        return read_fields(lexer, out);
    }
    if (lexer.take_word("HEADER")) {
        out.text = SectionText::Header;
        return {};
    }
    if (lexer.take_word("TEXT")) {
        out.text = SectionText::Text;
        return {};
    }
    if (!out.part.empty() && lexer.take_word("MIME")) {
        out.text = SectionText::Mime;
        return {};
    }
    return lexer.bad("a section");
}

}  // namespace

Result<Section> read_section(Lexer& lexer) {
    Section out;
    TRY(lexer.expect('['));
    if (lexer.take(']')) {
        return out;
    }
    while (is_digit(lexer.peek())) {
        if (out.part.size() == 2 * limits::mime_depth_max) {
            return peer_error(ErrorCode::LimitExceeded, "Section is nested too deeply");
        }
        out.part.push_back(TRY(lexer.nz_number()));
        if (lexer.take(']')) {
            return out;
        }
        TRY(lexer.expect('.'));
    }
    TRY(read_text(lexer, out));
    TRY(lexer.expect(']'));
    return out;
}

std::string to_string(const Section& section) {
    std::string out = "[";
    for (const std::uint32_t number : section.part) {
        if (out.size() > 1) {
            out.push_back('.');
        }
        out.append(std::to_string(number));
    }
    if (section.text != SectionText::Whole && out.size() > 1) {
        out.push_back('.');
    }
    switch (section.text) {
        case SectionText::Whole: break;
        case SectionText::Header: out.append("HEADER"); break;
        case SectionText::HeaderFields: out.append("HEADER.FIELDS"); break;
        case SectionText::HeaderFieldsNot: out.append("HEADER.FIELDS.NOT"); break;
        case SectionText::Text: out.append("TEXT"); break;
        case SectionText::Mime: out.append("MIME"); break;
    }
    if (!section.fields.empty()) {
        char before = '(';
        out.push_back(' ');
        for (const std::string& name : section.fields) {
            out.push_back(before);
            before = ' ';
            if (std::ranges::all_of(name, is_astring_char)) {
                out.append(name);
                continue;
            }
            out.push_back('"');
            for (const char c : name) {
                if (c == '"' || c == '\\') {
                    out.push_back('\\');
                }
                out.push_back(c);
            }
            out.push_back('"');
        }
        out.push_back(')');
    }
    out.push_back(']');
    return out;
}

}  // namespace godwit::imap
