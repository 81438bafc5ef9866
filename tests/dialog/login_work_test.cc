// What a login costs, counted: SECURITY.md T38 by work done, not by the clock.
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <thread>

#include "base/metrics.h"
#include "serve/login/login.h"
#include "stage.h"

namespace godwit::dialog {
namespace {

struct Work {
    std::int64_t hashes = 0;
    std::int64_t derivations = 0;
    sasl::Verdict verdict = sasl::Verdict::Temporary;
    bool operator==(const Work&) const = default;
};

const net::Endpoint kPeer = *net::Endpoint::parse("203.0.113.9:4711");

net::Task<void> try_password(const flow::Services* services, std::string name, std::string password,
                             Work* work) {
    const serve::LoginOutcome outcome =
        co_await serve::verify_password(services, "", name, password, kPeer);
    work->verdict = outcome.verdict;
}

net::Task<void> look_up_keys(const flow::Services* services, std::string name, sasl::ScramHash hash,
                             sasl::ScramKeys* keys) {
    Result<serve::ScramLookup> found = co_await serve::find_scram_keys(services, name, hash, kPeer);
    *keys = found ? std::move(found->keys) : sasl::ScramKeys{};
}

class LoginWork : public testing::Test {
protected:
    LoginWork() { stage_.start(); }

    Work of(std::string name, std::string password) {
        Work work;
        const std::int64_t hashes = metric_value(Metric::PasswordHashes);
        const std::int64_t derivations = metric_value(Metric::PasswordDerivations);
        net::spawn(stage_.loop().shard(), "test.login",
                   try_password(&stage_.services(), name, password, &work));
        stage_.settle();
        work.hashes = metric_value(Metric::PasswordHashes) - hashes;
        work.derivations = metric_value(Metric::PasswordDerivations) - derivations;
        return work;
    }

    sasl::ScramKeys keys_of(const std::string& name, sasl::ScramHash hash) {
        sasl::ScramKeys keys;
        net::spawn(stage_.loop().shard(), "test.keys",
                   look_up_keys(&stage_.services(), name, hash, &keys));
        stage_.settle();
        return keys;
    }

    Stage stage_;
};

TEST_F(LoginWork, T38_a_wrong_password_and_an_unknown_name_cost_the_same) {
    const Work wrong{.hashes = 1, .derivations = 1, .verdict = sasl::Verdict::Denied};
    EXPECT_EQ(of("alice", "wrong"), wrong);
    EXPECT_EQ(of("nobody", "wrong"), wrong);
    EXPECT_EQ(of("nobody@example.com", "wrong"), wrong);
    EXPECT_EQ(of("not an address at all", "wrong"), wrong);
    stage_.disable_account("bob");
    EXPECT_EQ(of("bob", "bob"), wrong);
}

TEST_F(LoginWork, T38_scram_shows_nothing_that_a_real_name_would_not) {
    for (const sasl::ScramHash hash : {sasl::ScramHash::Sha256, sasl::ScramHash::Sha1}) {
        const sasl::ScramKeys real = keys_of("alice", hash);
        EXPECT_EQ(real.salt, keys_of("ALICE@example.test", hash).salt);
        const sasl::ScramKeys decoy = keys_of("nobody", hash);
        EXPECT_EQ(decoy.hash, hash);
        EXPECT_EQ(decoy.iterations, real.iterations);
        EXPECT_EQ(decoy.salt.size(), real.salt.size());
        EXPECT_EQ(decoy.stored_key.size(), real.stored_key.size());
        EXPECT_EQ(decoy.salt, keys_of("NOBODY", hash).salt);
        EXPECT_EQ(decoy.salt, keys_of("nobody@example.test", hash).salt);
        EXPECT_NE(decoy.salt, keys_of("somebody", hash).salt);
    }
}

// An account that an older version made: decoys until the password itself was seen once.
TEST_F(LoginWork, Rfc5802_sha1_keys_are_made_at_the_first_login_with_the_password) {
    stage_.forget_sha1_keys("alice");
    const sasl::ScramKeys decoy = keys_of("alice", sasl::ScramHash::Sha1);
    EXPECT_EQ(of("alice", "wrong").verdict, sasl::Verdict::Denied);
    EXPECT_EQ(keys_of("alice", sasl::ScramHash::Sha1).salt, decoy.salt);
    const std::uint64_t epoch = stage_.account("alice").auth_epoch;
    EXPECT_EQ(of("alice", "alice").verdict, sasl::Verdict::Granted);
    const sasl::ScramKeys made = keys_of("alice", sasl::ScramHash::Sha1);
    EXPECT_NE(made.salt, decoy.salt);
    EXPECT_TRUE(sasl::scram_matches(made, "alice"));
    EXPECT_EQ(stage_.account("alice").auth_epoch, epoch);
}

// The hash takes its time on the pool; what it was reckoned against must still hold after it.
TEST_F(LoginWork, T46_a_password_that_was_changed_during_the_hash_is_denied) {
    net::OffloadThreads slow({.name = "slow", .threads = 1});
    std::promise<void> gate;
    ASSERT_TRUE(slow.submit([opened = gate.get_future().share()] { opened.wait(); }));
    stage_.services().passwords = &slow;
    Work work;
    net::spawn(stage_.loop().shard(), "test.login",
               try_password(&stage_.services(), "alice", "alice", &work));
    stage_.settle();
    ASSERT_EQ(work.verdict, sasl::Verdict::Temporary);
    stage_.change_password("alice", "new");
    gate.set_value();
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (work.verdict == sasl::Verdict::Temporary && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        stage_.settle();
    }
    EXPECT_EQ(work.verdict, sasl::Verdict::Denied);
}

}  // namespace
}  // namespace godwit::dialog
