#include "mail/message/trace.h"

#include <array>

#include "base/ascii.h"
#include "mail/address/domain.h"
#include "mail/message/header.h"
#include "mail/text/date.h"

namespace godwit::mail {
namespace {

constexpr std::size_t kWordSizeMax = 255;  // RFC 5321 4.5.3.1.2; keeps every line under 998.

// A word of a trace field: whatever could end it, open a comment or start a new field becomes '?'.
std::string trace_word(std::string_view text, bool allow_utf8) {
    std::string out(text.substr(0, kWordSizeMax));
    const bool utf8 = allow_utf8 && is_utf8(out);
    for (char& c : out) {
        const bool special = std::string_view("()<>,;\\\"").find(c) != std::string_view::npos;
        if (special || !(is_vchar(c) || (utf8 && !is_ascii(c)))) {
            c = '?';
        }
    }
    return out;
}

std::string trace_comment(std::string_view text) {
    std::string out(text.substr(0, kWordSizeMax));
    for (char& c : out) {
        if (c == '(' || c == ')' || c == '\\' || (!is_vchar(c) && c != ' ')) {
            c = '?';
        }
    }
    return out;
}

// RFC 5321 4.1.3: IPv6 addresses carry their tag.
std::string address_literal(std::string_view address) {
    const bool v6 = address.find(':') != std::string_view::npos;
    return (v6 ? "[IPv6:" : "[") + trace_word(address, false) + "]";
}

std::string from_clause(const ReceivedField& field) {
    std::string helo = trace_word(field.helo, field.with.smtputf8);
    if (helo.empty()) {
        helo = field.client_address.empty() ? "localhost" : address_literal(field.client_address);
    }
    std::string out = "from " + helo;
    if (!field.client_address.empty()) {
        out.append(" (");
        if (!field.client_name.empty()) {
            out.append(trace_word(field.client_name, false)).append(" ");
        }
        out.append(address_literal(field.client_address)).append(")");
    }
    return out;
}

}  // namespace

std::string_view transmission_keyword(const Transmission& transmission) {
    if (!transmission.extended && !transmission.lmtp) {
        return "SMTP";
    }
    // Rows: ESMTP, LMTP, UTF8SMTP, UTF8LMTP; columns by TLS and AUTH. RFC 3848, RFC 6531 4.3.
    static constexpr std::array<std::array<std::string_view, 4>, 4> kKeywords = {
        {{"ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA"},
         {"LMTP", "LMTPA", "LMTPS", "LMTPSA"},
         {"UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA"},
         {"UTF8LMTP", "UTF8LMTPA", "UTF8LMTPS", "UTF8LMTPSA"}}};
    const std::size_t row = (transmission.smtputf8 ? 2U : 0U) + (transmission.lmtp ? 1U : 0U);
    const std::size_t column =
        (transmission.tls ? 2U : 0U) + (transmission.authenticated ? 1U : 0U);
    return kKeywords[row][column];
}

std::string write_received(const ReceivedField& field) {
    std::string out = "Received: ";
    if (!field.helo.empty() || !field.client_address.empty()) {
        out.append(from_clause(field)).append("\r\n\t");
    }
    out.append("by ")
        .append(trace_word(field.by, false))
        .append(" with ")
        .append(transmission_keyword(field.with));
    if (!field.tls.empty()) {
        out.append("\r\n\t(").append(trace_comment(field.tls)).append(")");
    }
    out.append("\r\n\tid ").append(trace_word(field.id, false));
    // RFC 5321 4.4: "for" names one address at most; a UTF-8 one only in an SMTPUTF8 message.
    if (field.recipient && (field.with.smtputf8 || !field.recipient->needs_smtputf8())) {
        out.append("\r\n\tfor <").append(field.recipient->to_string()).append(">");
    }
    if (field.priority) {
        out.append("\r\n\tPRIORITY ").append(std::to_string(*field.priority));
    }
    return out.append(";\r\n\t").append(format_date(field.time)).append("\r\n");
}

std::string write_return_path(const std::optional<Address>& sender) {
    return "Return-Path: <" + (sender ? sender->to_string() : std::string()) + ">\r\n";
}

std::string write_delivered_to(const Address& recipient) {
    return "Delivered-To: " + recipient.to_string() + "\r\n";
}

std::size_t count_received(std::string_view header_block) {
    return split_header(header_block).count(header_block, "Received");
}

bool was_delivered_to(std::string_view header_block, const Address& recipient) {
    const std::string key = account_key(recipient);
    for (const HeaderField& field : split_header(header_block).fields) {
        if (!equals_ignore_case(field.name(header_block), "Delivered-To")) {
            continue;
        }
        const auto address = parse_address(trim(field.body(header_block)));
        if (address && account_key(*address) == key) {
            return true;
        }
    }
    return false;
}

}  // namespace godwit::mail
