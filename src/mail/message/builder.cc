#include "mail/message/builder.h"

#include <algorithm>

#include "base/ascii.h"
#include "mail/text/date.h"
#include "mail/text/encoded_word.h"
#include "mail/text/lexical.h"
#include "mail/text/parameter.h"
#include "mail/text/transfer_encoding.h"

namespace godwit::mail {
namespace {

constexpr std::size_t kFoldColumn = 78;    // RFC 5322 2.1.1: SHOULD
constexpr std::size_t kLineSizeMax = 998;  // RFC 5322 2.1.1: MUST
// What 7bit text may hold in one line before it is encoded: room for transports that count
// differently.
constexpr std::size_t kTextLineMax = 900;

std::unexpected<Error> bad_field(std::string_view name, std::string_view what) {
    return peer_error(ErrorCode::Invalid,
                      "header field " + std::string(name.substr(0, 64)) + ": " + std::string(what));
}

bool breaks_out(std::string_view value) {
    return value.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

std::size_t longest_word(std::string_view value) {
    std::size_t longest = 0;
    std::size_t begin = 0;
    while (begin <= value.size()) {
        const std::size_t end = std::min(value.find(' ', begin), value.size());
        longest = std::max(longest, end - begin);
        begin = end + 1;
    }
    return longest;
}

// A display name as a phrase (RFC 5322 3.2.5).
std::string phrase(std::string_view name, HeaderCharset charset) {
    if (charset == HeaderCharset::Ascii && needs_encoded_words(name)) {
        return encode_words(name);
    }
    const bool plain = std::ranges::all_of(name, [](char c) { return c == ' ' || is_atext(c); });
    return plain && name.find("=?") == std::string_view::npos ? std::string(name) : quote(name);
}

}  // namespace

Result<> HeaderWriter::check_name(std::string_view name) const {
    const bool good = !name.empty() && name.size() < kFoldColumn &&
                      std::ranges::all_of(name, [](char c) { return is_vchar(c) && c != ':'; });
    return good ? Result<>{} : Result<>(bad_field(name, "not a field name (RFC 5322 3.6.8)"));
}

// A line end goes before a blank that has a word behind it, so that no line is blank.
void HeaderWriter::write_folded(std::string_view name, std::string_view value) {
    out_.append(name).append(":");
    std::size_t column = name.size() + 1;
    std::string_view rest = value;
    bool first = true;
    while (!rest.empty()) {
        const std::size_t word = std::min(rest.find_first_not_of(' '), rest.size());
        const std::size_t end = std::min(rest.find(' ', word), rest.size());
        const std::size_t size = end + (first ? 1 : 0);
        if (!first && column + size > kFoldColumn) {
            out_.append(rest.substr(0, word - 1)).append("\r\n");
            rest.remove_prefix(word - 1);
            column = 0;
            out_.append(rest.substr(0, end - word + 1));
            column += end - word + 1;
            rest.remove_prefix(end - word + 1);
            continue;
        }
        out_.append(first ? " " : "").append(rest.substr(0, end));
        column += size;
        rest.remove_prefix(end);
        first = false;
    }
    out_.append("\r\n");
}

Result<> HeaderWriter::text(std::string_view name, std::string_view value) {
    TRY(check_name(name));
    if (breaks_out(value)) {
        return bad_field(name, "CR, LF or NUL in the value");
    }
    value = trim(value);
    const bool raw = charset_ == HeaderCharset::Utf8 && is_utf8(value) &&
                     value.find("=?") == std::string_view::npos &&
                     std::ranges::none_of(value, [](char c) { return is_ctl(c); });
    if ((raw || !needs_encoded_words(value)) && longest_word(value) < kLineSizeMax - kFoldColumn) {
        write_folded(name, value);
    } else {
        write_folded(name, encode_words(value));
    }
    return {};
}

Result<> HeaderWriter::structured(std::string_view name, std::string_view value) {
    TRY(check_name(name));
    const bool control = std::ranges::any_of(value, [](char c) { return is_ctl(c) && c != '\t'; });
    if (control || (charset_ == HeaderCharset::Ascii ? !is_ascii(value) : !is_utf8(value))) {
        return bad_field(name, "a character that cannot stand in this field");
    }
    if (longest_word(value) > kLineSizeMax - kFoldColumn) {
        return bad_field(name, "a word longer than a line (RFC 5322 2.1.1)");
    }
    write_folded(name, trim(value));
    return {};
}

Result<> HeaderWriter::addresses(std::string_view name, const std::vector<NamedAddress>& list) {
    std::string value;
    for (const NamedAddress& entry : list) {
        if (breaks_out(entry.name)) {
            return bad_field(name, "CR, LF or NUL in a display name");
        }
        const std::string display(trim(entry.name));
        value.append(value.empty() ? "" : ", ");
        if (display.empty()) {
            value.append(entry.address.to_string());
        } else {
            value.append(phrase(display, charset_))
                .append(" <")
                .append(entry.address.to_string())
                .append(">");
        }
    }
    return structured(name, value);
}

std::string with_crlf(std::string_view text) {
    std::string out;
    out.reserve(text.size() + text.size() / 32);
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\r') {
            out.append("\r\n");
            at += at + 1 < text.size() && text[at + 1] == '\n' ? 1 : 0;
        } else if (text[at] == '\n') {
            out.append("\r\n");
        } else {
            out.push_back(text[at]);
        }
    }
    return out;
}

