#include "mail/message/search_text.h"

#include "mail/text/charset.h"
#include "mail/text/encoded_word.h"
#include "mail/text/html_text.h"
#include "mail/text/parameter.h"
#include "mail/text/transfer_encoding.h"

namespace godwit::mail {

bool is_searched(const Part& part) {
    return part.kind == Part::Kind::Leaf && part.type == "text";
}

std::string searched_part_text(const Part& part, std::string_view encoded) {
    const std::string charset = find_parameter(part.parameters, "charset").value_or("");
    std::string text = to_utf8(decode_transfer(encoded, part.encoding), charset);
    if (part.subtype == "html") {
        text = html_to_text(text, text.size());
    }
    return fold_for_search(text);
}

std::string searched_field_text(std::string_view body) {
    return fold_for_search(decode_header_text(body));
}

}  // namespace godwit::mail
