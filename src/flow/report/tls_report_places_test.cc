#include "flow/report/tls_report_places.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

TEST(TlsReportPlaces, a_web_host_is_for_the_reports_of_its_own_domain) {
    Settings settings;
    settings.web_hosts.push_back({.host = "tls.inside.test", .address = "10.0.0.1:443"});
    const auto at = [&](std::string_view domain, std::string_view host) {
        return tls_report_web_host(settings, domain, host).has_value();
    };
    EXPECT_TRUE(at("inside.test", "tls.inside.test"));
    EXPECT_TRUE(at("Inside.Test", "TLS.inside.test"));
    EXPECT_TRUE(at("tls.inside.test", "tls.inside.test"));
    EXPECT_FALSE(at("inside.test", "other.inside.test"));
    for (const std::string_view stranger : {"stranger.test", "side.test", "a.inside.test", ""}) {
        EXPECT_FALSE(at(stranger, "tls.inside.test")) << stranger;
    }
}

TEST(TlsReportPlaces, mail_goes_where_anybody_may_mail_to) {
    Settings settings;
    const auto may = [&](std::string_view domain, std::string_view address) {
        return may_mail_tls_report(settings, domain, *mail::parse_address(address));
    };
    EXPECT_TRUE(may("stranger.test", "tls@reports.test"));
    settings.routes.resize(4);
    settings.routes[0].domain = "*";
    settings.routes[1].domain = "inside.test";
    settings.routes[2].recipient = "tls@vendor.test";
    settings.routes[3].domain = "kept.test";
    settings.relay_domains.push_back({.domain = "kept.test"});
    EXPECT_TRUE(may("stranger.test", "tls@reports.test"));
    EXPECT_FALSE(may("stranger.test", "tls@inside.test"));
    EXPECT_FALSE(may("stranger.test", "tls@vendor.test"));
    EXPECT_TRUE(may("stranger.test", "other@vendor.test"));
    EXPECT_TRUE(may("stranger.test", "tls@kept.test"));
    EXPECT_TRUE(may("inside.test", "tls@inside.test"));
    EXPECT_FALSE(may("a.inside.test", "tls@inside.test"));
    settings.routes[1].accepts_from_outside = true;
    EXPECT_TRUE(may("stranger.test", "tls@inside.test"));
}

}  // namespace
}  // namespace godwit::flow
