// Options of `godwit dev`.
#include "app/dev.h"

#include <gtest/gtest.h>

namespace godwit::app {
namespace {

Result<DevPlan> last = DevPlan{};

int keep(const Invocation& call) {
    last = read_dev_options(call);
    return 0;
}

/// Through the real row's options, so that the table is tested too.
Result<DevPlan> read(std::vector<std::string> words) {
    const CommandRow* dev = nullptr;
    for (const CommandRow& row : command_table()) {
        if (row.noun == "dev") {
            dev = &row;
        }
    }
    CommandRow row = *dev;
    row.run = keep;
    words.insert(words.begin(), "dev");
    std::string err;
    const Console console{.out = [](std::string_view) {},
                          .err = [&](std::string_view text) { err.append(text); },
                          .input = {},
                          .password = {}};
    EXPECT_EQ(run_command_line(std::span(&row, 1), words, console), 0) << err;
    return last;
}

TEST(Dev, defaults_are_two_accounts_and_nine_ports) {
    const auto plan = read({});
    ASSERT_TRUE(plan);
    ASSERT_EQ(plan->accounts.size(), 2U);
    EXPECT_EQ(plan->accounts[1].password, "bob");
    EXPECT_EQ(plan->settings.listeners.size(), 9U);
    EXPECT_EQ(plan->settings.listeners[0].address, "127.0.0.1:20025");
    EXPECT_TRUE(plan->settings.resolver.is_off);
    EXPECT_TRUE(plan->settings.allow_plaintext_login);
    EXPECT_EQ(plan->settings.default_domain, "example.test");
}

TEST(Dev, options_are_read) {
    const auto plan =
        read({"--base-port", "30000", "--domain", "Foo.Test", "--account", "carol:x:y", "--route",
              "a.test=127.0.0.1:2525", "--route", "b.test=discard", "--route", "*=localhost:25",
              "--resolver", "127.0.0.1:5353"});
    ASSERT_TRUE(plan) << plan.error().text;
    EXPECT_EQ(plan->settings.default_domain, "foo.test");
    EXPECT_EQ(plan->accounts[0].password, "x:y");
    ASSERT_EQ(plan->settings.routes.size(), 3U);
    EXPECT_EQ(plan->settings.routes[0].port, 2525);
    EXPECT_EQ(plan->settings.routes[1].kind, flow::RouteSettings::Kind::Discard);
    EXPECT_EQ(plan->settings.routes[2].host, "127.0.0.1");
    EXPECT_FALSE(plan->settings.resolver.is_off);
}

TEST(Dev, nonsense_is_refused) {
    EXPECT_FALSE(read({"--base-port", "65000"}));
    EXPECT_FALSE(read({"--account", "carol"}));
    EXPECT_FALSE(read({"--route", "a.test"}));
    EXPECT_FALSE(read({"--route", "a.test=host"}));
    EXPECT_FALSE(read({"--resolver", "nowhere"}));
    EXPECT_FALSE(read({"--domain", "a..b"}));
}

TEST(Dev, what_is_printed_does_not_say_ready_early) {
    const auto plan = read({});
    const std::string text = describe_dev(*plan, "/x/tls/ca.pem");
    EXPECT_EQ(text.find("ready"), std::string::npos);
    EXPECT_NE(text.find("swaks --server 127.0.0.1:20587"), std::string::npos);
    EXPECT_NE(text.find("alice@example.test"), std::string::npos);
}

}  // namespace
}  // namespace godwit::app
