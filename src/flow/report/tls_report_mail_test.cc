#include "flow/report/tls_report_mail.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

TEST(TlsReportMail, Who_reports_follows_from_the_default_domain) {
    Settings settings;
    settings.hostname = "mx.example.org";
    EXPECT_EQ(tls_report_organization(settings), "mx.example.org");
    EXPECT_EQ(tls_report_contact(settings), "postmaster@mx.example.org");
    settings.default_domain = "example.org";
    EXPECT_EQ(tls_report_organization(settings), "example.org");
    EXPECT_EQ(tls_report_contact(settings), "postmaster@example.org");
    EXPECT_EQ(tls_report_from(settings), "postmaster@example.org");
    settings.tls_reports.contact = "tls@example.org";
    EXPECT_EQ(tls_report_from(settings), "tls@example.org");
    settings.tls_reports.from = "noreply@example.org";
    settings.tls_reports.organization = "Example";
    EXPECT_EQ(tls_report_contact(settings), "tls@example.org");
    EXPECT_EQ(tls_report_from(settings), "noreply@example.org");
    EXPECT_EQ(tls_report_organization(settings), "Example");
}

TEST(TlsReportMail, A_report_that_is_sent_again_has_the_same_name) {
    const TlsReportDay day{.day = 20'000, .domain = "a.example"};
    const std::string name = tls_report_unique(day, "mx.example.org");
    EXPECT_EQ(tls_report_unique(day, "mx.example.org"), name);
    EXPECT_NE(tls_report_unique({.day = 20'001, .domain = "a.example"}, "mx.example.org"), name);
    EXPECT_NE(tls_report_unique({.day = 20'000, .domain = "b.example"}, "mx.example.org"), name);
    EXPECT_NE(tls_report_unique(day, "mx2.example.org"), name);
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789"), std::string::npos);
}

}  // namespace
}  // namespace godwit::flow
