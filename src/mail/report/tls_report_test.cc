#include "mail/report/tls_report.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "base/encoding.h"
#include "base/json.h"
#include "mail/message/parser.h"
#include "mail/report/gzip.h"

namespace godwit::mail {
namespace {

std::string gunzip(const std::string& octets) {
    z_stream stream = {};
    EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
    std::string out(std::size_t{1} << 20U, '\0');
    std::string in = octets;
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    return out;
}

// The example of RFC 8460, appendix B, as far as we tell what it tells.
TlsReport example() {
    TlsReport report;
    report.organization = "Company-X";
    report.contact = "sts-reporting@company-x.example";
    report.id = "5065427c-23d3-47ca-b6e0-946ea0e8c4be";
    report.domain = "company-y.example";
    report.begins_at = 1459468800;  // 2016-04-01
    TlsPolicyCounts counts;
    counts.policy = {.type = TlsPolicyType::Sts,
                     .lines = {"version: STSv1", "mode: testing", "mx: *.mail.company-y.example",
                               "max_age: 86400"},
                     .hosts = {"*.mail.company-y.example"}};
    counts.succeeded = 5326;
    counts.failed = 303;
    counts.details = {{.failure = TlsFailure::CertificateExpired,
                       .sending_ip = "2001:db8:abcd:0012::1",
                       .receiving_host = "mx1.mail.company-y.example",
                       .sessions = 100},
                      {.failure = TlsFailure::StarttlsNotSupported,
                       .sending_ip = "2001:db8:abcd:0013::1",
                       .receiving_host = "mx2.mail.company-y.example",
                       .receiving_ip = "203.0.113.56",
                       .sessions = 200},
                      {.failure = TlsFailure::ValidationFailure,
                       .sending_ip = "198.51.100.62",
                       .receiving_host = "mx-backup.mail.company-y.example",
                       .receiving_ip = "203.0.113.58",
                       .reason = "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED",
                       .sessions = 3}};
    report.counts.policies.push_back(std::move(counts));
    return report;
}

TEST(TlsReport, json_of_the_example_of_rfc8460) {
    EXPECT_EQ(
        to_json(example()),
        R"({"organization-name":"Company-X","date-range":{"start-datetime":"2016-04-01T00:00:00Z",)"
        R"("end-datetime":"2016-04-01T23:59:59Z"},"contact-info":"sts-reporting@company-x.example",)"
        R"("report-id":"5065427c-23d3-47ca-b6e0-946ea0e8c4be","policies":[{"policy":{)"
        R"("policy-type":"sts","policy-string":["version: STSv1","mode: testing",)"
        R"("mx: *.mail.company-y.example","max_age: 86400"],"policy-domain":"company-y.example",)"
        R"("mx-host":["*.mail.company-y.example"]},"summary":{)"
        R"("total-successful-session-count":5326,"total-failure-session-count":303},)"
        R"("failure-details":[{"result-type":"certificate-expired",)"
        R"("sending-mta-ip":"2001:db8:abcd:0012::1",)"
        R"("receiving-mx-hostname":"mx1.mail.company-y.example","failed-session-count":100},)"
        R"({"result-type":"starttls-not-supported","sending-mta-ip":"2001:db8:abcd:0013::1",)"
        R"("receiving-mx-hostname":"mx2.mail.company-y.example","receiving-ip":"203.0.113.56",)"
        R"("failed-session-count":200},{"result-type":"validation-failure",)"
        R"("sending-mta-ip":"198.51.100.62",)"
        R"("receiving-mx-hostname":"mx-backup.mail.company-y.example",)"
        R"("receiving-ip":"203.0.113.58",)"
        R"("failure-reason-code":"X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED",)"
        R"("failed-session-count":3}]}]})");
}

TEST(TlsReport, without_a_policy_there_is_no_policy_string) {
    TlsReport report = example();
    report.counts.policies = {{.policy = {}, .succeeded = 2, .failed = 0, .details = {}}};
    const std::string json = to_json(report);
    EXPECT_NE(json.find(R"("policy":{"policy-type":"no-policy-found",)"
                        R"("policy-domain":"company-y.example"})"),
              std::string::npos)
        << json;
    EXPECT_EQ(json.find("failure-details"), std::string::npos);
}

TlsCounts one(TlsPolicyText policy, std::optional<TlsFailureDetail> failure = std::nullopt) {
    TlsPolicyCounts counts{.policy = std::move(policy)};
    if (failure) {
        failure->sessions = 1;
        counts.failed = 1;
        counts.details.push_back(*failure);
    } else {
        counts.succeeded = 1;
    }
    return {.policies = {counts}, .uncounted = 0};
}

TEST(TlsReport, counts_add_up) {
    TlsCounts counts;
    const TlsFailureDetail failure{.failure = TlsFailure::CertificateExpired,
                                   .receiving_host = "mx.example.com"};
    add_counts(counts, one({}));
    add_counts(counts, one({}, failure));
    add_counts(counts, one({}, failure));
    add_counts(counts, one({.type = TlsPolicyType::Tlsa, .lines = {}, .hosts = {}}));
    ASSERT_EQ(counts.policies.size(), 2U);
    EXPECT_EQ(counts.policies[0].succeeded, 1U);
    EXPECT_EQ(counts.policies[0].failed, 2U);
    ASSERT_EQ(counts.policies[0].details.size(), 1U);
    EXPECT_EQ(counts.policies[0].details[0].sessions, 2U);
    EXPECT_EQ(counts.succeeded(), 2U);
    EXPECT_EQ(counts.failed(), 2U);
}

TEST(TlsReport, policies_and_details_at_the_bound) {
    TlsCounts counts;
    for (std::size_t i = 0; i < tls_report_policies_max + 1; ++i) {
        EXPECT_EQ(counts.uncounted, 0U);
        add_counts(counts,
                   one({.type = TlsPolicyType::Tlsa, .lines = {std::to_string(i)}, .hosts = {}}));
    }
    EXPECT_EQ(counts.policies.size(), tls_report_policies_max);
    EXPECT_EQ(counts.uncounted, 1U);
    TlsCounts details;
    for (std::size_t i = 0; i < tls_report_details_max + 1; ++i) {
        add_counts(details, one({}, TlsFailureDetail{.reason = std::to_string(i)}));
    }
    EXPECT_EQ(details.policies[0].details.size(), tls_report_details_max);
    EXPECT_EQ(details.policies[0].failed, tls_report_details_max + 1);
}

TEST(TlsReport, what_others_say_is_bounded) {
    const TlsFailureDetail detail = bounded(TlsFailureDetail{
        .receiving_helo = "mx\r\n\xff", .reason = std::string(tls_report_text_size_max + 1, 'x')});
    EXPECT_EQ(detail.receiving_helo, "mx???");
    EXPECT_EQ(detail.reason.size(), tls_report_text_size_max);
    TlsPolicyText policy;
    policy.lines.resize(tls_report_lines_max + 1);
    EXPECT_EQ(bounded(policy).lines.size(), tls_report_lines_max);
}

TEST(TlsReport, file_name) {
    TlsReport report = example();
    report.domain = "example.net";
    report.begins_at = 1470009600;
    EXPECT_EQ(tls_report_file_name(report, "mail.sender.example.com", "001"),
              "mail.sender.example.com!example.net!1470009600!1470095999!001.json.gz");
}

TEST(TlsReport, as_mail) {
    TlsReport report = example();
    report.id = "735ff@sender.example";
    TlsReportMail mail;
    mail.from = {.local = "tlsrpt", .domain = "sender.example"};
    mail.to = {.local = "reports", .domain = "company-y.example"};
    mail.submitter = "sender.example";
    mail.unique = "abc1";
    mail.now = 1459555200;
    mail.message_id = "<1@sender.example>";
    mail.boundary_seed = "seed";
    const auto text = build_tls_report_mail(report, mail);
    ASSERT_TRUE(text) << text.error().text;
    const auto has = [&](std::string_view part) {
        EXPECT_NE(text->find(part), std::string::npos) << part << "\n" << *text;
    };
    has("Subject: Report Domain: company-y.example Submitter: sender.example Report-ID:\r\n"
        " <735ff@sender.example>\r\n");
    has("TLS-Report-Domain: company-y.example\r\n");
    has("TLS-Report-Submitter: sender.example\r\n");
    has("TLS-Required: No\r\n");
    has("Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n");
    has("Content-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n");
    has("filename=\"sender.example!company-y.example!1459468800!1459555199!abc1.json.gz\"\r\n");
    const std::size_t begin = text->find("\r\n\r\n", text->find("tlsrpt+gzip")) + 4;
    std::string body = text->substr(begin, text->find("--=_", begin) - begin);
    std::erase_if(body, [](char c) { return c == '\r' || c == '\n'; });
    const auto octets = base64_decode(body);
    ASSERT_TRUE(octets);
    EXPECT_EQ(gunzip(*octets), to_json(report));
}

}  // namespace
}  // namespace godwit::mail
