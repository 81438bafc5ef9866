// The commit loop by hand over a store in memory: order, groups, failures, fullness.
#include "store/commit/committer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/metrics.h"
#include "store/kv/meta.h"
#include "store/store_testing.h"

namespace godwit::store {
namespace {

class Commits : public testing::Test {
protected:
    Commits() {
        reopen();
        account_ = fixture::add_account(*store_, 1, CommitDrive::Manual);
    }
    void reopen() {
        store_.reset();
        StoreOptions options;
        options.drive = CommitDrive::Manual;
        options.memory_disk = disk_;
        options.on_fatal = [this](const Error& error) { fatal_.push_back(error); };
        store_ = Store::open(std::move(options), &system_clock(), &random_).value();
    }
    Plan expunge(Uid which) {
        Plan plan;
        ExpungeMessages step;
        step.account = account_;
        step.mailbox = kInbox;
        step.uids = {which};
        step.only_deleted = false;
        plan.steps.emplace_back(std::move(step));
        return plan;
    }
    Plan delivery(std::string_view body) { return fixture::delivery(*store_, account_, body); }
    void submit(Plan plan) {
        store_->committer().submit(std::make_unique<Plan>(std::move(plan)),
                                   [this](CommitResult result) {
                                       events_.emplace_back("completed");
                                       results_.push_back(std::move(result));
                                   });
    }
    Uid uid(std::size_t index) { return std::get<Appended>(results_.at(index)->results.at(0)).uid; }
    BlobId id_of(std::string_view body) { return {sha256(body)}; }

