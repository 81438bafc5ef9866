// Bodies in files over files in memory: what is staged is read back, what is removed goes away, and
// after any power loss all that was committed is there.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/crypto.h"
#include "base/limits.h"
#include "base/random.h"
#include "store/blob/blob.h"
#include "store/blob/file.h"
#include "store/blob/memory_files.h"
#include "store/kv/key.h"
#include "store/kv/meta.h"

namespace godwit::store {
namespace {

constexpr const char* kFolder = "/data/blobs";

BlobId id_of(std::string_view body) {
    return {sha256(body)};
}

class FileBlobs : public testing::Test {
protected:
    FileBlobs() { open(); }

    void open() {
        blobs_.reset();
        kv_ = make_memory_kv(disk_);
        auto opened = open_file_blob_store(&files_, kFolder, kv_.get());
        ASSERT_TRUE(opened) << opened.error().text;
        blobs_ = std::move(*opened);
        seq_ = load_commit_seq(*kv_).value();
    }
    NewBody write(std::string_view body, std::size_t step = 50000) {
        auto writer = blobs_->writer();
        for (std::size_t at = 0; at < body.size(); at += step) {
            EXPECT_TRUE(writer->append(body.substr(at, step)));
        }
        EXPECT_EQ(writer->size(), body.size());
        auto finished = writer->finish();
        EXPECT_TRUE(finished);
        return *std::move(finished);
    }
    void stage(std::string_view body) { ASSERT_TRUE(blobs_->stage(write(body), batch_)); }
    void sync() { ASSERT_TRUE(blobs_->sync(batch_)); }
    void commit() {
        sync();
        seq_ = CommitSeq(seq_.value() + 1);
        batch_.put(commit_seq_key(), encode_commit_seq(seq_));
        ASSERT_TRUE(kv_->commit(batch_));
        blobs_->committed(seq_);
        batch_.clear();
    }
    void expect_body(const std::string& body) {
        const auto got = blobs_->read(id_of(body), 0, body.size(), ReadTier::Disk);
        ASSERT_TRUE(got) << got.error().text;
        EXPECT_TRUE(*got == body);
        EXPECT_EQ(blobs_->size(id_of(body), ReadTier::Disk).value(), body.size());
    }
    void expect_gone(std::string_view body) {
        const auto got = blobs_->read(id_of(body), 0, 1, ReadTier::Disk);
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, ErrorCode::NotFound);
    }
    void tend(MonoTime now) {
        for (bool is_more = true; is_more;) {
            auto step = blobs_->tend(now, 64 * 1024);
            ASSERT_TRUE(step) << step.error().text;
            is_more = step->is_more_to_do;
            if (step->work) {
                ASSERT_TRUE(step->work(batch_));
                commit();
            }
        }
    }

