// Encoded words in headers: =?charset?B or Q?...?=. RFC 2047, RFC 2231 5 (language tags).
// Decoding gives UTF-8 for people and search; never decode inside an addr-spec (T24).
#pragma once

#include <string>
#include <string_view>

namespace godwit::mail {

/// A field body (unfolded or not) as well-formed UTF-8: encoded words decoded, white space between
/// two of them dropped (RFC 2047 6.2), octets of one charset split over adjacent words joined, line
/// ends of folding dropped. Raw 8-bit text counts as UTF-8, else windows-1252. Linear.
std::string decode_header_text(std::string_view body);

/// Whether `text` must be encoded to stand in an ASCII header: non-ASCII, controls, or something
/// that already looks like an encoded word.
bool needs_encoded_words(std::string_view text);
/// UTF-8 `text` as one or more encoded words (charset UTF-8, B or Q by length), each at most 75
/// characters (RFC 2047 2), parted by a space: the header writer folds there. Never splits a
/// character between words. The words are safe in a phrase (RFC 2047 5 rule 3).
std::string encode_words(std::string_view text);

}  // namespace godwit::mail
