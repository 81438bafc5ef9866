// Content-Transfer-Encodings: base64 and quoted-printable, both ways. RFC 2045 6.
// Decoders are lenient and total: foreign characters are skipped (RFC 2045 6.8), a bad =XX is kept
// as it stands (RFC 2045 6.7). Encoders wrap at 76 characters with CRLF.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace godwit::mail {

enum class TransferEncoding : std::uint8_t {
    SevenBit,
    EightBit,
    Binary,
    QuotedPrintable,
    Base64,
    Other
};

/// By name, ignoring case and white space around; an empty name is SevenBit (RFC 2045 6.1).
TransferEncoding parse_transfer_encoding(std::string_view name);
/// "7BIT", "8BIT", ... as IMAP prints them; "7BIT" for Other.
std::string_view transfer_encoding_name(TransferEncoding encoding);

/// Stops at the first padding; a trailing partial group gives the whole octets it holds.
std::string decode_base64(std::string_view text);
std::string decode_quoted_printable(std::string_view text);
/// By encoding; 7bit, 8bit, binary and Other come back as they are.
std::string decode_transfer(std::string_view text, TransferEncoding encoding);

/// Lines of 76 characters, each ended by CRLF.
std::string encode_base64(std::string_view bytes);
enum class LineBreaks : std::uint8_t {
    Text,    ///< CRLF in the input are line ends and stay so.
    Binary,  ///< CR and LF are encoded: every octet comes back.
};
std::string encode_quoted_printable(std::string_view bytes, LineBreaks breaks);

}  // namespace godwit::mail
