// What imports and exports make of files and names.
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "app/export_file.h"
#include "app/import_desk.h"
#include "app/maildir_source.h"
#include "app/mbox_names.h"
#include "app/move_report.h"
#include "app/source_file.h"
#include "app/spool.h"

namespace godwit::app {
namespace {

std::string drain(Spool& spool) {
    std::string out;
    for (;;) {
        const auto piece = spool.next();
        EXPECT_TRUE(piece);
        if (!piece || piece->empty()) {
            return out;
        }
        out.append(*piece);
    }
}

TEST(Spool, What_goes_in_comes_out_as_often_as_is_asked) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, spool_memory_max - 1,
                                   spool_memory_max, spool_memory_max + 1, 3 * spool_memory_max}) {
        std::string text(size, '\0');
        for (std::size_t i = 0; i < size; ++i) {
            text[i] = static_cast<char>('a' + i % 23);
        }
        Spool spool;
        for (std::size_t at = 0; at < size; at += 50'001) {
            ASSERT_TRUE(spool.append(std::string_view(text).substr(at, 50'001)));
        }
        EXPECT_EQ(spool.size(), size);
        EXPECT_EQ(drain(spool), text);
        EXPECT_EQ(drain(spool), text);
    }
}

TEST(MboxNames, Every_folder_has_a_file_of_its_own_and_is_read_back) {
    for (const std::string folder : {"INBOX", "Work/2024", "a.mbox/b", "..", "a%2Eb", "a\\b",
                                     "Gr\xC3\xBC\xC3\x9F"
                                     "e"}) {
        EXPECT_EQ(mbox_folder(mbox_path(folder)), folder);
    }
    EXPECT_EQ(mbox_path("Work/2024"), "Work/2024.mbox");
    EXPECT_EQ(mbox_path(".."), "%2e%2e.mbox");
    EXPECT_EQ(mbox_folder("old mail"), "old mail");
    EXPECT_EQ(mbox_folder("a%.mbox"), "a%");
    EXPECT_EQ(mbox_folder("a%2.mbox"), "a%2");
}

TEST(FileNames, Longest_stays_and_longer_ones_are_told_apart) {
    EXPECT_EQ(file_name_of(std::string(254, 'a')), std::string(254, 'a'));
    EXPECT_EQ(file_name_of(std::string(255, 'a')), std::string(255, 'a'));
    const std::string longer = file_name_of(std::string(256, 'a'));
    EXPECT_EQ(longer.size(), 217U);
    EXPECT_NE(longer, file_name_of(std::string(256, 'a') + "b"));
    std::string umlauts = "a";
    for (int i = 0; i < 200; ++i) {
        umlauts.append("\xC3\xBC");
    }
    EXPECT_EQ(file_name_of(umlauts)[199], '~');
}

TEST(FolderRules, Roles_come_by_word_then_source_then_name) {
    FolderRules rules;
    rules.roles["Out"] = "\\Sent";
    rules.roles["Trash"] = "";
    EXPECT_EQ(rules.role_of("Out", "\\Junk"), "\\Sent");
    EXPECT_EQ(rules.role_of("Trash", "\\Trash"), "");
    EXPECT_EQ(rules.role_of("Papierkorb", "\\Trash"), "\\Trash");
    EXPECT_EQ(rules.role_of("Sent Items", ""), "\\Sent");
    EXPECT_EQ(rules.role_of("INBOX/SPAM", ""), "\\Junk");
    EXPECT_EQ(rules.role_of("Work/Sent", ""), "");
}

TEST(Origin, Parts_do_not_run_into_each_other) {
    EXPECT_EQ(origin_of("a", "b", "c").size(), 16U);
    EXPECT_EQ(origin_of("a", "b", "c"), origin_of("a", "b", "c"));
    EXPECT_NE(origin_of("a", "b", "c"), origin_of("ab", "", "c"));
    EXPECT_NE(origin_of("a", "b", "c"), origin_of("a", "bc", ""));
}

TEST(ProgressBar, Is_full_when_all_is_done_and_never_fuller) {
    EXPECT_EQ(progress_bar(0, 0), "[..............................]   0 % 0 of 0");
    EXPECT_EQ(progress_bar(1, 2), "[###############...............]  50 % 1 of 2");
    EXPECT_EQ(progress_bar(2, 2), "[##############################] 100 % 2 of 2");
    EXPECT_EQ(progress_bar(3, 2), "[##############################] 100 % 3 of 2");
}

class Maildirs : public ::testing::Test {
protected:
    Maildirs() {
        root_ = (std::filesystem::temp_directory_path() /
                 ("godwit-maildir-" + std::to_string(::getpid())))
                    .string();
        std::filesystem::remove_all(root_);
        make("");
    }
    ~Maildirs() override { std::filesystem::remove_all(root_); }
    void make(const std::string& folder) {
        std::filesystem::create_directories(root_ + folder + "/cur");
        std::filesystem::create_directories(root_ + folder + "/new");
    }
    void write(const std::string& file, const std::string& text) {
        std::ofstream(root_ + file, std::ios::binary) << text;
    }
    std::vector<std::string> names() {
        std::vector<std::string> out;
        for (const MaildirFolder& folder : *list_maildir(root_)) {
            out.push_back(folder.name);
        }
        return out;
    }
    std::string root_;
};

TEST_F(Maildirs, Folders_of_both_layouts_are_found) {
    make("/.Work.Two");
    make("/.R&APw-ck");
    make("/.a\\2eb");
    make("/Deep/Nested.er");
    std::filesystem::create_directories(root_ + "/.nothing");
    EXPECT_EQ(names(), (std::vector<std::string>{"INBOX", "Deep/Nested.er",
                                                 "R\xC3\xBC"
                                                 "ck",
                                                 "Work/Two", "a.b"}));
    EXPECT_FALSE(list_maildir(root_ + "/Deep"));
}

TEST_F(Maildirs, Nesting_ends_at_its_bound) {
    std::string path;
    for (std::size_t i = 0; i < maildir_depth_max + 1; ++i) {
        path.append("/d");
    }
    make(path);
    EXPECT_EQ(names().size(), 1U);
    make(path.substr(2));
    EXPECT_EQ(names().size(), 2U);
}

TEST_F(Maildirs, Files_come_in_the_order_of_uids_then_of_names) {
    write("/cur/3.c:2,S", "x");
    write("/cur/1.a:2,", "x");
    write("/new/2.b", "x");
    write("/cur/.hidden", "x");
    write("/dovecot-uidlist", "3 V9 N12 G0\n11 :1.a\n7 Pmine :3.c\nnonsense\n");
    const auto content = *read_maildir(root_);
    ASSERT_EQ(content.files.size(), 3U);
    EXPECT_EQ(content.files[0].file, "cur/3.c:2,S");
    EXPECT_EQ(content.files[0].unique_id, "mine");
    EXPECT_EQ(content.files[1].uid, 11U);
    EXPECT_EQ(content.files[2].file, "new/2.b");
    EXPECT_EQ(content.uid_validity, 9U);
    EXPECT_EQ(content.uid_next, 12U);
}

TEST_F(Maildirs, Subscriptions_of_both_versions_are_read) {
    write("/subscriptions", "Work.Two\nINBOX\n");
    EXPECT_EQ(maildir_subscriptions(root_), (std::vector<std::string>{"Work/Two", "INBOX"}));
    write("/subscriptions", "V\t2\n\nWork\tT.wo\n");
    EXPECT_EQ(maildir_subscriptions(root_).back(), "Work/T.wo");
}

TEST_F(Maildirs, File_that_went_away_is_said_to_be_gone) {
    EXPECT_EQ(read_maildir_file(root_ + "/cur/none").error().code, ErrorCode::NotFound);
    write("/cur/one", "a\nb");
    auto read = read_maildir_file(root_ + "/cur/one");
    ASSERT_TRUE(read);
    EXPECT_EQ(drain(read->octets), "a\r\nb");
}

TEST_F(Maildirs, Links_and_what_is_no_file_are_not_read) {
    write("/secret", "a secret");
    write("/cur/1.file", "mail");
    std::filesystem::create_symlink(root_ + "/secret", root_ + "/cur/2.link");
    ASSERT_EQ(::mkfifo((root_ + "/cur/3.fifo").c_str(), 0600), 0);
    std::filesystem::create_directories(root_ + "/cur/4.folder");
    ASSERT_EQ(::mkfifo((root_ + "/dovecot-uidlist").c_str(), 0600), 0);
    ASSERT_EQ(::mkfifo((root_ + "/subscriptions").c_str(), 0600), 0);
    EXPECT_EQ(read_maildir(root_)->files.size(), 4U);
    EXPECT_TRUE(maildir_subscriptions(root_).empty());
    EXPECT_TRUE(read_maildir_file(root_ + "/cur/1.file"));
    for (const char* const name : {"/cur/2.link", "/cur/3.fifo", "/cur/4.folder"}) {
        EXPECT_EQ(read_maildir_file(root_ + name).error().code, ErrorCode::Denied) << name;
    }
}

TEST_F(Maildirs, Folders_behind_links_are_told_and_not_read) {
    make("/Other/.Mail");
    write("/Other/.Mail/cur/1.file", "not his");
    make("/.Half");
    std::filesystem::remove(root_ + "/.Half/new");
    std::filesystem::create_directory_symlink(root_ + "/Other/.Mail/cur", root_ + "/.Half/new");
    std::filesystem::create_directory_symlink(root_ + "/Other/.Mail", root_ + "/.Link");
    std::filesystem::create_directory_symlink(root_, root_ + "/Loop");
    EXPECT_EQ(names(), (std::vector<std::string>{"INBOX", "Half", "Link", "Loop"}));
    for (const char* const folder : {"/.Half", "/.Link", "/Loop"}) {
        EXPECT_EQ(read_maildir(root_ + folder).error().code, ErrorCode::Denied) << folder;
    }
    EXPECT_FALSE(read_maildir_file(root_ + "/.Link/cur/1.file"));
}

TEST_F(Maildirs, Lines_of_the_list_are_bounded) {
    constexpr std::size_t kMax = 4096;
    for (const std::size_t size : {kMax - 1, kMax, kMax + 1, 40 * kMax}) {
        write("/lines", std::string(size, 'x') + "\nb\n\nend");
        SourceLines lines(*SourceFile::open(root_ + "/lines"), kMax);
        std::vector<std::size_t> sizes;
        for (std::string line; lines.next(line);) {
            sizes.push_back(line.size());
        }
        std::vector<std::size_t> expected{1, 0, 3};
        if (size <= kMax) {
            expected.insert(expected.begin(), size);
        }
        EXPECT_EQ(sizes, expected) << size;
    }
}

}  // namespace
}  // namespace godwit::app
