#include "flow/report/tls_tally.h"

#include <gtest/gtest.h>

#include "flow/outbound/tls_policy.h"
#include "flow/report/tls_report_mail.h"
#include "flow/report/tls_reporter.h"

namespace godwit::flow {
namespace {

using mail::TlsFailure;
using mail::TlsFailureDetail;
using mail::TlsPolicyType;

const WallTime kNow = from_unix_seconds(1'700'000'000);
const std::int32_t kDay = day_of(kNow);

TEST(TlsTally, counts_by_day_and_domain) {
    TlsTally tally;
    tally.note("a.example", {}, std::nullopt, kNow);
    tally.note("a.example", {}, TlsFailureDetail{.reason = "x"}, kNow);
    tally.note("a.example", {}, std::nullopt, kNow + std::chrono::days(1));
    tally.note("b.example", {}, std::nullopt, kNow);
    EXPECT_EQ(tally.pending({kDay, "a.example"}).succeeded(), 1U);
    EXPECT_EQ(tally.pending({kDay, "a.example"}).failed(), 1U);
    EXPECT_EQ(tally.pending_domains(kDay), (std::vector<std::string>{"a.example", "b.example"}));
    const TlsCountsByDay taken = tally.take();
    EXPECT_EQ(taken.size(), 3U);
    EXPECT_TRUE(tally.take().empty());
    tally.put_back(taken);
    tally.note("b.example", {}, std::nullopt, kNow);
    EXPECT_EQ(tally.pending({kDay, "b.example"}).succeeded(), 2U);
}

TEST(TlsTally, domains_at_the_bound) {
    TlsTally tally;
    tally.know(kDay, {"known.example"});
    for (std::size_t i = 0; i < tls_report_domains_max - 1; ++i) {
        tally.note(std::to_string(i), {}, std::nullopt, kNow);
    }
    tally.note("late.example", {}, std::nullopt, kNow);
    EXPECT_EQ(tally.pending({kDay, "late.example"}).succeeded(), 0U);
    tally.note("known.example", {}, std::nullopt, kNow);
    EXPECT_EQ(tally.pending({kDay, "known.example"}).succeeded(), 1U);
    (void)tally.take();  // What is in rows counts as well.
    tally.note("late.example", {}, std::nullopt, kNow);
    EXPECT_EQ(tally.pending({kDay, "late.example"}).succeeded(), 0U);
    tally.note("late.example", {}, std::nullopt, kNow + std::chrono::days(1));
    EXPECT_EQ(tally.pending({kDay + 1, "late.example"}).succeeded(), 1U);
}

// What was counted and not taken grows to a bound, and no further.
TEST(TlsTally, octets_at_the_bound) {
    TlsTally tally;
    const std::string long_line(mail::tls_report_text_size_max, 'x');
    mail::TlsPolicyText policy;
    policy.lines.resize(mail::tls_report_lines_max, long_line);
    const auto count = [&](std::size_t i) {
        const std::string domain = std::to_string(i) + ".example";
        tally.note(domain, policy, std::nullopt, kNow);
        return tally.pending({kDay, domain}).succeeded();
    };
    std::size_t counted = 0;
    while (counted < tls_report_domains_max && count(counted) == 1) {
        ++counted;
    }
    const std::size_t least = mail::tls_report_lines_max * mail::tls_report_text_size_max;
    EXPECT_LE(counted, tls_report_pending_size_max / least + 1);
    EXPECT_GE(counted, tls_report_pending_size_max / (2 * least));
    EXPECT_EQ(count(0), 1U);  // Not even one more of a domain that is known.
    (void)tally.take();
    EXPECT_EQ(count(counted), 1U);
}

TEST(TlsTally, what_openssl_says_of_certificates) {
    EXPECT_EQ(failure_of_certificate("hostname mismatch"), TlsFailure::CertificateHostMismatch);
    EXPECT_EQ(failure_of_certificate("454 x: certificate has expired"),
              TlsFailure::CertificateExpired);
    EXPECT_EQ(failure_of_certificate("self-signed certificate"), TlsFailure::CertificateNotTrusted);
    EXPECT_EQ(failure_of_certificate(""), TlsFailure::CertificateNotTrusted);
}

TEST(TlsReporter, each_domain_has_its_time_after_midnight) {
    const WallTime midnight = begin_of(kDay + 1);
    std::set<WallTime> turns;
    for (int i = 0; i < 50; ++i) {
        const TlsReportDay day{kDay, std::to_string(i) + ".example"};
        const WallTime turn = tls_report_turn(day, "mx.example.test");
        EXPECT_EQ(turn, tls_report_turn(day, "mx.example.test"));
        EXPECT_GE(turn, midnight);
        EXPECT_LT(turn, midnight + tls_report_spread);
        turns.insert(turn);
    }
    EXPECT_GT(turns.size(), 40U);
}

TEST(TlsReporter, pauses_double_up_to_a_bound) {
    EXPECT_EQ(tls_report_backoff(1), tls_report_pause);
    EXPECT_EQ(tls_report_backoff(2), 2 * tls_report_pause);
    EXPECT_EQ(tls_report_backoff(5), tls_report_pause_max);
    EXPECT_EQ(tls_report_backoff(4'000'000'000U), tls_report_pause_max);
}

TEST(TlsReporter, who_reports) {
    Settings settings;
    settings.hostname = "mx.example.test";
    settings.default_domain = "example.test";
    EXPECT_EQ(tls_report_organization(settings), "example.test");
    EXPECT_EQ(tls_report_contact(settings), "postmaster@example.test");
    EXPECT_EQ(tls_report_from(settings), "postmaster@example.test");
    settings.tls_reports = {.enabled = true,
                            .organization = "Example Ltd",
                            .contact = "tls@example.test",
                            .from = "noreply@example.test"};
    EXPECT_EQ(tls_report_organization(settings), "Example Ltd");
    EXPECT_EQ(tls_report_contact(settings), "tls@example.test");
    EXPECT_EQ(tls_report_from(settings), "noreply@example.test");
}

// --- what sessions are counted as ---

TlsQuestion question() {
    TlsQuestion asked;
    asked.domain = "example.com";
    asked.host = "mx.example.com";
    return asked;
}

std::string told(const std::optional<TlsAccounting>& accounting) {
    if (!accounting) {
        return "nothing";
    }
    std::string text(mail::to_string(accounting->policy.type));
    if (accounting->standing) {
        text += " " + std::string(mail::to_string(accounting->standing->failure));
    }
    return text;
}

TEST(TlsAccounting, by_what_the_domain_publishes) {
    const DaneAnswer none;
    EXPECT_EQ(told(account_for(question(), none, std::nullopt)), "no-policy-found");
    DaneAnswer dane;
    dane.published = {"3 1 1 00"};
    dane.kind = DaneAnswer::Kind::Usable;
    EXPECT_EQ(told(account_for(question(), dane, std::nullopt)), "tlsa");
    EXPECT_EQ(account_for(question(), dane, std::nullopt)->policy.lines, dane.published);
    dane.kind = DaneAnswer::Kind::Unusable;
    EXPECT_EQ(told(account_for(question(), dane, std::nullopt)), "tlsa tlsa-invalid");
    dane.kind = DaneAnswer::Kind::Failed;
    EXPECT_EQ(told(account_for(question(), dane, std::nullopt)), "nothing");
    dane.is_bogus = true;
    EXPECT_EQ(told(account_for(question(), dane, std::nullopt)), "tlsa dnssec-invalid");
    StsPolicy sts{.mode = StsMode::Testing, .hosts = {"*.example.com"}, .max_age_seconds = 86400};
    EXPECT_EQ(told(account_for(question(), none, sts)), "sts");
    EXPECT_EQ(account_for(question(), none, sts)->policy.lines,
              (std::vector<std::string>{"version: STSv1", "mode: testing", "mx: *.example.com",
                                        "max_age: 86400"}));
    sts.hosts = {"other.example.com"};
    EXPECT_EQ(told(account_for(question(), none, sts)), "sts validation-failure");
    sts.mode = StsMode::None;
    EXPECT_EQ(told(account_for(question(), none, sts)), "no-policy-found");
}

TEST(TlsAccounting, reports_are_not_reported_on) {
    TlsQuestion asked = question();
    asked.wish = TlsWish::Optional;
    EXPECT_EQ(told(account_for(asked, {}, std::nullopt)), "nothing");
}

}  // namespace
}  // namespace godwit::flow
