#include "flow/policy/login_guard.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace godwit::flow {
namespace {

const net::Endpoint kHome = *net::Endpoint::parse("192.0.2.1:1000");
const net::Endpoint kThief = *net::Endpoint::parse("203.0.113.9:1000");
constexpr MonoTime kStart{std::chrono::hours(24)};

TEST(LoginGuard, T37_failures_of_a_pair_are_bounded_and_come_back_with_time) {
    LoginGuard guard("secret");
    for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(guard.may_try("alice", kThief, 5, kStart)) << i;
        guard.failed("alice", kThief, 5, kStart);
    }
    EXPECT_FALSE(guard.may_try("alice", kThief, 5, kStart));
    EXPECT_FALSE(guard.may_try("ALICE", kThief, 5, kStart));
    EXPECT_TRUE(guard.may_try("alice", kHome, 5, kStart));
    EXPECT_TRUE(guard.may_try("alice", kThief, 5, kStart + std::chrono::minutes(1)));
}

TEST(LoginGuard, T37_who_logged_in_before_is_not_locked_out_by_others) {
    LoginGuard guard("secret");
    guard.succeeded("alice", kHome, kStart);
    for (int i = 0; i < 60; ++i) {
        guard.failed("alice", *net::Endpoint::parse("203.0.113." + std::to_string(i + 1) + ":1"), 5,
                     kStart);
    }
    EXPECT_FALSE(guard.may_try("alice", *net::Endpoint::parse("203.0.113.200:1"), 5, kStart));
    EXPECT_TRUE(guard.may_try("alice", kHome, 5, kStart));
}

TEST(LoginGuard, One_address_that_tries_many_names_is_slowed) {
    LoginGuard guard("secret");
    for (int i = 0; i < 15; ++i) {
        guard.failed("user" + std::to_string(i), kThief, 5, kStart);
    }
    EXPECT_FALSE(guard.may_try("another", kThief, 5, kStart));
}

TEST(LoginGuard, T41_a_remembered_password_is_right_for_its_account_epoch_and_time_only) {
    LoginGuard guard("secret");
    guard.remember(AccountId(1), 1, "pw", kStart);
    EXPECT_TRUE(guard.remembers(AccountId(1), 1, "pw", kStart));
    EXPECT_FALSE(guard.remembers(AccountId(2), 1, "pw", kStart));
    EXPECT_FALSE(guard.remembers(AccountId(1), 2, "pw", kStart));
    EXPECT_FALSE(guard.remembers(AccountId(1), 1, "PW", kStart));
    EXPECT_FALSE(guard.remembers(AccountId(1), 1, "pw", kStart + limits::password_memory_time));
}

}  // namespace
}  // namespace godwit::flow
