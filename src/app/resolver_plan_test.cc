#include "app/resolver_plan.h"

#include <gtest/gtest.h>

namespace godwit::app {
namespace {

using Dnssec = flow::ResolverSettings::Dnssec;

TEST(ResolverPlan, nothing_configured_forwards_as_the_system_and_validates) {
    const auto options = resolver_options({}, true);
    ASSERT_TRUE(options);
    EXPECT_TRUE(options->use_resolv_conf);
    EXPECT_FALSE(options->query_localhost);
    EXPECT_EQ(options->trust_anchors.size() + options->trust_anchor_files.size(),
              options->trust_anchor_files.empty() ? 2U : 1U);
    const auto plain = resolver_options({}, false);
    EXPECT_TRUE(plain->trust_anchors.empty());
    EXPECT_TRUE(plain->trust_anchor_files.empty());
}

TEST(ResolverPlan, own_iteration_forwarders_and_zones) {
    flow::Settings settings;
    settings.resolver.is_recursive = true;
    settings.resolver.root_hints_file = "/etc/hints";
    settings.zones = {{"corp.test", {"127.0.0.1:5300", "[::1]:53"}, true}};
    settings.resolver.trust_anchor_files = {"/etc/own.key"};
    auto options = resolver_options(settings, true);
    ASSERT_TRUE(options);
    EXPECT_FALSE(options->use_resolv_conf);
    EXPECT_TRUE(options->forwarders.empty());
    EXPECT_EQ(options->root_hints_file, "/etc/hints");
    ASSERT_EQ(options->stubs.size(), 2U);
    EXPECT_EQ(options->stubs[1].zone, "corp.test");
    EXPECT_EQ(options->stubs[1].server, "::1@53");
    EXPECT_TRUE(options->query_localhost);
    EXPECT_EQ(options->insecure_zones, std::vector<std::string>{"corp.test"});
    EXPECT_EQ(options->trust_anchor_files, std::vector<std::string>{"/etc/own.key"});
    EXPECT_TRUE(options->trust_anchors.empty());

    settings.resolver.is_recursive = false;
    settings.resolver.forward_to = {"192.0.2.53:53"};
    options = resolver_options(settings, false);
    EXPECT_EQ(options->forwarders, std::vector<std::string>{"192.0.2.53@53"});
    EXPECT_FALSE(options->use_resolv_conf);
    EXPECT_TRUE(options->insecure_zones.empty());
    settings.resolver.forward_to = {"nowhere"};
    EXPECT_FALSE(resolver_options(settings, false));
}

TEST(ResolverPlan, status_says_what_dnssec_does) {
    flow::Settings settings;
    EXPECT_EQ(dnssec_status(settings, {}), "off");
}

}  // namespace
}  // namespace godwit::app
