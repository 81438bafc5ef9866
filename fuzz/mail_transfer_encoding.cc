// Transfer encodings: decoding what we encode gives every octet back; lines are short.
#include "mail/text/transfer_decoder.h"
#include "mail/text/transfer_encoding.h"

#include "base/ascii.h"
#include "input.h"

using namespace godwit;
using namespace godwit::mail;

namespace {

void check_lines(std::string_view coded) {
    check(is_ascii(coded), "encoded text is not ASCII");
    for (const std::string_view line : split(coded, '\n')) {
        check(line.size() <= 77, "an encoded line is too long");
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view text = fuzz::as_text(bytes, size);
    check(decode_base64(encode_base64(text)) == text, "base64 lost something");
    check_lines(encode_base64(text));
    for (const LineBreaks breaks : {LineBreaks::Text, LineBreaks::Binary}) {
        const std::string coded = encode_quoted_printable(text, breaks);
        check(decode_quoted_printable(coded) == text, "quoted-printable lost something");
        check_lines(coded);
    }
    check(decode_base64(text).size() <= text.size(), "base64 grew when decoded");
    check(decode_quoted_printable(text).size() <= text.size(),
          "quoted-printable grew when decoded");
    for (const TransferEncoding encoding :
         {TransferEncoding::Base64, TransferEncoding::QuotedPrintable, TransferEncoding::Binary}) {
        for (const std::size_t piece : {1UZ, 2UZ, 7UZ, 64UZ}) {
            TransferDecoder decoder(encoding);
            std::string pieces;
            for (std::size_t at = 0; at < text.size(); at += piece) {
                pieces += decoder.feed(text.substr(at, piece));
            }
            check(pieces + decoder.finish() == decode_transfer(text, encoding),
                  "pieces decode to something else than the whole");
        }
    }
    return 0;
}
