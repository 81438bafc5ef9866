#include "mail/report/dsn.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/limits.h"
#include "mail/message/builder.h"
#include "mail/message/header.h"
#include "mail/text/charset.h"
#include "mail/text/date.h"

namespace godwit::mail {
namespace {

// What one action means in words and on the wire, the worst first.
struct ActionWords {
    DsnAction action;
    std::string_view keyword;  // RFC 3464 2.3.3
    std::string_view subject;
    std::string_view heading;
    std::string_view closing;
};
constexpr std::array<ActionWords, 5> kActions = {{
    {DsnAction::Failed, "failed", "Your message could not be delivered",
     "Your message could not be delivered to:",
     "We have stopped trying. Nothing more will happen unless you send it again."},
    {DsnAction::Delayed, "delayed", "Your message is delayed",
     "Your message has not reached, so far:",
     "This is only a notice: we keep trying, and you need not send the message again."},
    {DsnAction::Relayed, "relayed", "Your message was passed on",
     "Your message was passed on to a mail system that gives no receipts, for:",
     "You will hear of it only if delivery fails there."},
    {DsnAction::Expanded, "expanded", "Your message was passed on to a list",
     "Your message reached a list or an alias and was passed on to its members:", ""},
    {DsnAction::Delivered, "delivered", "Your message was delivered",
     "Your message was delivered to:", ""},
}};

const ActionWords& words_of(DsnAction action) {
    return *std::ranges::find(kActions, action, &ActionWords::action);
}

// One line that is safe to stand in a field or in the text: controls to blanks, bounded.
std::string one_line(std::string_view text, bool utf8) {
    std::string out = scrub_utf8(text.substr(0, limits::queue_error_text_size_max));
    std::string line;
    for (const char c : out) {
        if (is_ctl(c) || c == ' ') {
            line.append(line.empty() || line.ends_with(' ') ? "" : " ");
        } else {
            line.push_back(utf8 || is_ascii(c) ? c : '?');
        }
    }
    // A word no line can hold is cut up, as it is for reading only.
    std::string out_line;
    std::size_t run = 0;
    for (const char c : line) {
        run = c == ' ' ? 0 : run + 1;
        if (run > 500 && (static_cast<unsigned char>(c) & 0xC0) != 0x80) {
            out_line.push_back(' ');
            run = 0;
        }
        out_line.push_back(c);
    }
    return std::string(trim(out_line));
}

// --- For people --------------------------------------------------------------------------------

void describe(std::string& text, const DsnRecipient& recipient) {
    text.append("  ").append(recipient.final_recipient.to_string()).append("\n");
    if (recipient.action == DsnAction::Failed || recipient.action == DsnAction::Delayed) {
        const std::string reason = one_line(recipient.reason, true);
        text.append("    ")
            .append(reason.empty() ? std::string(explain_status(recipient.status)) : reason)
            .append("\n");
        if (!recipient.remote_reply.empty()) {
            const std::string host = one_line(recipient.remote_host, true);
            text.append("    ")
                .append(host.empty() ? "The other side" : host)
                .append(" answered:\n      ");
            text.append(one_line(recipient.remote_reply, true)).append("\n");
        }
    }
    if (recipient.will_retry_until && recipient.action == DsnAction::Delayed) {
        text.append("    We keep trying until ")
            .append(format_date(*recipient.will_retry_until))
            .append(".\n");
    }
    text.append("\n");
}

std::string readable_text(const DsnReport& report) {
    std::string text;
    for (const ActionWords& words : kActions) {
        if (std::ranges::none_of(report.recipients,
                                 [&](const DsnRecipient& r) { return r.action == words.action; })) {
            continue;
        }
        text.append(words.heading).append("\n\n");
        for (const DsnRecipient& recipient : report.recipients) {
            if (recipient.action == words.action) {
                describe(text, recipient);
            }
        }
        if (!words.closing.empty()) {
            text.append(words.closing).append("\n\n");
        }
    }
    text.append("The message was sent on ").append(format_date(report.arrived)).append(".\n");
    const HeaderIndex index = split_header(report.original);
    if (const auto subject = index.value(report.original, "Subject");
        subject && is_ascii(*subject)) {
        text.append("Its subject: ").append(one_line(*subject, true).substr(0, 200)).append("\n");
    }
    return text.append("\nThis notice was written by the mail system at ")
        .append(report.reporting_host)
        .append(".\n");
}

// --- For machines ------------------------------------------------------------------------------

// RFC 3464 2.1.2; RFC 6533 3: addresses that are not ASCII have the type utf-8.
std::string typed_address(const Address& address) {
    return (address.needs_smtputf8() ? "utf-8; " : "rfc822; ") + address.to_string();
}

Result<> write_recipient(HeaderWriter& out, const DsnRecipient& recipient, bool utf8) {
    const std::string original = one_line(recipient.original_recipient, utf8);
    if (!original.empty()) {
        TRY(out.structured("Original-Recipient", original));
    }
    TRY(out.structured("Final-Recipient", typed_address(recipient.final_recipient)));
    TRY(out.structured("Action", words_of(recipient.action).keyword));
    TRY(out.structured("Status", recipient.status.to_string()));
    const std::string host = one_line(recipient.remote_host, false);
    if (!host.empty()) {
        TRY(out.structured("Remote-MTA", "dns; " + host));
    }
    const bool complains =
        recipient.action == DsnAction::Failed || recipient.action == DsnAction::Delayed;
    const std::string reply = one_line(recipient.remote_reply, utf8);
    if (complains && !reply.empty()) {
        TRY(out.structured("Diagnostic-Code", "smtp; " + reply));
    }
    if (recipient.last_attempt) {
        TRY(out.structured("Last-Attempt-Date", format_date(*recipient.last_attempt)));
    }
    // RFC 3464 2.3.9: for delayed recipients only.
    if (recipient.will_retry_until && recipient.action == DsnAction::Delayed) {
        TRY(out.structured("Will-Retry-Until", format_date(*recipient.will_retry_until)));
    }
    return {};
}

Result<std::string> delivery_status(const DsnReport& report, bool utf8) {
    HeaderWriter message(utf8 ? HeaderCharset::Utf8 : HeaderCharset::Ascii);
    const std::string envelope_id = one_line(report.envelope_id, utf8);
    if (!envelope_id.empty()) {
        TRY(message.structured("Original-Envelope-Id", envelope_id));
    }
    TRY(message.structured("Reporting-MTA", "dns; " + report.reporting_host));
    const std::string received_from = one_line(report.received_from, false);
    if (!received_from.empty()) {
        TRY(message.structured("Received-From-MTA", "dns; " + received_from));
    }
    TRY(message.structured("Arrival-Date", format_date(report.arrived)));
    std::string out =
        utf8 ? "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: "
               "8bit\r\n\r\n"
             : "Content-Type: message/delivery-status\r\n\r\n";
    out.append(message.view());
    for (const DsnRecipient& recipient : report.recipients) {
        HeaderWriter fields(utf8 ? HeaderCharset::Utf8 : HeaderCharset::Ascii);
        TRY(write_recipient(fields, recipient, utf8));
        out.append("\r\n").append(fields.view());
    }
    return out;
}

struct Returned {
    std::string part;
    bool has_8bit = false;
};

// The original, or its header when that was asked or the body is too long (G7). RFC 6533 4.2
// and 4.3 name the types for headers that are not ASCII.
Returned returned_part(const DsnReport& report) {
    const std::string_view original = report.original;
    const std::size_t header_size = split_header(original).size;
    const std::string_view header = original.substr(0, header_size);
    const bool full =
        report.return_full && original.size() - header_size <= limits::dsn_returned_body_size_max;
    const std::string_view content = full ? original : header;
    Returned out;
    out.has_8bit = !is_ascii(content);
    if (full) {
        out.part = is_ascii(header) ? "Content-Type: message/rfc822\r\n"
                                    : "Content-Type: message/global\r\n";
    } else {
        out.part = is_ascii(header) ? "Content-Type: text/rfc822-headers\r\n"
                                    : "Content-Type: message/global-headers\r\n";
    }
    out.part.append(out.has_8bit ? "Content-Transfer-Encoding: 8bit\r\n\r\n" : "\r\n")
        .append(content);
    return out;
}

bool needs_utf8_report(const DsnReport& report) {
    return std::ranges::any_of(report.recipients, [](const DsnRecipient& recipient) {
        return recipient.final_recipient.needs_smtputf8() ||
               !is_ascii(recipient.original_recipient);
    });
}

Result<std::string> notice_header(const DsnReport& report, bool utf8) {
    const auto worst = std::ranges::find_if(kActions, [&](const ActionWords& words) {
        return std::ranges::any_of(report.recipients,
                                   [&](const DsnRecipient& r) { return r.action == words.action; });
    });
    HeaderWriter out(utf8 ? HeaderCharset::Utf8 : HeaderCharset::Ascii);
    TRY(out.structured("Date", format_date(report.now)));
    TRY(out.structured("From",
                       "Mail Delivery System <MAILER-DAEMON@" + report.reporting_host + ">"));
    TRY(out.structured("To", report.sender.to_string()));
    TRY(out.text("Subject", worst->subject));
    TRY(out.structured("Message-ID", report.message_id));
    const HeaderIndex index = split_header(report.original);
    const auto ids = parse_message_ids(index.value(report.original, "Message-ID").value_or(""));
    if (!ids.empty() && ids.front().size() < 500 && std::ranges::all_of(ids.front(), is_vchar)) {
        TRY(out.structured("In-Reply-To", ids.front()));
        TRY(out.structured("References", ids.front()));
    }
    TRY(out.structured("Auto-Submitted", "auto-replied"));  // RFC 3834
    TRY(out.structured("MIME-Version", "1.0"));
    return std::move(out).take();
}

}  // namespace

Result<std::string> build_dsn(const DsnReport& report) {
    if (report.recipients.empty()) {
        return internal_error(ErrorCode::Invalid,
                              "delivery status notification without a recipient");
    }
    const bool utf8 = needs_utf8_report(report);
    const Returned returned = returned_part(report);
    const std::string boundary = "=_" + report.boundary_seed;
    std::string out = TRY(notice_header(report, utf8 || report.sender.needs_smtputf8()));
    const std::string status = TRY(delivery_status(report, utf8));
    out.append("Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"")
        .append(boundary);
    out.append(returned.has_8bit || utf8 ? "\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
                                         : "\"\r\n\r\n");
    for (const std::string& part :
         {build_text_part(readable_text(report), "plain"), status, returned.part}) {
        out.append("--").append(boundary).append("\r\n").append(part);
        out.append(part.ends_with('\n') ? "" : "\r\n");
    }
    return out.append("--").append(boundary).append("--\r\n");
}

}  // namespace godwit::mail