    MemoryFiles files_;
    std::shared_ptr<MemoryKvDisk> disk_ = make_memory_kv_disk();
    std::unique_ptr<Kv> kv_;
    std::unique_ptr<BlobStore> blobs_;
    Batch batch_;
    CommitSeq seq_;
};

TEST_F(FileBlobs, Bodies_of_all_sizes_come_back_byte_for_byte) {
    SeededRandom random(1);
    std::vector<std::string> bodies;
    for (const std::size_t size : {0UL, 1UL, 4096UL, 4097UL, 65536UL, 262144UL, 262145UL, 700000UL,
                                   1048575UL, 1048576UL, 3000001UL}) {
        bodies.push_back(random.bytes(size));
        stage(bodies.back());
    }
    commit();
    for (int round = 0; round < 2; ++round) {
        for (const std::string& body : bodies) {
            expect_body(body);
            const auto part = blobs_->read(id_of(body), body.size() / 3, 1000, ReadTier::Disk);
            ASSERT_TRUE(part) << part.error().text;
            EXPECT_TRUE(*part == body.substr(body.size() / 3, 1000));
        }
        open();
    }
}

TEST_F(FileBlobs, Small_body_costs_no_sync_of_files) {
    stage(std::string(4096, 'a'));
    const auto synced = blobs_->sync(batch_);
    ASSERT_TRUE(synced);
    EXPECT_FALSE(*synced);
    EXPECT_EQ(files_.syncs(), 0U);
}

TEST_F(FileBlobs, Same_body_is_written_once) {
    const std::string body(100000, 'b');
    stage(body);
    stage(body);
    commit();
    const std::size_t size = files_.content(std::string(kFolder) + "/seg-00000001").size();
    stage(body);
    EXPECT_TRUE(batch_.is_empty());
    commit();
    EXPECT_EQ(files_.content(std::string(kFolder) + "/seg-00000001").size(), size);
}

TEST_F(FileBlobs, Dropped_spool_leaves_no_file) {
    const std::string body(2000000, 'c');
    {
        const NewBody dropped = write(body);
        EXPECT_EQ(files_.list(kFolder).value().size(), 1U);
    }
    EXPECT_TRUE(files_.list(kFolder).value().empty());
    stage(body);
    stage(body);
    commit();
    EXPECT_EQ(files_.list(kFolder).value().size(), 1U);
    expect_body(body);
}

// A plan of many messages holds as many bodies until its commit.
TEST(SpooledBodies, Finished_ones_hold_no_descriptor) {
    std::string folder = (std::filesystem::temp_directory_path() / "godwit-blobs-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    const auto descriptors = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
    };
    {
        const std::unique_ptr<Kv> kv = make_memory_kv(make_memory_kv_disk());
        auto blobs = open_file_blob_store(&system_files(), folder, kv.get());
        ASSERT_TRUE(blobs) << blobs.error().text;
        const auto before = descriptors();
        std::vector<NewBody> held;
        for (const char c : {'a', 'b', 'c'}) {
            const std::unique_ptr<BlobWriter> writer = (*blobs)->writer();
            const std::string body(limits::body_memory_size_max + 1, c);
            ASSERT_TRUE(writer->append(body));
            EXPECT_TRUE(writer->is_spooling());
            held.push_back(writer->finish().value());
        }
        EXPECT_EQ(descriptors(), before);
        Batch batch;
        const BlobId first = held[0].id;
        ASSERT_TRUE((*blobs)->stage(std::move(held[0]), batch));
        ASSERT_TRUE((*blobs)->sync(batch));
        ASSERT_TRUE(kv->commit(batch));
        EXPECT_EQ((*blobs)->size(first, ReadTier::Disk).value(), limits::body_memory_size_max + 1);
    }
    std::filesystem::remove_all(folder);
}

TEST_F(FileBlobs, Past_the_budget_bodies_go_to_files_at_once) {
    std::vector<NewBody> held;
    const std::string body(limits::body_memory_size_max, 'd');
    for (std::size_t i = 0; i < limits::body_memory_total_max / body.size(); ++i) {
        held.push_back(write(body));
        ASSERT_TRUE(std::holds_alternative<std::string>(held.back().content));
    }
    EXPECT_FALSE(std::holds_alternative<std::string>(write("x").content));
    held.clear();
    EXPECT_TRUE(std::holds_alternative<std::string>(write("x").content));
}

TEST_F(FileBlobs, Damage_in_a_segment_is_noticed) {
    const std::string body(200000, 'e');
    stage(body);
    commit();
    const std::string path = std::string(kFolder) + "/seg-00000001";
    std::string content = files_.content(path);
    content[100000] = 'X';
    open();
    files_.set_content(path, content);
    EXPECT_EQ(blobs_->read(id_of(body), 0, body.size(), ReadTier::Disk).error().code,
              ErrorCode::Corrupt);
    EXPECT_TRUE(blobs_->read(id_of(body), 150000, 10, ReadTier::Disk));
}

TEST_F(FileBlobs, Body_that_comes_again_takes_the_place_of_a_damaged_one) {
    const std::string shared(200000, 'p');
    const std::string own(2000000, 'q');
    for (const std::string& body : {shared, own}) {
        stage(body);
    }
    commit();
    for (const char* name : {"/seg-00000001", "/own-80000001"}) {
        std::string content = files_.content(kFolder + std::string(name));
        ASSERT_GT(content.size(), 150000U) << name;
        content[100000] ^= 1;
        files_.set_content(kFolder + std::string(name), content);
    }
    open();
    for (const std::string& body : {shared, own}) {
        EXPECT_EQ(blobs_->stage(write(body), batch_).value(), BlobStore::Staged::Known);
        EXPECT_EQ(blobs_->stage(write(body), batch_).value(), BlobStore::Staged::Known);
    }
    commit();
    for (const std::string& body : {shared, own}) {
        expect_body(body);
        ASSERT_TRUE(blobs_->stage(write(body), batch_));
    }
    EXPECT_TRUE(batch_.is_empty()) << "good copies are left alone";
    commit();
    // The counters hold: the damaged files are dead, and go.
    open();
    MonoTime now{};
    tend(now);
    tend(now + limits::segment_unlink_grace);
    EXPECT_EQ(files_.list(kFolder).value().size(), 2U);
    for (const std::string& body : {shared, own}) {
        expect_body(body);
    }
}

TEST_F(FileBlobs, Damage_that_a_reader_met_is_looked_for_again) {
    const std::string body(200000, 'r');
    stage(body);
    commit();
    stage(body);  // Looked at, and good.
    commit();
    const std::string path = std::string(kFolder) + "/seg-00000001";
    std::string content = files_.content(path);
    content[100000] ^= 1;
    files_.set_content(path, content);
    EXPECT_FALSE(blobs_->read(id_of(body), 0, body.size(), ReadTier::Disk));
    ASSERT_TRUE(blobs_->mend(write(body), batch_));
    commit();
    expect_body(body);
    ASSERT_TRUE(blobs_->mend(write("never stored"), batch_));
    EXPECT_TRUE(batch_.is_empty());
}

TEST_F(FileBlobs, Removed_bodies_free_their_file_after_the_grace_time) {
    const std::string small(10, 'f');
    const std::string middle(50000, 'g');
    const std::string large(2000000, 'h');
    for (const std::string& body : {small, middle, large}) {
        stage(body);
    }
    commit();
    for (const std::string& body : {small, middle, large}) {
        ASSERT_TRUE(blobs_->stage_removal(id_of(body), batch_));
        ASSERT_TRUE(blobs_->stage_removal(id_of(body), batch_));
    }
    commit();
    for (const std::string& body : {small, middle, large}) {
        expect_gone(body);
    }
    open();  // A new segment each start: the old one is no longer appended to.
    MonoTime now{};
    tend(now);
    EXPECT_EQ(files_.list(kFolder).value().size(), 2U);
    now += limits::segment_unlink_grace;
    tend(now);
    EXPECT_TRUE(files_.list(kFolder).value().empty());
    open();
}

// A backup that knows a removed segment by its number must not take a later one for it.
TEST_F(FileBlobs, Numbers_of_removed_segments_do_not_come_again) {
    const std::string middle(50000, 'g');
    const std::string large(2000000, 'h');
    std::set<std::string> seen;
    MonoTime now{};
    for (int life = 0; life < 3; ++life) {
        stage(middle);
        stage(large);
        commit();
        for (const std::string& name : files_.list(kFolder).value()) {
            EXPECT_TRUE(seen.insert(name).second) << name;
        }
        ASSERT_TRUE(blobs_->stage_removal(id_of(middle), batch_));
        ASSERT_TRUE(blobs_->stage_removal(id_of(large), batch_));
        commit();
        open();
        tend(now);
        now += limits::segment_unlink_grace;
        tend(now);
        ASSERT_TRUE(files_.list(kFolder).value().empty());
        open();
    }
    EXPECT_EQ(seen.size(), 6U);
}

TEST_F(FileBlobs, Compaction_moves_what_is_alive_and_nothing_else) {
    SeededRandom random(5);
    std::vector<std::string> bodies;
    for (int i = 0; i < 30; ++i) {
        bodies.push_back(random.bytes(5000 + random.below(60000)));
        stage(bodies.back());
    }
    commit();
    for (std::size_t i = 0; i < bodies.size(); ++i) {
        if (i % 3 != 0) {
            ASSERT_TRUE(blobs_->stage_removal(id_of(bodies[i]), batch_));
        }
    }
    commit();
    open();
    MonoTime now{};
    tend(now);
    tend(now + limits::segment_unlink_grace);
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(files_.list(kFolder).value(), std::vector<std::string>{"seg-00000002"});
        for (std::size_t i = 0; i < bodies.size(); ++i) {
            i % 3 == 0 ? expect_body(bodies[i]) : expect_gone(bodies[i]);
        }
        open();
    }
}