    SeededRandom random_{1};
    std::shared_ptr<MemoryKvDisk> disk_ = make_memory_kv_disk();
    std::vector<Error> fatal_;
    std::unique_ptr<Store> store_;
    AccountId account_;
    std::vector<CommitResult> results_;
    std::vector<std::string> events_;
};

TEST_F(Commits, Plans_of_a_group_share_one_commit_in_their_order) {
    const auto groups = metric_value(Metric::CommitGroups);
    const CommitSeq before = store_->committer().last_durable();
    for (const char* body : {"one", "two", "three"}) {
        submit(delivery(body));
    }
    EXPECT_TRUE(results_.empty());
    EXPECT_TRUE(store_->committer().run_once());
    EXPECT_FALSE(store_->committer().run_once());
    ASSERT_EQ(results_.size(), 3U);
    EXPECT_EQ(uid(0), Uid{1});
    EXPECT_EQ(uid(1), Uid{2});
    EXPECT_EQ(uid(2), Uid{3});
    EXPECT_EQ(results_[0]->seq, results_[2]->seq);
    EXPECT_EQ(metric_value(Metric::CommitGroups) - groups, 1);
    EXPECT_EQ(store_->committer().last_durable().value(), before.value() + 1);
    EXPECT_EQ(load_commit_seq(store_->kv()).value(), store_->committer().last_durable());
    EXPECT_EQ(store_->blobs().read(id_of("two"), 0, 100, ReadTier::Disk).value(), "two");
}

TEST_F(Commits, Watchers_hear_before_the_caller) {
    const auto token = store_->changes().subscribe(account_, [this](const auto& change) {
        EXPECT_EQ(change->account, account_);
        // What is told can be read.
        EXPECT_EQ(load_commit_seq(store_->kv()).value(), change->seq);
        events_.emplace_back("published");
    });
    submit(delivery("one"));
    store_->committer().run_once();
    EXPECT_EQ(events_, (std::vector<std::string>{"published", "completed"}));
    store_->changes().unsubscribe(token);
    submit(delivery("two"));
    store_->committer().run_once();
    EXPECT_EQ(events_.size(), 3U);
}

TEST_F(Commits, Plan_that_does_not_fit_leaves_no_trace) {
    Plan bad = delivery("bad");
    Plan more = delivery("worse");
    std::get<AppendMessage>(more.steps[0]).mailbox = MailboxId{999};
    bad.steps.push_back(std::move(more.steps[0]));
    bad.bodies.push_back(std::move(more.bodies[0]));
    submit(std::move(bad));
    submit(delivery("good"));
    store_->committer().run_once();
    ASSERT_EQ(results_.size(), 2U);
    ASSERT_FALSE(results_[0]);
    EXPECT_EQ(results_[0].error().error.code, ErrorCode::NotFound);
    EXPECT_EQ(results_[0].error().step, 1U);
    EXPECT_EQ(uid(1), Uid{1});
    EXPECT_FALSE(store_->blobs().read(id_of("bad"), 0, 9, ReadTier::Disk));
    EXPECT_TRUE(store_->blobs().read(id_of("good"), 0, 9, ReadTier::Disk));
}

TEST_F(Commits, Bodies_live_as_long_as_their_links_whatever_the_order) {
    const std::vector<std::string> bodies = {"alpha", "beta", "gamma"};
    std::vector<std::pair<Uid, std::size_t>> there;
    for (int group = 0; group < 400; ++group) {
        if (random_.below(20) == 0) {
            reopen();  // What the commit thread remembered is gone.
        }
        std::vector<std::size_t> coming;
        for (std::uint64_t more = random_.below(4); more != 0; --more) {
            const std::size_t body = random_.below(bodies.size());
            Plan plan = delivery(bodies[body]);
            if (random_.below(4) == 0) {
                std::get<AppendMessage>(plan.steps[0]).mailbox = MailboxId{999};
                submit(std::move(plan));
                continue;
            }
            coming.push_back(body);
            submit(std::move(plan));
        }
        while (!there.empty() && random_.below(3) == 0) {
            const auto which =
                there.begin() + static_cast<std::ptrdiff_t>(random_.below(there.size()));
            submit(expunge(which->first));
            there.erase(which);
        }
        results_.clear();
        store_->committer().run_once();
        std::size_t next = 0;
        for (const CommitResult& result : results_) {
            if (result && std::holds_alternative<Appended>(result->results.at(0))) {
                there.emplace_back(std::get<Appended>(result->results.at(0)).uid,
                                   coming.at(next++));
            }
        }
        ASSERT_EQ(next, coming.size());
        for (std::size_t body = 0; body < bodies.size(); ++body) {
            const bool is_linked = std::ranges::any_of(
                there, [body](const auto& message) { return message.second == body; });
            ASSERT_EQ(store_->blobs().read(id_of(bodies[body]), 0, 9, ReadTier::Disk).has_value(),
                      is_linked)
                << bodies[body] << " after group " << group;
        }
    }
}

TEST_F(Commits, Last_link_takes_the_body_along) {
    submit(delivery("twice"));
    submit(delivery("twice"));
    store_->committer().run_once();
    submit(expunge(Uid{1}));
    store_->committer().run_once();
    EXPECT_TRUE(store_->blobs().read(id_of("twice"), 0, 9, ReadTier::Disk));
    // Gone and there again in one group: it stays.
    submit(expunge(Uid{2}));
    submit(delivery("twice"));
    store_->committer().run_once();
    EXPECT_TRUE(store_->blobs().read(id_of("twice"), 0, 9, ReadTier::Disk));
    submit(expunge(Uid{3}));
    store_->committer().run_once();
    EXPECT_FALSE(store_->blobs().read(id_of("twice"), 0, 9, ReadTier::Disk));
}

TEST_F(Commits, Failed_write_ends_all) {
    allow_commits(*disk_, 0);
    submit(delivery("one"));
    store_->committer().run_once();
    submit(delivery("two"));
    store_->stop();
    submit(delivery("three"));
    ASSERT_EQ(fatal_.size(), 1U);
    EXPECT_EQ(fatal_[0].code, ErrorCode::Io);
    ASSERT_EQ(results_.size(), 3U);
    for (const CommitResult& result : results_) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().error.code, ErrorCode::Closed);
    }
}

TEST_F(Commits, Stop_finishes_what_is_pending) {
    submit(delivery("one"));
    store_->stop();
    submit(delivery("two"));
    ASSERT_EQ(results_.size(), 2U);
    EXPECT_TRUE(results_[0]);
    EXPECT_FALSE(results_[1]);
}

TEST_F(Commits, Disk_all_but_full_takes_only_what_makes_room) {
    submit(delivery("one"));
    store_->committer().run_once();
    store_->committer().set_disk_room(DiskRoom::Critical);
    submit(delivery("two"));
    Plan plan;
    ExpungeMessages step;
    step.account = account_;
    step.mailbox = kInbox;
    step.uids = {Uid{1}};
    step.only_deleted = false;
    plan.steps.emplace_back(std::move(step));
    submit(std::move(plan));
    store_->committer().run_once();
    ASSERT_EQ(results_.size(), 3U);
    EXPECT_EQ(results_[1].error().error.code, ErrorCode::DiskFull);
    EXPECT_TRUE(results_[2]);
}

