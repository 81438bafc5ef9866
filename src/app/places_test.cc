// Which server a command is meant for.
#include "app/places.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "app/file.h"

namespace godwit::app {
namespace {

class Places : public ::testing::Test {
protected:
    Places()
        : folder_(
              (std::filesystem::temp_directory_path() / ("places-" + std::to_string(::getpid())))
                  .string()) {
        std::filesystem::remove_all(folder_);
        for (const char* name : {"made/data", "bare", "other"}) {
            std::filesystem::create_directories(folder_ + "/" + name);
        }
        write("made/godwit.toml",
              "default_domain = \"made.test\"\ndata_folder = \"" + folder_ + "/made/data\"\n");
        write("bare/mailname", "bare.test\n");
        write("wrong.toml", "hostnam = \"x\"\n");
        ::unsetenv("GODWIT_DIR");
    }
    ~Places() override {
        ::unsetenv("GODWIT_DIR");
        std::filesystem::remove_all(folder_);
    }
    void write(const std::string& name, std::string_view text) const {
        ASSERT_TRUE(write_file(folder_ + "/" + name, text, 0600));
    }
    std::string folder_;
};

TEST_F(Places, dir_is_a_data_folder_or_what_init_made) {
    const auto made = find_server(folder_ + "/made", "");
    ASSERT_TRUE(made);
    EXPECT_EQ(made->data_folder, folder_ + "/made/data");
    EXPECT_EQ(admin_socket(*made), folder_ + "/made/data/admin.sock");
    const auto bare = find_server(folder_ + "/bare", "");
    ASSERT_TRUE(bare);
    EXPECT_EQ(bare->data_folder, folder_ + "/bare");
    EXPECT_EQ(bare->default_domain, "bare.test");
}

TEST_F(Places, dir_beats_config_which_beats_the_environment) {
    ::setenv("GODWIT_DIR", (folder_ + "/other").c_str(), 1);
    const std::string config = folder_ + "/made/godwit.toml";
    EXPECT_EQ(find_server(folder_ + "/bare", config)->data_folder, folder_ + "/bare");
    EXPECT_EQ(find_server("", config)->data_folder, folder_ + "/made/data");
    EXPECT_EQ(find_server("", "")->data_folder, folder_ + "/other");
}

TEST_F(Places, what_is_missing_or_wrong_is_named) {
    const auto missing = find_server(folder_ + "/none", "");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, ErrorCode::NotFound);
    EXPECT_NE(missing.error().text.find(folder_ + "/none"), std::string::npos);
    const auto wrong = find_server("", folder_ + "/wrong.toml");
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().text.find("wrong.toml:1"), std::string::npos);
    EXPECT_NE(wrong.error().text.find("hostname"), std::string::npos);
}

}  // namespace
}  // namespace godwit::app
