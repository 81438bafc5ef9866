// The MIME parser: the same outcome however the input is split; sound trees; summaries that come
// back.
#include "mail/message/parser.h"

#include "input.h"
#include "mail/message/summary.h"

using namespace godwit;
using namespace godwit::mail;

namespace {

void check_same(const ParsedMessage& a, const ParsedMessage& b) {
    check(a.size == b.size && a.header_size == b.header_size, "sizes differ when split");
    check(a.header == b.header && a.index.fields == b.index.fields, "headers differ when split");
    check(a.parts == b.parts, "parts differ when split");
    check(a.plain_sample == b.plain_sample && a.html_sample == b.html_sample,
          "samples differ when split");
    check(a.truncated == b.truncated && a.has_8bit == b.has_8bit, "flags differ when split");
}

void check_tree(const ParsedMessage& message) {
    for (std::size_t i = 0; i < message.parts.size(); ++i) {
        const Part& part = message.parts[i];
        check(part.header_offset <= part.body_offset, "a body begins before its header");
        check(part.body_offset + part.body_size <= message.size, "a part ends outside the message");
        check((part.parent == kNoParent) == (i == 0), "only the first part has no parent");
        if (i > 0) {
            check(part.parent < i, "a parent comes after its child");
            check(message.parts[part.parent].kind != Part::Kind::Leaf, "a leaf has a child");
        }
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view text = fuzz::as_text(bytes, size);
    const ParsedMessage whole = parse_message(text);
    check_tree(whole);
    MessageParser by_octet;
    MessageParser by_steps;
    for (std::size_t at = 0; at < text.size(); ++at) {
        by_octet.feed(text.substr(at, 1));
    }
    std::size_t step = 1;
    for (std::string_view rest = text; !rest.empty(); step = step * 5 % 97 + 1) {
        by_steps.feed(rest.substr(0, step));
        rest.remove_prefix(step < rest.size() ? step : rest.size());
    }
    check_same(whole, by_octet.finish());
    check_same(whole, by_steps.finish());
    const MessageSummary summary = summarize(whole);
    const std::string record = summary.encode();
    const auto again = MessageSummary::decode(record);
    check(again.has_value(), "a summary does not decode");
    check(again->encode() == record && again->parts == summary.parts, "a summary changed");
    return 0;
}
