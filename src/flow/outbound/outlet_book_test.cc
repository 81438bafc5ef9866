// Outlets: how many connections, who waits, when it rests.
#include "flow/outbound/outlet_book.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

using Kind = OutletBook::Answer::Kind;

const OutletKey kKey{.hosts = "mx.big.test", .source = ""};

class Outlet : public ::testing::Test {
protected:
    OutletUser user(int number) { return {.part = 0, .site = "d" + std::to_string(number)}; }
    Kind enter(int number) { return book.enter(kKey, user(number), limit, now).kind; }
    std::vector<std::string> leave() { return sites(book.leave(kKey, now)); }
    std::vector<std::string> report(OutletSign sign) {
        return sites(book.report(kKey, {.sign = sign, .reply = "x", .pause = {}}, now));
    }
    static std::vector<std::string> sites(const std::vector<OutletUser>& users) {
        std::vector<std::string> out;
        for (const OutletUser& each : users) {
            out.push_back(each.site);
        }
        return out;
    }
    OutletState state() { return book.states(now).at(0); }
    // As many as may, each with a report of success, until nothing grows any more.
    void grow() {
        for (int i = 0; i < 1000; ++i) {
            report(OutletSign::Success);
        }
    }

    OutletBook book;
    std::uint32_t limit = 20;
    MonoTime now{std::chrono::hours(1)};
};

TEST_F(Outlet, M3_domains_share_the_window_and_wait_in_line) {
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(enter(i), Kind::Granted) << i;
    }
    EXPECT_EQ(enter(5), Kind::Full);
    EXPECT_EQ(enter(6), Kind::Full);
    EXPECT_EQ(enter(5), Kind::Full);
    EXPECT_EQ(state().waiting, 2U);
    EXPECT_TRUE(book.has_line(kKey, user(5)));
    EXPECT_FALSE(book.has_line({.hosts = "other.test", .source = ""}, user(5)));
    EXPECT_EQ(leave(), std::vector<std::string>{"d5"});
    // The place is kept for the one that was woken.
    EXPECT_EQ(enter(7), Kind::Full);
    EXPECT_EQ(enter(5), Kind::Granted);
    EXPECT_EQ(leave(), std::vector<std::string>{"d6"});
    // Who does not come in time has lost it.
    now += outlet_wake_patience;
    EXPECT_EQ(sites(book.wake_next(kKey, now)), std::vector<std::string>{"d7"});
}

TEST_F(Outlet, M3_window_grows_by_one_a_cohort_up_to_the_limit) {
    ASSERT_EQ(enter(0), Kind::Granted);
    EXPECT_EQ(state().window, 5U);
    for (int i = 0; i < 4; ++i) {
        report(OutletSign::Success);
    }
    EXPECT_EQ(state().window, 5U);
    report(OutletSign::Success);
    EXPECT_EQ(state().window, 6U);
    grow();
    EXPECT_EQ(state().window, 20U);
}

TEST_F(Outlet, limit_below_the_start_holds) {
    limit = 2;
    EXPECT_EQ(enter(0), Kind::Granted);
    EXPECT_EQ(enter(1), Kind::Granted);
    EXPECT_EQ(enter(2), Kind::Full);
    EXPECT_EQ(book.enter(kKey, user(3), limit, now, true).kind, Kind::Granted);
}

TEST_F(Outlet, C4_given_up_after_cohorts_of_failures_and_probed_with_growing_pauses) {
    ASSERT_EQ(enter(0), Kind::Granted);
    int failures = 0;
    while (!state().paused_for && failures < 100) {
        report(OutletSign::Failure);
        ++failures;
    }
    // More than one cohort of five, fewer than four.
    EXPECT_GT(failures, 5);
    EXPECT_LT(failures, 20);
    EXPECT_EQ(state().window, 1U);
    EXPECT_EQ(enter(1), Kind::Paused);
    leave();
    Duration before{};
    for (int i = 0; i < 10; ++i) {
        now += *state().paused_for;
        ASSERT_EQ(enter(1), Kind::Granted);
        report(OutletSign::Failure);
        ASSERT_TRUE(state().paused_for.has_value());
        EXPECT_GE(*state().paused_for, before);
        before = *state().paused_for;
        leave();
    }
    EXPECT_EQ(before, Duration(outlet_backoff_max));
    now += before;
    ASSERT_EQ(enter(1), Kind::Granted);
    report(OutletSign::Success);
    EXPECT_FALSE(state().paused_for.has_value());
    EXPECT_EQ(state().window, 2U);
}

TEST_F(Outlet, C4_one_success_among_failures_keeps_it) {
    ASSERT_EQ(enter(0), Kind::Granted);
    for (int i = 0; i < 100; ++i) {
        report(i % 3 == 2 ? OutletSign::Success : OutletSign::Failure);
        ASSERT_FALSE(state().paused_for.has_value()) << i;
    }
}

