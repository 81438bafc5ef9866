#include "mail/message/summary.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/limits.h"
#include "mail/message/header.h"
#include "mail/text/charset.h"
#include "mail/text/html_text.h"
#include "mail/text/lexical.h"

namespace godwit::mail {
namespace {

// What clients ask for in HEADER.FIELDS, ENVELOPE, SORT, THREAD and JMAP. Lower case.
constexpr std::array<std::string_view, 45> kHotHeaders = {"from",
                                                          "to",
                                                          "cc",
                                                          "bcc",
                                                          "sender",
                                                          "reply-to",
                                                          "subject",
                                                          "date",
                                                          "message-id",
                                                          "in-reply-to",
                                                          "references",
                                                          "content-type",
                                                          "content-disposition",
                                                          "content-transfer-encoding",
                                                          "content-language",
                                                          "mime-version",
                                                          "priority",
                                                          "x-priority",
                                                          "x-msmail-priority",
                                                          "importance",
                                                          "precedence",
                                                          "list-id",
                                                          "list-post",
                                                          "list-unsubscribe",
                                                          "list-unsubscribe-post",
                                                          "newsgroups",
                                                          "resent-from",
                                                          "resent-to",
                                                          "resent-cc",
                                                          "resent-bcc",
                                                          "resent-date",
                                                          "resent-sender",
                                                          "resent-message-id",
                                                          "resent-reply-to",
                                                          "disposition-notification-to",
                                                          "thread-topic",
                                                          "thread-index",
                                                          "x-mailer",
                                                          "user-agent",
                                                          "x-universally-unique-identifier",
                                                          "x-uniform-type-identifier",
                                                          "x-k9mail-identity",
                                                          "auto-submitted",
                                                          "x-label",
                                                          "lines"};

// Enough octets for limits::preview_size_max characters of any script in any encoding.
constexpr std::size_t kPlainSourceMax = 4096;
constexpr std::size_t kUtf8SizeMax = 4;  // Octets of one character.

std::string sample_text(const Part& part, std::string_view sample, bool cut) {
    std::string octets = decode_transfer(sample, part.encoding);
    // A sample may end inside a character.
    for (int i = 0; cut && i < 3 && !octets.empty() && !is_ascii(octets.back()); ++i) {
        octets.pop_back();
    }
    return to_utf8(octets, find_parameter(part.parameters, "charset").value_or(""));
}

// The lines that the author wrote: what is answered to is known already. All, when there are none.
std::string without_quotes(std::string text) {
    std::string own;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
        const std::string_view line = std::string_view(text).substr(at, end - at);
        if (!trim(line).starts_with('>')) {
            own += line;
        }
        at = end;
    }
    const bool is_blank = std::ranges::all_of(own, [](char c) { return c == ' ' || is_ctl(c); });
    return is_blank ? text : own;
}

std::string make_preview(const ParsedMessage& message) {
    std::string text;
    if (message.plain_part != kNoParent) {
        const std::string_view sample =
            std::string_view(message.plain_sample).substr(0, kPlainSourceMax);
        const Part& part = message.parts[message.plain_part];
        text = collapse_white_space(
            without_quotes(sample_text(part, sample, sample.size() < part.body_size)),
            limits::preview_size_max * kUtf8SizeMax);
    }
    if (text.empty() && message.html_part != kNoParent) {
        const Part& part = message.parts[message.html_part];
        const bool cut = message.html_sample.size() < part.body_size;
        text =
            html_to_text(sample_text(part, message.html_sample, cut), limits::preview_size_max * 4);
    }
    text.resize(utf8_prefix(text, limits::preview_size_max).size());
    return text;
}

// What a reader would call an attachment: not text to read, not a picture of the HTML, not a
// signature.
bool is_attachment(const PartTree& parts, const Part& part) {
    if (part.disposition == "attachment") {
        return true;
    }
    if (part.kind == Part::Kind::Multipart || part.parent == kNoParent ||
        part.subtype.ends_with("signature")) {
        return false;
    }
    const Part& parent = parts[part.parent];
    if (parent.kind != Part::Kind::Multipart || parent.subtype == "report" ||
        parent.subtype == "digest") {
        return false;
    }
    if (part.kind == Part::Kind::Message) {
        return true;
    }
    return part.type != "text" && part.disposition != "inline" && part.id.empty() &&
           part.file_name().has_value();
}

}  // namespace

bool is_hot_header(std::string_view name) {
    return std::ranges::any_of(kHotHeaders, [name](std::string_view hot) {
        return hot.size() == name.size() && (name.front() | 0x20) == hot.front() &&
               equals_ignore_case(hot, name);
    });
}

MessageSummary summarize(const ParsedMessage& message) {
    MessageSummary summary;
    summary.size = message.size;
    summary.header_size = message.header_size;
    summary.structure_truncated = message.truncated;
    summary.headers_truncated = message.index.truncated;
    summary.header_has_8bit = message.header_has_8bit;
    summary.headers.reserve(std::min(message.header.size(), limits::summary_headers_size_max));
    const std::string_view block = message.header;
    for (const HeaderField& field : message.index.fields) {
        if (!is_hot_header(field.name(block))) {
            continue;
        }
        const std::string_view raw = field.raw(block);
        if (summary.headers.size() + raw.size() + 2 > limits::summary_headers_size_max) {
            summary.headers_truncated = true;
            continue;
        }
        summary.headers.append(raw);
        if (!raw.ends_with('\n')) {
            summary.headers.append("\r\n");  // The message ended inside its header.
        }
    }
    if (const auto date = message.index.value(block, "date")) {
        summary.sent = parse_date(*date);
    }
    summary.preview = make_preview(message);
    summary.has_attachment = std::ranges::any_of(
        message.parts, [&](const Part& part) { return is_attachment(message.parts, part); });
    summary.parts = message.parts;
    return summary;
}

std::string MessageSummary::message_id() const {
    const auto value = index().value(headers, "message-id");
    const auto ids = parse_message_ids(value.value_or(""));
    return ids.empty() ? std::string() : ids.front();
}

std::vector<std::string> MessageSummary::references() const {
    const HeaderIndex fields = index();
    std::vector<std::string> ids =
        parse_message_ids(fields.value(headers, "references").value_or(""));
    for (std::string& id : parse_message_ids(fields.value(headers, "in-reply-to").value_or(""))) {
        if (ids.size() < limits::references_max && std::ranges::find(ids, id) == ids.end()) {
            ids.push_back(std::move(id));
        }
    }
    return ids;
}

}  // namespace godwit::mail
