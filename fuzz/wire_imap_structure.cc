// Any message printed as ENVELOPE, BODY and BODYSTRUCTURE is one well-formed list, and every
// section of it lies within the message.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ascii.h"
#include "base/result.h"
#include "mail/message/envelope.h"
#include "mail/message/parser.h"
#include "wire/imap/section_range.h"
#include "wire/imap/structure.h"

using namespace godwit;
using namespace godwit::imap;

namespace {

// Reads words, numbers, quoted strings, literals and lists; check() fails on anything else.
void expect_one_list(std::string_view text) {
    std::size_t depth = 0;
    std::size_t at = 0;
    check(text.starts_with('('), "a list begins");
    while (at < text.size()) {
        const char c = text[at++];
        if (c == '(') {
            ++depth;
        } else if (c == ')') {
            check(depth-- > 0, "no list ends twice");
            check(depth > 0 || at == text.size(), "one list only");
        } else if (c == '"') {
            while (check(at < text.size(), "quotes end"), text[at] != '"') {
                check(text[at] != '\r' && text[at] != '\n' && text[at] != '\0',
                      "quotes hold one line");
                at += text[at] == '\\' ? 2 : 1;
            }
            ++at;
        } else if (c == '{') {
            const std::size_t end = text.find('}', at);
            const auto size = parse_u64(text.substr(at, end - at));
            check(size && text.substr(end + 1, 2) == "\r\n" && *size <= text.size() - end - 3,
                  "literals are whole");
            at = end + 3 + static_cast<std::size_t>(*size);
        } else {
            check(c == ' ' || is_alnum(c), "only NIL and numbers stand bare");
        }
    }
    check(depth == 0, "parentheses balance");
}

template <class Write>
void expect_list(Write write) {
    ResponseWriter writer;
    write(writer);
    expect_one_list(writer.view());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view message(reinterpret_cast<const char*>(data), size);
    const mail::ParsedMessage parsed = mail::parse_message(message);
    expect_list([&](ResponseWriter& w) {
        write_envelope(w, mail::read_envelope(parsed.header, parsed.index));
    });
    expect_list([&](ResponseWriter& w) { write_structure(w, parsed.parts, StructureForm::Body); });
    expect_list(
        [&](ResponseWriter& w) { write_structure(w, parsed.parts, StructureForm::BodyStructure); });
    for (const SectionText text :
         {SectionText::Whole, SectionText::Header, SectionText::Text, SectionText::Mime}) {
        for (const std::vector<std::uint32_t>& part :
             {std::vector<std::uint32_t>{}, {1}, {2}, {1, 1}, {1, 2}, {2, 1}, {1, 1, 1}}) {
            Section section;
            section.part = part;
            section.text = text;
            if (const auto range = find_section_range(parsed.parts, size, section)) {
                check(range->offset <= size && range->size <= size - range->offset,
                      "sections lie in the message");
            }
        }
    }
    Section fields;
    fields.text = SectionText::HeaderFieldsNot;
    fields.fields = {"Received", "X-A"};
    check(filter_header(parsed.header, fields).ends_with("\r\n"), "headers end with a blank line");
    return 0;
}
