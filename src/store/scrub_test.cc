// The scrubber, step by step: all is read, damage is found, remembered and forgotten when mended.
#include "store/scrub.h"

#include <gtest/gtest.h>

#include "store/blob/memory_files.h"
#include "store/kv/record.h"
#include "store/mailbox/keys.h"
#include "store/store_testing.h"

namespace godwit::store {
namespace {

class Scrub : public ::testing::Test {
protected:
    Scrub() {
        StoreOptions options;
        options.files = &files_;
        options.folder = "/data";
        options.drive = CommitDrive::Manual;
        options.disk_low_bytes = options.disk_critical_bytes = options.disk_reserve_bytes = 0;
        options.on_fatal = [](const Error& error) { ADD_FAILURE() << error.text; };
        store_ = *Store::open(std::move(options), &system_clock(), &random_);
        const AccountId account = fixture::add_account(*store_, 1, CommitDrive::Manual);
        for (const std::size_t size : {100U, 20'000U, 700'000U, 300'000U}) {
            commit(fixture::delivery(*store_, account, std::string(size, 'x')));
        }
    }
    void commit(Plan plan) {
        EXPECT_TRUE(fixture::commit(*store_, std::move(plan), CommitDrive::Manual));
    }
    /// One whole pass; gives the number of its steps.
    int pass() {
        ScrubState state = *read_scrub_state(*store_->snapshot(), ReadTier::Disk);
        for (int steps = 1;; ++steps) {
            const ScrubStep step = *scrub_step(store_->kv(), store_->blobs(), state, now_);
            EXPECT_LE(step.octets, scrub_step_octets + 800'000);
            commit(plan_scrub(step));
            // As a new process would.
            state = *read_scrub_state(*store_->snapshot(), ReadTier::Disk);
            EXPECT_EQ(state, step.state);
            if (!state.is_under_way) {
                return steps;
            }
        }
    }
    ScrubState state() { return *read_scrub_state(*store_->snapshot(), ReadTier::Disk); }
    std::vector<Damaged> damaged() { return *read_damaged(*store_->snapshot(), ReadTier::Disk); }

    MemoryFiles files_;
    SeededRandom random_{5};
    std::unique_ptr<Store> store_;
    WallTime now_ = WallTime{} + std::chrono::days(20'000);
};

/// Reads of `inner`, the first `failing` of which end with an I/O error.
class FailingReads final : public BlobStore {
public:
    FailingReads(BlobStore* inner, int failing) : inner_(inner), failing_(failing) {}
    [[nodiscard]] Result<std::string> read(const BlobId& id, std::uint64_t offset,
                                           std::uint64_t length, ReadTier tier) const override {
        if (failing_ > 0) {
            --failing_;
            return temporary_error(ErrorCode::Io, "read: Input/output error");
        }
        return inner_->read(id, offset, length, tier);
    }
    [[nodiscard]] Result<std::uint64_t> size(const BlobId& id, ReadTier tier) const override {
        return inner_->size(id, tier);
    }
    std::unique_ptr<BlobWriter> writer() override { return inner_->writer(); }
    Result<Staged> stage(NewBody body, Batch& batch) override {
        return inner_->stage(std::move(body), batch);
    }
    Result<> mend(NewBody body, Batch& batch) override {
        return inner_->mend(std::move(body), batch);
    }
    Result<> stage_removal(const BlobId& id, Batch& batch) override {
        return inner_->stage_removal(id, batch);
    }
    Result<bool> sync(Batch& batch) override { return inner_->sync(batch); }
    void committed(CommitSeq seq) override { inner_->committed(seq); }
    Result<TendStep> tend(MonoTime now, std::uint64_t bytes_max) override {
        return inner_->tend(now, bytes_max);
    }
    SegmentHold hold_segments() override { return inner_->hold_segments(); }

private:
    BlobStore* inner_;
    mutable int failing_;
};

TEST_F(Scrub, what_reads_the_second_time_is_not_damaged) {
    const FailingReads once(&store_->blobs(), 1);
    EXPECT_TRUE(scrub_step(store_->kv(), once, state(), now_)->found.empty());
    const FailingReads twice(&store_->blobs(), 2);
    EXPECT_EQ(scrub_step(store_->kv(), twice, state(), now_)->found.size(), 1U);
}

TEST_F(Scrub, a_pass_reads_all_in_small_steps) {
    EXPECT_TRUE(is_scrub_due(state(), now_));
    EXPECT_GE(pass(), 2);
    EXPECT_EQ(state().last_bodies, 4U);
    EXPECT_EQ(state().last_damaged, 0U);
    EXPECT_EQ(state().last_end, now_);
    EXPECT_FALSE(is_scrub_due(state(), now_ + scrub_every - std::chrono::hours(1)));
    EXPECT_TRUE(is_scrub_due(state(), now_ + scrub_every));
    EXPECT_TRUE(is_scrub_due(state(), now_ - std::chrono::hours(1)));
    commit(plan_scrub_request(state()));
    EXPECT_TRUE(is_scrub_due(state(), now_));
    pass();
    EXPECT_FALSE(is_scrub_due(state(), now_));
}

TEST_F(Scrub, damage_is_remembered_until_it_is_mended) {
    const std::string path = "/data/blobs/seg-00000001";
    const std::string whole = files_.content(path);
    std::string octets = whole;
    octets.at(10'000) = 'y';
    files_.set_content(path, octets);
    const std::string row = account_prefix(Family::AccountHead, AccountId(1));
    const std::string value = **store_->kv().get(row, ReadTier::Disk);
    Batch batch;
    batch.put(row, "garbage");
    ASSERT_TRUE(store_->kv().commit(batch));
    pass();
    EXPECT_EQ(state().last_damaged, 2U);
    ASSERT_EQ(damaged().size(), 2U);
    EXPECT_EQ(damaged()[0].key, row);
    EXPECT_EQ(damaged()[1].key, blob_location_key({sha256(std::string(20'000, 'x'))}));
    EXPECT_NE(damaged()[1].error.find("seg-00000001"), std::string::npos) << damaged()[1].error;
    EXPECT_EQ(damaged()[1].found, now_);
    // Found again, remembered once.
    pass();
    EXPECT_EQ(damaged().size(), 2U);
    files_.set_content(path, whole);
    Batch mended;
    mended.put(row, value);
    ASSERT_TRUE(store_->kv().commit(mended));
    pass();
    EXPECT_EQ(state().last_damaged, 0U);
    EXPECT_TRUE(damaged().empty());
}

}  // namespace
}  // namespace godwit::store
