// Encoded words: decoding gives UTF-8; what we encode decodes to the same; previews of any text are
// UTF-8.
#include "mail/text/encoded_word.h"

#include "base/ascii.h"
#include "input.h"
#include "mail/text/charset.h"
#include "mail/text/html_text.h"

using namespace godwit;
using namespace godwit::mail;

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view text = fuzz::as_text(bytes, size);
    check(is_utf8(decode_header_text(text)), "decoded text is not UTF-8");
    const std::string clean = scrub_utf8(text);
    check(is_utf8(clean), "scrubbed text is not UTF-8");
    const std::string words = encode_words(clean);
    check(is_ascii(words) && words.find_first_of("\r\n") == std::string::npos,
          "encoded words are not safe");
    check(decode_header_text(words) == trim(clean), "text changed through encoded words");
    check(is_utf8(html_to_text(clean, 256)) && html_to_text(clean, 256).size() <= 256,
          "HTML text is not bounded UTF-8");
    check(is_utf8(collapse_white_space(clean, clean.size())), "collapsed text is not UTF-8");
    const std::string_view charset = text.substr(0, text.find('\n'));
    check(is_utf8(to_utf8(text.substr(charset.size()), charset)), "converted text is not UTF-8");
    (void)fold_case(text);
    check(to_nfc(to_nfc(clean)) == to_nfc(clean), "normal form C is not stable");
    return 0;
}
