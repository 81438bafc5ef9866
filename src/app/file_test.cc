// Small whole files.
#include "app/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace godwit::app {
namespace {

class Files : public ::testing::Test {
protected:
    Files()
        : folder_(std::filesystem::temp_directory_path() /
                  ("files-" + std::to_string(::getpid()))) {
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
    }
    ~Files() override { std::filesystem::remove_all(folder_); }
    [[nodiscard]] std::string at(const std::string& name) const {
        return (folder_ / name).string();
    }
    static unsigned mode(const std::string& path) {
        struct stat facts{};
        return ::stat(path.c_str(), &facts) == 0 ? facts.st_mode & 0777U : 0;
    }
    std::filesystem::path folder_;
};

TEST_F(Files, what_is_written_is_read_with_its_mode_whatever_the_mask) {
    const mode_t before = ::umask(0077);
    ASSERT_TRUE(write_file(at("a"), "one", 0644));
    ASSERT_TRUE(make_folder(at("d/e"), 0711));
    ::umask(before);
    EXPECT_EQ(*read_file(at("a"), 3), "one");
    EXPECT_EQ(mode(at("a")), 0644U);
    EXPECT_EQ(mode(at("d/e")), 0711U);
}

TEST_F(Files, a_file_is_replaced_whole_and_leaves_nothing_beside_it) {
    ASSERT_TRUE(write_file(at("a"), "one", 0600));
    ASSERT_TRUE(write_file(at("a.new"), "left by a crash", 0600));
    ASSERT_TRUE(write_file(at("a"), "two", 0640));
    EXPECT_EQ(*read_file(at("a"), 10), "two");
    EXPECT_EQ(mode(at("a")), 0640U);
    EXPECT_FALSE(file_exists(at("a.new")));
}

TEST_F(Files, errors_name_the_file_and_the_reason) {
    const auto missing = read_file(at("none"), 10);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, ErrorCode::NotFound);
    EXPECT_NE(missing.error().text.find(at("none")), std::string::npos);
    ASSERT_TRUE(write_file(at("a"), "12345", 0600));
    const auto large = read_file(at("a"), 4);
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().code, ErrorCode::LimitExceeded);
    EXPECT_FALSE(write_file(at("no/such/folder"), "x", 0600));
    const auto in_the_way = make_folder(at("a"), 0755);
    ASSERT_FALSE(in_the_way);
    EXPECT_NE(in_the_way.error().text.find(at("a")), std::string::npos);
}

}  // namespace
}  // namespace godwit::app
