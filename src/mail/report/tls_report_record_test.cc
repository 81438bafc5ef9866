#include "mail/report/tls_report_record.h"

#include <gtest/gtest.h>

namespace godwit::mail {
namespace {

using Uris = std::vector<std::string>;

TEST(TlsReportRecord, examples_of_rfc8460) {
    EXPECT_EQ(parse_tls_report_record({"v=TLSRPTv1;rua=mailto:reports@example.com"}),
              (Uris{"mailto:reports@example.com"}));
    EXPECT_EQ(parse_tls_report_record({"v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt"}),
              (Uris{"https://reporting.example.com/v1/tlsrpt"}));
}

TEST(TlsReportRecord, several_places_and_unknown_fields) {
    EXPECT_EQ(parse_tls_report_record(
                  {"v=TLSRPTv1 ; x=1; rua = mailto:a@example.com , https://b.example/;y=2;"}),
              (Uris{"mailto:a@example.com", "https://b.example/"}));
    EXPECT_EQ(parse_tls_report_record({"v=TLSRPTv1; rua=ftp://x.example/,mailto:a@example.com"}),
              (Uris{"mailto:a@example.com"}));
}

TEST(TlsReportRecord, one_record_and_no_other) {
    const std::string good = "v=TLSRPTv1; rua=mailto:a@example.com";
    EXPECT_EQ(parse_tls_report_record({"v=spf1 -all", good}).size(), 1U);
    EXPECT_TRUE(parse_tls_report_record({good, good}).empty());
    EXPECT_TRUE(parse_tls_report_record({"v=TLSRPTv2; rua=mailto:a@example.com"}).empty());
    EXPECT_TRUE(parse_tls_report_record({"rua=mailto:a@example.com"}).empty());
    EXPECT_TRUE(parse_tls_report_record({"v=TLSRPTv1"}).empty());
    EXPECT_TRUE(parse_tls_report_record({""}).empty());
}

TEST(TlsReportRecord, places_at_the_bound) {
    std::string record = "v=TLSRPTv1; rua=";
    for (std::size_t i = 0; i < tls_report_places_max - 1; ++i) {
        record += "mailto:a" + std::to_string(i) + "@example.com,";
    }
    EXPECT_EQ(parse_tls_report_record({record}).size(), tls_report_places_max - 1);
    record += "mailto:b@example.com,";
    EXPECT_EQ(parse_tls_report_record({record}).size(), tls_report_places_max);
    record += "mailto:c@example.com";
    EXPECT_EQ(parse_tls_report_record({record}).size(), tls_report_places_max);
}

TEST(TlsReportRecord, sizes_at_the_bound) {
    const std::string front = "https://b.example/";
    for (const std::size_t more : {0U, 1U, 2U}) {
        const std::string uri =
            front + std::string(tls_report_uri_size_max - 1 + more - front.size(), 'x');
        EXPECT_EQ(parse_tls_report_place(uri).has_value(), more <= 1);
        std::string record = "v=TLSRPTv1; rua=mailto:a@example.com; x=";
        record.resize(tls_report_record_size_max - 1 + more, 'x');
        EXPECT_EQ(parse_tls_report_record({record}).size(), more <= 1 ? 1U : 0U);
    }
}

TEST(TlsReportRecord, mail_places) {
    const auto place = parse_tls_report_place("MAILTO:tls%2Breports@example.com?subject=x");
    ASSERT_TRUE(place);
    EXPECT_EQ(place->kind, TlsReportPlace::Kind::Mail);
    EXPECT_EQ(place->address.to_string(), "tls+reports@example.com");
    for (const char* bad : {"mailto:", "mailto:nobody", "mailto:a%@example.com", "mailto:a%0d@b.c",
                            "mailto:a@b.c d", "a@example.com"}) {
        EXPECT_FALSE(parse_tls_report_place(bad)) << bad;
    }
}

TEST(TlsReportRecord, web_places) {
    const auto plain = parse_tls_report_place("https://b.example");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->host, "b.example");
    EXPECT_EQ(plain->port, 443);
    EXPECT_EQ(plain->path, "/");
    const auto full = parse_tls_report_place("https://[2001:db8::1]:8443/v1?x=1#top");
    ASSERT_TRUE(full);
    EXPECT_EQ(full->host, "2001:db8::1");
    EXPECT_EQ(full->port, 8443);
    EXPECT_EQ(full->path, "/v1?x=1");
    for (const char* bad : {"https://", "https:///x", "https://a:0/", "https://a:65536/",
                            "https://a:/", "https://user@a/", "https://[::1", "https://[::1]x/",
                            "http://a/", "https://a b/", "https://a/\r\nX: y"}) {
        EXPECT_FALSE(parse_tls_report_place(bad)) << bad;
    }
    EXPECT_EQ(parse_tls_report_place("https://a:65535/")->port, 65535);
}

}  // namespace
}  // namespace godwit::mail
