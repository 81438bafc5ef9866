// Limits of large providers: the shipped ones and the administrator's.
#include "flow/outbound/providers.h"

#include <gtest/gtest.h>

#include <set>

namespace godwit::flow {
namespace {

TEST(Providers, E18_shipped_ones_are_found_by_their_exchangers) {
    const Settings settings;
    const auto of = [&settings](std::string host) {
        const auto found = find_provider(settings, {std::move(host)});
        return found ? found->name : "";
    };
    EXPECT_EQ(of("aspmx.l.google.com"), "google");
    EXPECT_EQ(of("GMAIL-SMTP-IN.L.GOOGLE.COM"), "google");
    EXPECT_EQ(of("example-com.mail.protection.outlook.com"), "microsoft");
    EXPECT_EQ(of("mta5.am0.yahoodns.net"), "yahoo");
    EXPECT_EQ(of("mx00.gmx.net"), "gmx and web.de");
    EXPECT_EQ(of("notgoogle.com"), "");
    EXPECT_EQ(of("mx.example.com"), "");
    EXPECT_EQ(find_provider(settings, {"aspmx.l.google.com"})->connections, 5U);
    EXPECT_EQ(find_provider(settings, {"aspmx.l.google.com"})->messages_per_connection, 50U);
}

TEST(Providers, the_configuration_replaces_by_name_and_adds) {
    Settings settings;
    settings.providers = {{.name = "google", .mx = {"google.com"}, .connections = 17},
                          {.name = "own", .mx = {"mx.own.test"}, .connections = 3}};
    EXPECT_EQ(find_provider(settings, {"aspmx.l.google.com"})->connections, 17U);
    EXPECT_FALSE(find_provider(settings, {"x.psmtp.com"}).has_value());
    EXPECT_EQ(find_provider(settings, {"a.test", "mx.own.test"})->connections, 3U);
}

TEST(Providers, the_shipped_file_is_sound) {
    std::set<std::string> names;
    for (const ProviderSettings& provider : shipped_providers()) {
        EXPECT_TRUE(names.insert(provider.name).second) << provider.name;
        EXPECT_FALSE(provider.mx.empty()) << provider.name;
        EXPECT_GT(provider.connections, 0U) << provider.name;
        EXPECT_GT(provider.messages_per_connection, 0U) << provider.name;
    }
    EXPECT_GE(names.size(), 10U);
}

}  // namespace
}  // namespace godwit::flow