namespace {

std::size_t longest_line(std::string_view text) {
    std::size_t longest = 0;
    for (const std::string_view line : split(text, '\n')) {
        longest = std::max(longest, line.size());
    }
    return longest;
}

// May go as it is: ASCII, short lines, no NUL, and nothing that looks like a boundary of ours
// ("=_").
bool is_seven_bit_clean(std::string_view text) {
    return is_ascii(text) && longest_line(text) <= kTextLineMax &&
           text.find("--=_") == std::string_view::npos &&
           std::ranges::none_of(text, [](char c) { return c == '\0'; });
}

}  // namespace

std::string build_text_part(std::string_view text, std::string_view subtype) {
    std::string body = with_crlf(text);
    if (!body.empty() && !body.ends_with('\n')) {
        body.append("\r\n");
    }
    std::string out = "Content-Type: text/" + std::string(subtype);
    out.append(is_ascii(body) ? "; charset=us-ascii\r\n" : "; charset=utf-8\r\n");
    out.append("Content-Transfer-Encoding: ");
    if (is_seven_bit_clean(body)) {
        return out.append("7bit\r\n\r\n").append(body);
    }
    const std::string quoted = encode_quoted_printable(body, LineBreaks::Text);
    if (quoted.size() <= body.size() / 3 * 4) {
        return out.append("quoted-printable\r\n\r\n").append(quoted);
    }
    return out.append("base64\r\n\r\n").append(encode_base64(body));
}

