// Opening and closing the cellars, ids, and a process that is killed while it delivers.
#include "store/store.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

#include "base/bytes.h"
#include "store/folder.h"
#include "store/fsck.h"
#include "store/kv/meta.h"
#include "store/store_testing.h"

extern char** environ;

namespace godwit::store {
namespace {

class Folder {
public:
    Folder() {
        name_ = (std::filesystem::temp_directory_path() / "godwit-store-XXXXXX").string();
        check(mkdtemp(name_.data()) != nullptr, "no scratch folder");
    }
    ~Folder() { std::filesystem::remove_all(name_); }
    [[nodiscard]] const std::string& name() const { return name_; }

private:
    std::string name_;
};

Result<std::unique_ptr<Store>> open(const std::string& folder) {
    StoreOptions options;
    keep_in_folder(options, folder);
    options.on_fatal = [](const Error& error) { check_failed("store", error.text.c_str(), "", 0); };
    return Store::open(std::move(options), &system_clock(), &system_random());
}

TEST(Store, Message_is_there_after_reopening) {
    const Folder folder;
    const std::string body(70000, 'b');
    AccountId account;
    {
        auto store = open(folder.name());
        ASSERT_TRUE(store) << store.error().text;
        account = fixture::add_account(**store, 1, CommitDrive::Thread);
        ASSERT_TRUE(fixture::commit(**store, fixture::delivery(**store, account, body),
                                    CommitDrive::Thread));
    }
    auto store = open(folder.name());
    ASSERT_TRUE(store) << store.error().text;
    const auto rows = read_rows(*(*store)->snapshot(), ReadTier::Disk, account, kInbox, Uid{1}, 10);
    ASSERT_TRUE(rows);
    EXPECT_EQ(rows->size(), 1U);
    EXPECT_EQ((*store)->blobs().read({sha256(body)}, 0, body.size(), ReadTier::Disk).value(), body);
    EXPECT_EQ((*store)->blobs().read({sha256(body)}, 0, body.size(), ReadTier::Cached).value(),
              body);
    EXPECT_TRUE((*store)->has_room_for_mail());
}

TEST(Store, Second_process_is_told_who_holds_the_folder) {
    const Folder folder;
    const auto first = open(folder.name());
    ASSERT_TRUE(first);
    const auto second = open(folder.name());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::Unavailable);
    EXPECT_NE(second.error().text.find(std::to_string(::getpid())), std::string::npos);
}

// A crash on a full disk: the next start has the reserve to open with.
TEST(Store, Reserve_is_let_go_before_the_engine_opens_on_a_full_disk) {
    const Folder folder;
    const std::string reserve = folder.name() + "/RESERVE";
    const auto open_with = [&](std::uint64_t free, std::uint64_t free_without_reserve) {
        StoreOptions options;
        keep_in_folder(options, folder.name());
        options.on_fatal = [](const Error&) {};
        options.free_space = [=] {
            return std::filesystem::exists(reserve) ? free : free_without_reserve;
        };
        return Store::open(std::move(options), &system_clock(), &system_random());
    };
    constexpr std::uint64_t kMib = 1024 * 1024;
    {
        const auto store = open_with(1000 * kMib, 1000 * kMib);
        ASSERT_TRUE(store);
        EXPECT_TRUE((*store)->has_room_for_mail());
        EXPECT_TRUE(std::filesystem::exists(reserve));
    }
    const auto full = open_with(0, 16 * kMib - 1);
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, ErrorCode::DiskFull);
    EXPECT_FALSE(std::filesystem::exists(reserve));
    EXPECT_TRUE(open_with(0, 16 * kMib));
}

TEST(Store, Newer_format_is_refused) {
    auto disk = make_memory_kv_disk();
    Batch batch;
    batch.put(format_key(), encode(FormatRow{.version = 9, .lowest_reader = 8, .store = 1}));
    ASSERT_TRUE(make_memory_kv(disk)->commit(batch));
    StoreOptions options;
    options.memory_disk = disk;
    options.on_fatal = [](const Error&) {};
    SeededRandom random(1);
    const auto opened = Store::open(std::move(options), &system_clock(), &random);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::Unsupported);
    EXPECT_NE(opened.error().text.find("newer program"), std::string::npos);
}

