#include "mail/report/tls_report.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/ascii.h"
#include "base/encoding.h"
#include "base/json.h"
#include "mail/message/builder.h"
#include "mail/report/gzip.h"
#include "mail/text/date.h"

namespace godwit::mail {

namespace {

constexpr std::array<std::string_view, 3> kTypes = {"no-policy-found", "tlsa", "sts"};
constexpr std::array<std::string_view, 11> kFailures = {
    "starttls-not-supported", "certificate-host-mismatch",
    "certificate-expired",    "certificate-not-trusted",
    "validation-failure",     "tlsa-invalid",
    "dnssec-invalid",         "dane-required",
    "sts-policy-fetch-error", "sts-policy-invalid",
    "sts-webpki-invalid"};

std::string printable(std::string_view text) {
    std::string out(text.substr(0, tls_report_text_size_max));
    std::ranges::replace_if(out, [](char c) { return c < ' ' || c > '~'; }, '?');
    return out;
}

std::vector<std::string> printable(std::vector<std::string> list) {
    if (list.size() > tls_report_lines_max) {
        list.resize(tls_report_lines_max);
    }
    for (std::string& line : list) {
        line = printable(line);
    }
    return list;
}

std::size_t size_of(const TlsPolicyText& policy) {
    std::size_t size = sizeof(TlsPolicyCounts);
    for (const std::vector<std::string>* list : {&policy.lines, &policy.hosts}) {
        for (const std::string& each : *list) {
            size += sizeof each + each.size();
        }
    }
    return size;
}

std::size_t add_detail(TlsPolicyCounts& counts, const TlsFailureDetail& more) {
    const auto same = std::ranges::find_if(
        counts.details, [&](const TlsFailureDetail& detail) { return detail.is_same(more); });
    if (same != counts.details.end()) {
        same->sessions += more.sessions;
        return 0;
    }
    if (counts.details.size() >= tls_report_details_max) {
        return 0;
    }
    counts.details.push_back(more);
    return sizeof more + more.sending_ip.size() + more.receiving_host.size() +
           more.receiving_helo.size() + more.receiving_ip.size() + more.reason.size();
}

// RFC 3339 5.6, in UTC.
std::string date_time(std::int64_t unix_seconds) {
    const std::chrono::sys_seconds time{std::chrono::seconds(unix_seconds)};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    const auto two = [](std::int64_t number) {
        return (number < 10 ? "0" : "") + std::to_string(number);
    };
    return std::to_string(static_cast<int>(date.year())) + "-" +
           two(static_cast<unsigned>(date.month())) + "-" + two(static_cast<unsigned>(date.day())) +
           "T" + two(clock.hours().count()) + ":" + two(clock.minutes().count()) + ":" +
           two(clock.seconds().count()) + "Z";
}

void write_list(JsonWriter& json, std::string_view name, const std::vector<std::string>& list) {
    if (list.empty()) {
        return;
    }
    json.key(name).begin_array();
    for (const std::string& each : list) {
        json.string(each);
    }
    json.end_array();
}

void write_detail(JsonWriter& json, const TlsFailureDetail& detail) {
    json.begin_object().field("result-type", to_string(detail.failure));
    const std::array<std::pair<std::string_view, const std::string*>, 5> texts = {
        {{"sending-mta-ip", &detail.sending_ip},
         {"receiving-mx-hostname", &detail.receiving_host},
         {"receiving-mx-helo", &detail.receiving_helo},
         {"receiving-ip", &detail.receiving_ip},
         {"failure-reason-code", &detail.reason}}};
    for (const auto& [name, value] : texts) {
        if (!value->empty()) {
            json.field(name, *value);
        }
    }
    json.field("failed-session-count", detail.sessions).end_object();
}

void write_policy(JsonWriter& json, const TlsPolicyCounts& counts, const std::string& domain) {
    json.begin_object().key("policy").begin_object();
    json.field("policy-type", to_string(counts.policy.type));
    write_list(json, "policy-string", counts.policy.lines);
    json.field("policy-domain", domain);
    write_list(json, "mx-host", counts.policy.hosts);
    json.end_object().key("summary").begin_object();
    json.field("total-successful-session-count", counts.succeeded);
    json.field("total-failure-session-count", counts.failed).end_object();
    if (!counts.details.empty()) {
        json.key("failure-details").begin_array();
        for (const TlsFailureDetail& detail : counts.details) {
            write_detail(json, detail);
        }
        json.end_array();
    }
    json.end_object();
}

// Lines of 76 octets (RFC 2045 6.8).
std::string base64_lines(std::string_view octets) {
    constexpr std::size_t kLine = 76;
    const std::string all = base64_encode(octets);
    std::string out;
    for (std::size_t at = 0; at < all.size(); at += kLine) {
        out.append(all, at, kLine).append("\r\n");
    }
    return out;
}

std::string readable_text(const TlsReport& report, const TlsReportMail& mail) {
    return "This is an aggregate TLS report from " + mail.submitter + " about mail to " +
           report.domain + "\r\nfrom " + date_time(report.begins_at) + " to " +
           date_time(ends_at(report)) + ": " + std::to_string(report.counts.succeeded()) +
           " sessions as they should be, " + std::to_string(report.counts.failed()) +
           " failed.\r\n";
}

}  // namespace

std::string_view to_string(TlsPolicyType type) {
    return kTypes.at(std::to_underlying(type));
}

std::string_view to_string(TlsFailure failure) {
    return kFailures.at(std::to_underlying(failure));
}

bool TlsFailureDetail::is_same(const TlsFailureDetail& other) const {
    return failure == other.failure && sending_ip == other.sending_ip &&
           receiving_host == other.receiving_host && receiving_helo == other.receiving_helo &&
           receiving_ip == other.receiving_ip && reason == other.reason;
}

std::uint64_t TlsCounts::succeeded() const {
    std::uint64_t sum = 0;
    for (const TlsPolicyCounts& counts : policies) {
        sum += counts.succeeded;
    }
    return sum;
}

std::uint64_t TlsCounts::failed() const {
    std::uint64_t sum = 0;
    for (const TlsPolicyCounts& counts : policies) {
        sum += counts.failed;
    }
    return sum;
}

TlsPolicyText bounded(TlsPolicyText policy) {
    policy.lines = printable(std::move(policy.lines));
    policy.hosts = printable(std::move(policy.hosts));
    return policy;
}

TlsFailureDetail bounded(TlsFailureDetail detail) {
    for (std::string* text : {&detail.sending_ip, &detail.receiving_host, &detail.receiving_helo,
                              &detail.receiving_ip, &detail.reason}) {
        *text = printable(*text);
    }
    return detail;
}

std::size_t add_counts(TlsCounts& counts, const TlsCounts& more) {
    std::size_t grown = 0;
    counts.uncounted += more.uncounted;
    for (const TlsPolicyCounts& each : more.policies) {
        auto same = std::ranges::find(counts.policies, each.policy, &TlsPolicyCounts::policy);
        if (same == counts.policies.end()) {
            if (counts.policies.size() >= tls_report_policies_max) {
                counts.uncounted += each.succeeded + each.failed;
                continue;
            }
            same = counts.policies.insert(counts.policies.end(), {.policy = each.policy});
            grown += size_of(each.policy);
        }
        same->succeeded += each.succeeded;
        same->failed += each.failed;
        for (const TlsFailureDetail& detail : each.details) {
            grown += add_detail(*same, detail);
        }
    }
    return grown;
}

std::int64_t ends_at(const TlsReport& report) {
    return report.begins_at + std::chrono::seconds(std::chrono::days(1)).count() - 1;
}

std::string to_json(const TlsReport& report) {
    JsonWriter json;
    json.begin_object().field("organization-name", report.organization);
    json.key("date-range").begin_object();
    json.field("start-datetime", date_time(report.begins_at));
    json.field("end-datetime", date_time(ends_at(report))).end_object();
    json.field("contact-info", report.contact).field("report-id", report.id);
    json.key("policies").begin_array();
    for (const TlsPolicyCounts& counts : report.counts.policies) {
        write_policy(json, counts, report.domain);
    }
    json.end_array().end_object();
    return std::move(json).take();
}

std::string tls_report_file_name(const TlsReport& report, std::string_view submitter,
                                 std::string_view unique) {
    return std::string(submitter) + "!" + report.domain + "!" + std::to_string(report.begins_at) +
           "!" + std::to_string(ends_at(report)) + "!" + std::string(unique) + ".json.gz";
}

Result<std::string> build_tls_report_mail(const TlsReport& report, const TlsReportMail& mail) {
    HeaderWriter header;
    TRY(header.structured("Date", format_date(mail.now)));
    TRY(header.structured("From", mail.from.to_string()));
    TRY(header.structured("To", mail.to.to_string()));
    TRY(header.structured("Subject", "Report Domain: " + report.domain + " Submitter: " +
                                         mail.submitter + " Report-ID: <" + report.id + ">"));
    TRY(header.structured("Message-ID", mail.message_id));
    TRY(header.structured("TLS-Report-Domain", report.domain));
    TRY(header.structured("TLS-Report-Submitter", mail.submitter));
    TRY(header.structured("TLS-Required", "No"));                // RFC 8689 5
    TRY(header.structured("Auto-Submitted", "auto-generated"));  // RFC 3834
    TRY(header.structured("MIME-Version", "1.0"));
    const std::string boundary = "=_" + mail.boundary_seed;
    std::string out = std::move(header).take();
    out.append("Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"");
    out.append(boundary).append("\"\r\n\r\n--").append(boundary).append("\r\n");
    out.append(build_text_part(readable_text(report, mail), "plain"));
    out.append(out.ends_with('\n') ? "--" : "\r\n--").append(boundary).append("\r\n");
    out.append("Content-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n");
    out.append("Content-Disposition: attachment;\r\n filename=\"");
    out.append(tls_report_file_name(report, mail.submitter, mail.unique)).append("\"\r\n\r\n");
    out.append(base64_lines(gzip(to_json(report))));
    return out.append("--").append(boundary).append("--\r\n");
}

}  // namespace godwit::mail