namespace {

// RFC 2045 5.1: type "/" subtype, then anything printable as parameters.
bool is_content_type(std::string_view value) {
    LexicalView lexer(value);
    const bool good = !lexer.take_token().empty() && lexer.take('/') && !lexer.take_token().empty();
    return good && (lexer.at_end() || lexer.peek() == ';' || lexer.peek() == ' ') &&
           std::ranges::all_of(value, [](char c) { return c == ' ' || is_vchar(c); });
}

Result<std::string> build_attachment(const Attachment& attachment) {
    std::string type =
        attachment.content_type.empty() ? "application/octet-stream" : attachment.content_type;
    if (!is_content_type(type) || type.size() > kTextLineMax) {
        return peer_error(ErrorCode::Invalid,
                          "attachment: expected a content type such as image/png");
    }
    if (breaks_out(attachment.file_name)) {
        return peer_error(ErrorCode::Invalid, "attachment: CR, LF or NUL in the file name");
    }
    // RFC 2046 5.2.1: message/rfc822 is never base64.
    const bool message = starts_with_ignore_case(type, "message/");
    const bool verbatim = message && is_seven_bit_clean(attachment.content);
    if (message && !verbatim) {
        type = "application/octet-stream";
    }
    HeaderWriter header;
    std::string disposition = "attachment";
    if (!attachment.file_name.empty()) {
        disposition += write_parameter("filename", attachment.file_name);
    }
    TRY(header.structured("Content-Type", type));
    TRY(header.structured("Content-Disposition", disposition));
    TRY(header.structured("Content-Transfer-Encoding", verbatim ? "7bit" : "base64"));
    std::string out = std::move(header).take();
    return out.append("\r\n").append(verbatim ? with_crlf(attachment.content)
                                              : encode_base64(attachment.content));
}

std::string build_multipart(std::string_view subtype, const std::string& boundary,
                            const std::vector<std::string>& parts) {
    std::string out = "Content-Type: multipart/" + std::string(subtype) + "; boundary=\"" +
                      boundary + "\"\r\n\r\n";
    for (const std::string& part : parts) {
        out.append("--").append(boundary).append("\r\n").append(part);
        out.append(part.ends_with("\r\n") ? "" : "\r\n");
    }
    return out.append("--").append(boundary).append("--\r\n");
}

bool needs_utf8_header(const Draft& draft) {
    for (const auto* list : {&draft.from, &draft.to, &draft.cc, &draft.reply_to}) {
        if (std::ranges::any_of(
                *list, [](const NamedAddress& entry) { return entry.address.needs_smtputf8(); })) {
            return true;
        }
    }
    return false;
}

Result<std::string> build_header(const Draft& draft) {
    HeaderWriter header(needs_utf8_header(draft) ? HeaderCharset::Utf8 : HeaderCharset::Ascii);
    const auto list = [&header](std::string_view name,
                                const std::vector<NamedAddress>& addresses) -> Result<> {
        return addresses.empty() ? Result<>{} : header.addresses(name, addresses);
    };
    TRY(header.structured("Date", format_date(draft.date)));
    TRY(list("From", draft.from));
    TRY(list("Reply-To", draft.reply_to));
    TRY(list("To", draft.to));
    TRY(list("Cc", draft.cc));
    TRY(header.text("Subject", draft.subject));
    if (!draft.message_id.empty()) {
        TRY(header.structured("Message-ID", draft.message_id));
    }
    if (!draft.in_reply_to.empty()) {
        TRY(header.structured("In-Reply-To", draft.in_reply_to));
        TRY(header.structured("References", draft.in_reply_to));
    }
    for (const DraftHeader& extra : draft.extra) {
        TRY(header.text(extra.name, extra.value));
    }
    TRY(header.structured("MIME-Version", "1.0"));
    return std::move(header).take();
}

}  // namespace

Result<std::string> build_message(const Draft& draft) {
    if (!std::ranges::all_of(draft.boundary_seed, [](char c) { return is_alnum(c); }) ||
        draft.boundary_seed.size() > 48) {
        return internal_error(ErrorCode::Invalid,
                              "boundary seed: expected at most 48 letters and digits");
    }
    std::string out = TRY(build_header(draft));
    const std::string boundary = "=_" + draft.boundary_seed;
    std::string body = build_text_part(draft.text, "plain");
    if (!draft.html.empty()) {
        body = build_multipart("alternative", boundary + "_a",
                               {body, build_text_part(draft.html, "html")});
    }
    if (!draft.attachments.empty()) {
        std::vector<std::string> parts = {std::move(body)};
        for (const Attachment& attachment : draft.attachments) {
            parts.push_back(TRY(build_attachment(attachment)));
        }
        body = build_multipart("mixed", boundary + "_m", parts);
    }
    return out.append(body);
}

}  // namespace godwit::mail
