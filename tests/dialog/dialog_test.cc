// Every dialog script of tests/dialog, as a test of its own: played whole, byte by byte, and with
// the k-th I/O step failing for k = 1, 2, ... until it passes untouched ("fail the Nth").
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "runner.h"

namespace godwit::dialog {
namespace {

std::vector<std::string> scripts() {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(GODWIT_DIALOGS)) {
        if (entry.path().extension() == ".txt") {
            paths.push_back(entry.path().string());
        }
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
    std::string name = std::filesystem::relative(info.param, GODWIT_DIALOGS).string();
    name = name.substr(0, name.size() - 4);
    std::replace_if(
        name.begin(), name.end(),
        [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
    return name;
}

class Dialog : public testing::TestWithParam<std::string> {};

TEST_P(Dialog, Plays_whole) {
    const PlayResult result = play(GetParam(), {});
    EXPECT_TRUE(result.is_passed) << result.failure;
    EXPECT_TRUE(result.is_alive);
}

TEST_P(Dialog, Plays_byte_by_byte) {
    const PlayResult result =
        play(GetParam(), {.folder = "", .chunk_max = 1, .fail_step = 0, .fail_lookup = 0});
    EXPECT_TRUE(result.is_passed) << result.failure;
}

// "@once" in a script: too large to be replayed a dozen times.
bool is_played_once(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    while (std::getline(file, line)) {
        if (line == "@once") {
            return true;
        }
    }
    return false;
}

// A step that fails may spoil the dialog, never the house: it goes on serving others.
TEST_P(Dialog, Survives_every_failing_step) {
    if (is_played_once(GetParam())) {
        return;
    }
    const PlayResult whole = play(GetParam(), {});
    // Long dialogs are sampled: at most about a dozen plays each.
    const std::uint64_t stride = std::max<std::uint64_t>(1, whole.steps / 12);
    for (std::uint64_t k = 1; k <= whole.steps; k += stride) {
        const PlayResult result = play(
            GetParam(), {.folder = "", .chunk_max = SIZE_MAX, .fail_step = k, .fail_lookup = 0});
        ASSERT_TRUE(result.is_alive) << "after failing step " << k << ": " << result.failure;
    }
    for (std::uint64_t k = 1; k <= whole.lookups; ++k) {
        const PlayResult result = play(
            GetParam(), {.folder = "", .chunk_max = SIZE_MAX, .fail_step = 0, .fail_lookup = k});
        ASSERT_TRUE(result.is_alive) << "after failing look-up " << k << ": " << result.failure;
    }
}

INSTANTIATE_TEST_SUITE_P(Scripts, Dialog, testing::ValuesIn(scripts()), test_name);

}  // namespace
}  // namespace godwit::dialog
