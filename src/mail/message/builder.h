// Writes messages: header fields that cannot be broken out of, text, attachments, multiparts.
// RFC 5322, RFC 2045, RFC 2046, RFC 2047, RFC 2183. CR, LF and NUL in a value are refused (T23).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mail/address/address.h"

namespace godwit::mail {

/// A name for people (UTF-8, may be empty) and an address.
struct NamedAddress {
    std::string name;
    Address address;
};

/// Whether non-ASCII may stand in headers as it is (RFC 6532), or is encoded (RFC 2047).
enum class HeaderCharset : std::uint8_t { Ascii, Utf8 };

/// Writes fields, folded at 78 columns where white space allows. Every method refuses a name that
/// is no field name, and CR, LF or NUL in a value, with a Peer error, writing nothing then.
class HeaderWriter {
public:
    explicit HeaderWriter(HeaderCharset charset = HeaderCharset::Ascii) : charset_(charset) {}
    /// Unstructured text (Subject, ...), encoded when needed.
    Result<> text(std::string_view name, std::string_view value);
    /// Structured ASCII that the caller has composed ("1.0", "<id@host>", "text/plain;
    /// charset=utf-8").
    Result<> structured(std::string_view name, std::string_view value);
    Result<> addresses(std::string_view name, const std::vector<NamedAddress>& list);
    [[nodiscard]] std::string_view view() const { return out_; }
    [[nodiscard]] std::string take() && { return std::move(out_); }

private:
    Result<> check_name(std::string_view name) const;
    void write_folded(std::string_view name, std::string_view value);
    HeaderCharset charset_;
    std::string out_;
};

struct Attachment {
    std::string file_name;     ///< UTF-8; may be empty.
    std::string content_type;  ///< "image/png"; empty: application/octet-stream.
    std::string content;
};

struct DraftHeader {
    std::string name;
    std::string value;
};

struct Draft {
    std::vector<NamedAddress> from;
    std::vector<NamedAddress> to;
    std::vector<NamedAddress> cc;
    std::vector<NamedAddress> reply_to;
    std::string subject;
    std::int64_t date = 0;           ///< Unix seconds.
    std::string message_id;          ///< "<...>"; empty: none is written.
    std::string in_reply_to;         ///< "<...>" or empty.
    std::vector<DraftHeader> extra;  ///< Unstructured.
    std::string text;                ///< UTF-8, any line ends.
    std::string html;                ///< UTF-8; with it the body is multipart/alternative.
    std::vector<Attachment> attachments;
    std::string boundary_seed;  ///< Unique text of [A-Za-z0-9]; randomness is the caller's.
};

/// The whole message with CRLF line ends, 7bit clean unless an address needs UTF-8 headers.
Result<std::string> build_message(const Draft& draft);

/// Any line ends to CRLF.
std::string with_crlf(std::string_view text);

/// One body part: header fields Content-Type (+ charset) and Content-Transfer-Encoding, blank line,
/// body. Encoding is 7bit when the text is ASCII with short lines, else quoted-printable or base64,
/// whichever is shorter.
std::string build_text_part(std::string_view text, std::string_view subtype);

}  // namespace godwit::mail
