// Backups by administrators' calls, on the machine's files: begun, gone on with, and ended with the
// visit.
#include "app/backup_ground.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "store/backup/verify.h"
#include "store/blob/file.h"
#include "store/folder.h"
#include "store/store_testing.h"

namespace godwit::app {
namespace {

using serve::AdminHost;
using serve::AdminVisit;

namespace fs = std::filesystem;

class BackupCalls : public ::testing::Test {
protected:
    BackupCalls() {
        root_ = (fs::temp_directory_path() / "godwit-backup-XXXXXX").string();
        check(mkdtemp(root_.data()) != nullptr, "no scratch folder");
        store::StoreOptions options;
        store::keep_in_folder(options, root_ + "/data");
        options.on_fatal = [](const Error& error) { FAIL() << error.text; };
        store_ = *store::Store::open(std::move(options), &system_clock(), &random_);
        host_.store = store_.get();
        host_.clock = &system_clock();
        host_.random = &random_;
        host_.default_domain = "example.test";
        host_.backups = backup_ground();
        host_.commit = [this](store::Plan plan) {
            return store::fixture::commit(*store_, std::move(plan), store::CommitDrive::Thread);
        };
        account_ = store::fixture::add_account(*store_, 1, store::CommitDrive::Thread);
        deliver(30000);
    }
    ~BackupCalls() override { fs::remove_all(root_); }

    void deliver(std::size_t size) {
        ASSERT_TRUE(store::fixture::commit(
            *store_, store::fixture::delivery(*store_, account_, random_.bytes(size)),
            store::CommitDrive::Thread));
    }
    std::string ask(AdminVisit& visit, const std::string& call,
                    const std::string& arguments = "{}") {
        return serve::answer_admin(host_, visit,
                                   R"({"call":")" + call + R"(","arguments":)" + arguments + "}");
    }
    /// The code of the error that came, or "done".
    static std::string code(const std::string& line) {
        const auto answer = parse_json(line);
        const JsonValue* error = answer ? answer->find("error") : nullptr;
        return error != nullptr ? error->string_or("code", "") : "done";
    }
    std::string begin(AdminVisit& visit, const std::string& folder) {
        return code(ask(visit, "backup.begin", R"({"folder":")" + folder + R"("})"));
    }
    JsonValue finish(AdminVisit& visit, const std::string& call) {
        for (;;) {
            const auto answer = parse_json(ask(visit, call));
            const JsonValue* result = answer ? answer->find("result") : nullptr;
            if (result == nullptr) {
                ADD_FAILURE() << "no result";
                return {};
            }
            if (result->bool_or("done", false)) {
                return *result;
            }
        }
    }

    std::string root_;
    SeededRandom random_{3};
    std::unique_ptr<store::Store> store_;
    AdminHost host_;
    AccountId account_;
};

TEST_F(BackupCalls, Backup_and_account_restore_by_steps) {
    AdminVisit visit;
    ASSERT_EQ(begin(visit, root_ + "/backup"), "done");
    const JsonValue made = finish(visit, "backup.step");
    ASSERT_NE(made.find("backup"), nullptr);
    EXPECT_EQ(made.find("backup")->int_or("messages", 0), 1);
    const auto report =
        store::verify_backup(&store::system_files(), root_ + "/backup", std::nullopt);
    ASSERT_TRUE(report) << report.error().text;
    EXPECT_TRUE(report->is_good());

    store::Plan plan;
    plan.steps.emplace_back(store::ExpungeMessages{
        .account = account_, .mailbox = store::kInbox, .uids = {Uid(1)}, .only_deleted = false});
    ASSERT_TRUE(host_.commit(std::move(plan)));
    ASSERT_EQ(code(ask(visit, "restore.begin",
                       R"({"folder":")" + root_ + R"(/backup","account":"user1"})")),
              "done");
    const JsonValue back = finish(visit, "restore.step");
    EXPECT_EQ(back.int_or("restored", 0), 1);
    EXPECT_EQ(back.int_or("failed", -1), 0);
}

TEST_F(BackupCalls, Folders_that_are_no_place_for_a_backup_are_refused) {
    AdminVisit visit;
    EXPECT_EQ(begin(visit, root_ + "/data"), "denied");
    EXPECT_EQ(begin(visit, root_ + "/data/blobs/backup"), "denied");
    EXPECT_EQ(begin(visit, root_), "denied") << "it holds the data folder";
    EXPECT_EQ(begin(visit, root_ + "/x/../data"), "denied");
    fs::create_directory_symlink(root_ + "/data", root_ + "/elsewhere");
    EXPECT_EQ(begin(visit, root_ + "/elsewhere/b"), "denied") << "the same folder by a link";
    fs::create_directories(root_ + "/home/photos");
    EXPECT_EQ(begin(visit, root_ + "/home"), "denied") << "somebody's own things";
    EXPECT_EQ(begin(visit, "relative"), "invalid");
    EXPECT_EQ(begin(visit, ""), "invalid");
    EXPECT_TRUE(fs::is_empty(root_ + "/home/photos"));
}

TEST_F(BackupCalls, Disk_of_its_own_is_a_place_for_a_backup) {
    fs::create_directories(root_ + "/disk/lost+found");
    EXPECT_EQ(something_in(root_ + "/disk", {}), std::nullopt);
    AdminVisit visit;
    EXPECT_EQ(begin(visit, root_ + "/disk"), "done");
    fs::create_directories(root_ + "/new/photos");
    EXPECT_EQ(something_in(root_ + "/new", {"LOCK"}), "photos");
    EXPECT_EQ(something_in(root_ + "/nowhere", {}), std::nullopt);
}

TEST_F(BackupCalls, Nobody_else_reads_what_the_engine_writes) {
    const auto others = [](const std::string& path) {
        return fs::status(path).permissions() & (fs::perms::group_all | fs::perms::others_all);
    };
    EXPECT_EQ(others(root_ + "/data/kv"), fs::perms::none);
    EXPECT_EQ(others(root_ + "/data/blobs"), fs::perms::none);
    store_.reset();
    fs::permissions(root_ + "/data/kv", fs::perms(0755));
    store::StoreOptions options;
    store::keep_in_folder(options, root_ + "/data");
    options.on_fatal = [](const Error& error) { FAIL() << error.text; };
    store_ = *store::Store::open(std::move(options), &system_clock(), &random_);
    EXPECT_EQ(others(root_ + "/data/kv"), fs::perms::none) << "an older program made it";
}

TEST_F(BackupCalls, Work_belongs_to_the_visit_that_began_it) {
    {
        AdminVisit visit;
        EXPECT_EQ(code(ask(visit, "backup.step")), "not_found");
        ASSERT_EQ(begin(visit, root_ + "/backup"), "done");
        AdminVisit other;
        EXPECT_EQ(code(ask(other, "backup.step")), "not_found");
        EXPECT_EQ(begin(other, root_ + "/backup"), "unavailable") << "one writer a folder";
    }
    // The visitor went away: nothing of it is left, and the folder is free.
    AdminVisit next;
    ASSERT_EQ(begin(next, root_ + "/backup"), "done");
    finish(next, "backup.step");
}

}  // namespace
}  // namespace godwit::app