TEST_F(FileBlobs, Body_removed_while_it_was_copied_stays_removed) {
    const std::string kept(60000, 'i');
    const std::string dead(100000, 'j');
    stage(kept);
    stage(dead);
    commit();
    ASSERT_TRUE(blobs_->stage_removal(id_of(dead), batch_));
    commit();
    open();
    auto step = blobs_->tend({}, 1 << 20);
    ASSERT_TRUE(step);
    ASSERT_TRUE(step->work);
    ASSERT_TRUE(blobs_->stage_removal(id_of(kept), batch_));
    ASSERT_TRUE(step->work(batch_));
    commit();
    expect_gone(kept);
}

TEST_F(FileBlobs, Power_loss_keeps_all_that_was_committed) {
    SeededRandom random(6);
    std::map<BlobId, std::string> kept;
    for (int life = 0; life < 40; ++life) {
        const std::uint64_t groups = random.below(5);
        for (std::uint64_t group = 0; group < groups; ++group) {
            std::vector<std::string> bodies;
            for (std::uint64_t i = 0; i <= random.below(4); ++i) {
                bodies.push_back(random.bytes(random.below(i == 3 ? 1500000 : 30000)));
                stage(bodies.back());
            }
            if (!kept.empty() && random.below(3) == 0) {
                ASSERT_TRUE(blobs_->stage_removal(kept.begin()->first, batch_));
                kept.erase(kept.begin());
            }
            commit();
            for (std::string& body : bodies) {
                kept.emplace(id_of(body), std::move(body));
            }
        }
        std::vector<NewBody> under_way;
        under_way.push_back(write(random.bytes(1200000)));
        if (random.below(2) == 0) {
            stage(random.bytes(20000));
            sync();  // And the key commit does not come.
        }
        batch_.clear();
        files_.crash(random);
        open();
        if (HasFailure()) {
            FAIL() << "in life " << life;
        }
        for (const auto& [id, body] : kept) {
            expect_body(body);
        }
    }
}