TEST(Store, Mail_ids_are_never_given_twice) {
    auto disk = make_memory_kv_disk();
    std::set<std::uint64_t> given;
    std::size_t count = 0;
    for (int life = 0; life < 4; ++life) {
        StoreOptions options;
        options.memory_disk = disk;
        options.drive = CommitDrive::Manual;
        options.on_fatal = [](const Error&) {};
        SeededRandom random(1);
        auto store = Store::open(std::move(options), &system_clock(), &random).value();
        for (int i = 0; i < 25000; ++i, ++count) {
            given.insert(store->next_mail_id().value());
            if (i % 100 == 0) {
                store->committer().run_once();
            }
        }
        allow_commits(*disk, 0);  // What is pending is lost: a crash.
        store.reset();
        allow_commits(*disk, 1000);
    }
    EXPECT_EQ(given.size(), count);
}

constexpr const char* kChildFolder = "GODWIT_STORE_TEST_FOLDER";
constexpr int kLedger = 100;  // A descriptor above those that the test program has open.

// The process that is killed: delivers from four threads and writes to its ledger the seed of each
// body whose receipt came. Nothing but for the parent below.
TEST(StoreKilled, Delivers_until_it_is_killed) {
    const char* folder = std::getenv(kChildFolder);
    if (folder == nullptr) {
        return;
    }
    auto store = open(folder);
    ASSERT_TRUE(store) << store.error().text;
    const auto has = find_account(*(*store)->snapshot(), ReadTier::Disk, "user1@example.test", "");
    ASSERT_TRUE(has);
    const AccountId account =
        *has ? (*has)->id : fixture::add_account(**store, 1, CommitDrive::Thread);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (;;) {
                const std::uint64_t seed = system_random().u64();
                SeededRandom random(seed);
                const std::string body =
                    random.bytes(random.below(seed % 50 == 0 ? 1500000 : 9000));
                const auto done = fixture::commit(
                    **store, fixture::delivery(**store, account, body), CommitDrive::Thread);
                check(done.has_value(), "delivery failed");
                check(::write(kLedger, &seed, sizeof seed) == sizeof seed, "no ledger");
            }
        });
    }
    threads.front().join();
}

std::set<std::uint64_t> run_and_kill(const std::string& folder, int acknowledged) {
    int ends[2];
    check(::pipe(ends) == 0, "no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_adddup2(&actions, ends[1], kLedger);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    std::string arguments[] = {"test_store",
                               "--gtest_filter=StoreKilled.Delivers_until_it_is_killed"};
    char* argv[] = {arguments[0].data(), arguments[1].data(), nullptr};
    ::setenv(kChildFolder, folder.c_str(), 1);
    pid_t child = 0;
    check(::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, argv, environ) == 0,
          "no child");
    posix_spawn_file_actions_destroy(&actions);
    ::unsetenv(kChildFolder);
    ::close(ends[1]);
    std::string ledger;
    char octets[4096];
    bool is_killed = false;
    for (ssize_t size = 0; (size = ::read(ends[0], octets, sizeof octets)) > 0;) {
        ledger.append(octets, static_cast<std::size_t>(size));
        if (!is_killed && ledger.size() > static_cast<std::size_t>(acknowledged) * 8) {
            is_killed = ::kill(child, SIGKILL) == 0;
        }
    }
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    std::set<std::uint64_t> seeds;
    for (std::size_t at = 0; at + 8 <= ledger.size(); at += 8) {
        std::uint64_t seed = 0;
        __builtin_memcpy(&seed, ledger.data() + at, 8);
        seeds.insert(seed);
    }
    return seeds;
}

TEST(StoreKilled, Loses_nothing_it_acknowledged) {
    const Folder folder;
    std::set<std::uint64_t> acknowledged;
    for (int life = 0; life < 3; ++life) {
        acknowledged.merge(run_and_kill(folder.name(), 60));
        auto store = open(folder.name());
        ASSERT_TRUE(store) << store.error().text;
        for (const std::uint64_t seed : acknowledged) {
            SeededRandom random(seed);
            const std::string body = random.bytes(random.below(seed % 50 == 0 ? 1500000 : 9000));
            const auto got =
                (*store)->blobs().read({sha256(body)}, 0, body.size() + 1, ReadTier::Disk);
            ASSERT_TRUE(got) << got.error().text;
            ASSERT_TRUE(*got == body);
        }
        for (const FsckFinding& finding : fsck(**store, {}).value()) {
            EXPECT_EQ(finding.violations, 0U)
                << finding.invariant << ": "
                << (finding.examples.empty() ? "" : finding.examples.front());
        }
    }
    EXPECT_GE(acknowledged.size(), 150U);
}

}  // namespace
}  // namespace godwit::store
