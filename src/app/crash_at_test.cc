#include "app/crash_at.h"

#include <gtest/gtest.h>

#include <csignal>
#include <string>

namespace godwit::app {
namespace {

void pass_thrice() {
    crash_point<"crash_at_test.one">();
    crash_point<"crash_at_test.two">();
    crash_point<"crash_at_test.two">();
}

struct Said {
    std::string out;
    std::string err;
    Console console{.out = [this](std::string_view text) { out.append(text); },
                    .err = [this](std::string_view text) { err.append(text); },
                    .input = {},
                    .password = {}};
};

TEST(CrashAt, Orders_name_places_and_passings) {
    const auto orders = parse_crash_orders("crash_at_test.one,crash_at_test.two:7");
    ASSERT_TRUE(orders);
    ASSERT_EQ(orders->size(), 2U);
    EXPECT_EQ((*orders)[0].place->name(), "crash_at_test.one");
    EXPECT_EQ((*orders)[0].passing, 1U);
    EXPECT_EQ((*orders)[1].place->name(), "crash_at_test.two");
    EXPECT_EQ((*orders)[1].passing, 7U);
}

TEST(CrashAt, Wrong_orders_are_told) {
    for (const std::string text : {"", ",", "crash_at_test.one,", "no.such_place",
                                   "crash_at_test.one:", "crash_at_test.one:0",
                                   "crash_at_test.one:x", "crash_at_test.one:1:1"}) {
        EXPECT_FALSE(parse_crash_orders(text)) << text;
    }
    Said said;
    EXPECT_EQ(obey_crash_order("no.such_place", said.console), static_cast<int>(kExitUsage));
    EXPECT_NE(said.err.find("no crash point 'no.such_place'"), std::string::npos) << said.err;
    pass_thrice();
}

TEST(CrashAt, The_list_names_crash_points_of_every_room) {
    Said said;
    EXPECT_EQ(obey_crash_order("list", said.console), static_cast<int>(kExitDone));
    for (const char* name : {"commit.keys_synced", "blob.records_written", "receive.committed",
                             "imap.append_answered", "outbound.dot_said", "start.store_open"}) {
        EXPECT_NE(said.out.find(std::string(name) + "\n"), std::string::npos) << name;
    }
}

TEST(CrashAtDeathTest, It_ends_at_the_passing_that_was_named) {
    Said said;
    EXPECT_EXIT(
        {
            if (!obey_crash_order("crash_at_test.two:2", said.console)) {
                pass_thrice();
            }
        },
        ::testing::KilledBySignal(SIGKILL), "crash_at: crash_at_test.two");
    EXPECT_EXIT(
        {
            if (!obey_crash_order("crash_at_test.two:3", said.console)) {
                pass_thrice();
            }
            ::_exit(7);
        },
        ::testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace godwit::app