TEST_F(FileBlobs, Keys_that_lost_a_commit_are_refused) {
    stage(std::string(10000, 'k'));
    commit();
    stage(std::string(20000, 'l'));
    commit();
    stage(std::string(30000, 'm'));
    sync();
    // The keys go back to before the first commit, the files stay.
    disk_ = make_memory_kv_disk();
    kv_ = make_memory_kv(disk_);
    const auto opened = open_file_blob_store(&files_, kFolder, kv_.get());
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::Corrupt);
}

TEST_F(FileBlobs, Files_of_another_store_are_refused) {
    stage(std::string(10000, 'o'));
    commit();
    batch_.put(format_key(), encode(FormatRow{.store = 7}));
    ASSERT_TRUE(kv_->commit(batch_));
    const auto opened = open_file_blob_store(&files_, kFolder, kv_.get());
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::Corrupt);
}

TEST_F(FileBlobs, Segment_that_lost_its_tail_is_refused) {
    stage(std::string(10000, 'n'));
    commit();
    const std::string path = std::string(kFolder) + "/seg-00000001";
    files_.set_content(path, files_.content(path).substr(0, 5000));
    const auto opened = open_file_blob_store(&files_, kFolder, kv_.get());
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::Corrupt);
}

}  // namespace
}  // namespace godwit::store