// Operators' deletions come with conditions, which write nothing.
TEST_F(Commits, Disk_all_but_full_takes_removals_with_conditions) {
    submit(delivery("one"));
    store_->committer().run_once();
    store_->committer().set_disk_room(DiskRoom::Critical);
    Plan plan = expunge(Uid{1});
    ChangeRows condition;
    condition.expects.push_back({.key = "Gabsent", .value = std::nullopt});
    plan.steps.insert(plan.steps.begin(), condition);
    // Of an upper floor's own book-keeping one small row may come along.
    const std::string key = "Gnew";
    const auto with_row = [&](std::size_t size, std::size_t rows) {
        Plan growing = expunge(Uid{9});
        condition.entries.assign(rows, {.key = key, .value = std::string(size, 'x')});
        growing.steps.insert(growing.steps.begin(), condition);
        return growing;
    };
    submit(with_row(257 - key.size(), 1));
    submit(with_row(1, 2));
    submit(with_row(256 - key.size(), 1));
    submit(std::move(plan));
    store_->committer().run_once();
    ASSERT_EQ(results_.size(), 5U);
    ASSERT_FALSE(results_[1]);
    EXPECT_EQ(results_[1].error().error.code, ErrorCode::DiskFull);
    ASSERT_FALSE(results_[2]);
    EXPECT_EQ(results_[2].error().error.code, ErrorCode::DiskFull);
    EXPECT_TRUE(results_[3]);
    EXPECT_TRUE(results_[4]);
}

TEST_F(Commits, Broken_off_what_waits_and_what_comes_fails) {
    const CommitSeq before = store_->committer().last_durable();
    submit(delivery("waits"));
    store_->committer().break_off();
    submit(delivery("comes"));
    ASSERT_EQ(results_.size(), 1U);
    store_->committer().run_once();
    ASSERT_EQ(results_.size(), 2U);
    for (const CommitResult& result : results_) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().error.code, ErrorCode::Closed);
    }
    EXPECT_EQ(store_->committer().last_durable(), before);
    EXPECT_EQ(load_commit_seq(store_->kv()).value(), before);
}

TEST_F(Commits, Failed_commit_is_the_stores_fault_for_good) {
    EXPECT_TRUE(store_->is_sound());
    allow_commits(*disk_, 0);
    submit(delivery("one"));
    store_->committer().run_once();
    EXPECT_FALSE(store_->is_sound());
    ASSERT_TRUE(store_->fault());
    EXPECT_EQ(fatal_.size(), 1U);
    EXPECT_EQ(store_->fault()->text, fatal_[0].text);
    // The disk is well again: nothing is retried.
    allow_commits(*disk_, 100);
    submit(delivery("two"));
    store_->committer().run_once();
    ASSERT_EQ(results_.size(), 2U);
    EXPECT_FALSE(results_[1]);
    EXPECT_FALSE(store_->tend());
}

TEST_F(Commits, Work_that_fails_leaves_no_rows) {
    std::vector<bool> done;
    const auto note = [&](const CommitResult& result) { done.push_back(result.has_value()); };
    store_->committer().submit_work(
        [](Batch& batch) -> Result<> {
            batch.put("ztest", "1");
            return temporary_error(ErrorCode::Stale, "no more");
        },
        note);
    store_->committer().submit_work(
        [](Batch& batch) -> Result<> {
            batch.put("zother", "1");
            return {};
        },
        note);
    store_->committer().run_once();
    EXPECT_EQ(done, (std::vector<bool>{false, true}));
    EXPECT_EQ(store_->kv().get("ztest", ReadTier::Disk).value(), std::nullopt);
    EXPECT_EQ(store_->kv().get("zother", ReadTier::Disk).value(), "1");
}

TEST_F(Commits, Work_that_finds_the_disk_full_ends_all) {
    store_->committer().submit_work(
        [](Batch&) -> Result<> { return internal_error(ErrorCode::DiskFull, "no room"); },
        [](const CommitResult& result) { EXPECT_FALSE(result); });
    store_->committer().run_once();
    ASSERT_EQ(fatal_.size(), 1U);
    submit(delivery("one"));
    store_->committer().run_once();
    ASSERT_EQ(results_.size(), 1U);
    EXPECT_FALSE(results_[0]);
}

TEST_F(Commits, Plan_without_effect_costs_no_commit) {
    const CommitSeq before = store_->committer().last_durable();
    Plan plan;
    ExpungeMessages step;
    step.account = account_;
    step.mailbox = kInbox;
    step.uids = {Uid{77}};
    plan.steps.emplace_back(std::move(step));
    submit(std::move(plan));
    store_->committer().run_once();
    ASSERT_EQ(results_.size(), 1U);
    ASSERT_TRUE(results_[0]);
    EXPECT_EQ(results_[0]->seq, before);
    EXPECT_EQ(store_->committer().last_durable(), before);
}

}  // namespace
}  // namespace godwit::store