TEST_F(Outlet, an_operators_retry_ends_a_pause_of_any_source_and_no_other) {
    const OutletKey other{.hosts = kKey.hosts, .source = "second"};
    const OutletKey elsewhere{.hosts = "mx.elsewhere.test", .source = ""};
    for (const OutletKey& key : {kKey, other, elsewhere}) {
        ASSERT_EQ(book.enter(key, {.part = 0, .site = "d0"}, 10, now).kind, Kind::Granted);
        OutletReport report{.sign = OutletSign::Success, .reply = "421", .pause = {}};
        report.pause = OutletPause{std::chrono::minutes(30), "rate limit"};
        static_cast<void>(book.report(key, report, now));
    }
    EXPECT_TRUE(book.end_pauses("d0", now).empty()) << "nobody knows where d0 goes";
    book.remember("d0", {.key = kKey, .limit = 10});
    EXPECT_EQ(book.end_pauses("d0", now).size(), 2U);
    EXPECT_EQ(book.enter(kKey, {.part = 0, .site = "d1"}, 10, now, true).kind, Kind::Granted);
    EXPECT_EQ(book.ask(elsewhere, {.part = 0, .site = "d2"}, 10, now).kind, Kind::Paused);
    EXPECT_TRUE(book.end_pauses("d0", now).empty());
}

TEST_F(Outlet, H6_refused_connections_cap_it_below_those_that_stand) {
    ASSERT_EQ(enter(0), Kind::Granted);
    grow();
    for (int i = 1; i < 8; ++i) {
        ASSERT_EQ(enter(i), Kind::Granted);
    }
    report(OutletSign::Refused);
    EXPECT_EQ(state().window, 7U);
    EXPECT_FALSE(state().paused_for.has_value());
}

TEST_F(Outlet, H3_a_pause_tells_those_in_line_and_begins_again_with_one) {
    for (int i = 0; i < 5; ++i) {
        ASSERT_EQ(enter(i), Kind::Granted);
    }
    EXPECT_EQ(enter(5), Kind::Full);
    OutletReport report{.sign = OutletSign::Success, .reply = "421 4.7.28 slow down", .pause = {}};
    report.pause = OutletPause{std::chrono::minutes(30), "rate limit (Google)"};
    EXPECT_EQ(sites(book.report(kKey, report, now)), std::vector<std::string>{"d5"});
    EXPECT_EQ(enter(5), Kind::Paused);
    EXPECT_EQ(state().reason, "rate limit (Google)");
    EXPECT_EQ(state().last_reply, "421 4.7.28 slow down");
    for (int i = 0; i < 5; ++i) {
        leave();
    }
    now += std::chrono::minutes(30);
    EXPECT_EQ(enter(5), Kind::Granted);
    EXPECT_EQ(enter(6), Kind::Full);
}

TEST_F(Outlet, sources_are_apart) {
    limit = 1;
    EXPECT_EQ(enter(0), Kind::Granted);
    EXPECT_EQ(enter(1), Kind::Full);
    EXPECT_EQ(book.enter({.hosts = kKey.hosts, .source = "b"}, user(1), limit, now).kind,
              Kind::Granted);
}

TEST_F(Outlet, those_at_rest_longest_are_forgotten_at_the_bound) {
    ASSERT_EQ(enter(0), Kind::Granted);
    for (std::size_t i = 1; i <= outlets_max + 1; ++i) {
        const OutletKey key{.hosts = "h" + std::to_string(i), .source = ""};
        ASSERT_EQ(book.enter(key, user(1), 1, now).kind, Kind::Granted);
        book.leave(key, now);
        ASSERT_LE(book.size(), outlets_max);
    }
    // The one at work is still there.
    EXPECT_EQ(book.size(), outlets_max);
    leave();
}

TEST_F(Outlet, operators_see_the_outlets_of_a_domain) {
    enter(0);
    book.remember("d0", {.key = kKey, .limit = limit, .is_only = false});
    const OutletKey other{.hosts = kKey.hosts, .source = "second"};
    book.enter(other, user(1), 3, now);
    book.report(other,
                {.sign = OutletSign::Success,
                 .reply = "421 slow down",
                 .pause = OutletPause{std::chrono::minutes(5), "rate limit"}},
                now);
    book.enter({.hosts = "mx.other.test", .source = ""}, user(2), limit, now);
    const std::vector<OutletState> states = book.states_of("d0", now);
    ASSERT_EQ(states.size(), 2U);
    EXPECT_EQ(states[0].in_flight, 1U);
    EXPECT_EQ(states[0].limit, limit);
    EXPECT_FALSE(states[0].paused_for);
    EXPECT_EQ(states[1].source, "second");
    EXPECT_EQ(states[1].paused_for, std::chrono::minutes(5));
    EXPECT_EQ(states[1].reason, "rate limit");
    EXPECT_EQ(states[1].last_reply, "421 slow down");
    EXPECT_TRUE(book.states_of("d1", now).empty());
    EXPECT_EQ(book.states(now).size(), 3U);
}

}  // namespace
}  // namespace godwit::flow
