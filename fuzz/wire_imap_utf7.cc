// Modified UTF-7: what decodes is canonical, and every UTF-8 text survives the way there and back.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/ascii.h"
#include "base/result.h"
#include "wire/imap/mailbox_name.h"
#include "wire/imap/match.h"
#include "wire/imap/utf7.h"

using namespace godwit;
using namespace godwit::imap;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto decoded = utf7_decode(input)) {
        check(is_utf8(*decoded), "decoding gives UTF-8");
        check(utf7_encode(*decoded) == input, "one name has one spelling");
    }
    const std::string encoded = utf7_encode(input);
    const auto back = utf7_decode(encoded);
    check(back.has_value(), "what we encode decodes");
    check(!is_utf8(input) || *back == input, "and is the same");
    for (const NameSpelling spelling : {NameSpelling::Utf7, NameSpelling::Utf8}) {
        if (const auto name = parse_mailbox_name(input, spelling)) {
            check(is_utf8(name->name), "names are UTF-8");
            check(ListPattern("*").matches(name->name), "* matches all");
            // The wire's spelling of a name names it again.
            const auto again = parse_mailbox_name(utf7_encode(name->name), NameSpelling::Utf7);
            check(!again || again->name == name->name, "names are stable");
        }
    }
    return 0;
}
