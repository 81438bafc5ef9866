#include "sim/peers/report.h"

#include "base/ascii.h"
#include "sim/peers/verbs.h"

namespace godwit::sim {

namespace {

struct Split {
    std::string_view header;
    std::string_view body;
};

Split split_at_blank(std::string_view text) {
    if (text.starts_with("\r\n")) {
        return {"", text.substr(2)};
    }
    const std::size_t blank = text.find("\r\n\r\n");
    if (blank == std::string_view::npos) {
        return {text, ""};
    }
    return {text.substr(0, blank + 2), text.substr(blank + 4)};
}

std::string boundary_of(std::string_view content_type) {
    const std::size_t at = find_ignore_case(content_type, "boundary=");
    if (at == std::string_view::npos) {
        return "";
    }
    std::string_view value = content_type.substr(at + 9);
    if (value.starts_with('"')) {
        value.remove_prefix(1);
        return std::string(value.substr(0, value.find('"')));
    }
    return std::string(value.substr(0, value.find_first_of("; \t")));
}

// RFC 2046 5.1.1, as far as a report needs it.
std::vector<std::string_view> parts_of(std::string_view body, const std::string& boundary) {
    std::vector<std::string_view> parts;
    const std::string line = "--" + boundary;
    std::size_t begin = std::string_view::npos;
    for (std::size_t at = 0; at <= body.size();) {
        const std::size_t end = std::min(body.find("\r\n", at), body.size());
        const std::string_view one = body.substr(at, end - at);
        if (one.starts_with(line)) {
            if (begin != std::string_view::npos) {
                // The line end before the boundary belongs to it.
                parts.push_back(body.substr(begin, at - std::min<std::size_t>(at, 2) - begin));
            }
            if (one.substr(line.size()).starts_with("--")) {
                return parts;
            }
            begin = end + 2;
        }
        at = end + 2;
    }
    return parts;
}

// "rfc822; user@host" without its type; RFC 3461 4.2 for what stands in ORCPT.
std::string address_of(const std::string& typed) {
    const std::size_t semicolon = typed.find(';');
    return std::string(
        trim(std::string_view(typed).substr(semicolon == std::string::npos ? 0 : semicolon + 1)));
}

}  // namespace

std::string field_of(std::string_view header, std::string_view name) {
    std::string value;
    bool is_inside = false;
    for (std::string_view line : split(header, '\n')) {
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        if (is_inside && !line.empty() && is_wsp(line.front())) {
            value.append(" ").append(trim(line));
            continue;
        }
        if (is_inside) {
            break;
        }
        if (line.size() > name.size() && line[name.size()] == ':' &&
            starts_with_ignore_case(line, name)) {
            is_inside = true;
            value = trim(line.substr(name.size() + 1));
        }
    }
    return std::string(trim(value));
}

std::optional<Notification> read_notification(std::string_view text) {
    const Split whole = split_at_blank(text);
    const std::string type = field_of(whole.header, "Content-Type");
    const std::string boundary = boundary_of(type);
    if (!starts_with_ignore_case(type, "multipart/report") || boundary.empty()) {
        return std::nullopt;
    }
    Notification report;
    report.message_id = field_of(whole.header, "Message-ID");
    bool has_status = false;
    for (const std::string_view part : parts_of(whole.body, boundary)) {
        const Split inside = split_at_blank(part);
        const std::string kind = to_lower(field_of(inside.header, "Content-Type"));
        if (kind.starts_with("message/delivery-status") ||
            kind.starts_with("message/global-delivery-status")) {
            has_status = true;
            // RFC 3464 2.1: the fields of the message, then those of each recipient.
            Split blocks = split_at_blank(inside.body);
            while (!blocks.body.empty()) {
                blocks = split_at_blank(blocks.body);
                Notification::Part one;
                one.action = to_lower(field_of(blocks.header, "Action"));
                one.status = field_of(blocks.header, "Status");
                one.recipient = address_of(field_of(blocks.header, "Final-Recipient"));
                one.original = address_of(field_of(blocks.header, "Original-Recipient"));
                if (!one.action.empty()) {
                    report.parts.push_back(std::move(one));
                }
            }
        } else if (kind.starts_with("message/") || kind.starts_with("text/rfc822-headers")) {
            report.returned = inside.body;
        }
    }
    if (!has_status) {
        return std::nullopt;
    }
    return report;
}

}  // namespace godwit::sim
