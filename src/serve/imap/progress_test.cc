#include "serve/imap/progress.h"

#include <gtest/gtest.h>

namespace godwit::serve::imap_desk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const MonoTime kBegin = MonoTime{} + seconds(100);

TEST(Progress, is_told_every_ten_seconds_and_not_before) {
    Progress progress;
    progress.begin("A001", kBegin);
    EXPECT_EQ(progress.due(1, 100, kBegin), std::nullopt);
    EXPECT_EQ(progress.due(1, 100, kBegin + seconds(10) - milliseconds(1)), std::nullopt);
    EXPECT_EQ(progress.due(42, 100, kBegin + seconds(10)), "INPROGRESS (\"A001\" 42 100)");
    EXPECT_EQ(progress.due(43, 100, kBegin + seconds(19)), std::nullopt);
    EXPECT_EQ(progress.due(44, 100, kBegin + seconds(20)), "INPROGRESS (\"A001\" 44 100)");
    progress.begin("A002", kBegin + seconds(25));
    EXPECT_EQ(progress.due(1, 9, kBegin + seconds(34)), std::nullopt);
    EXPECT_EQ(progress.due(0, 9, kBegin + seconds(35)), "INPROGRESS (\"A002\" 0 9)");
}

TEST(Progress, never_reaches_its_goal) {
    Progress progress;
    progress.begin("a", kBegin);
    EXPECT_EQ(progress.due(99, 100, kBegin + seconds(10)), "INPROGRESS (\"a\" 99 100)");
    EXPECT_EQ(progress.due(100, 100, kBegin + seconds(20)), "INPROGRESS (\"a\" 99 100)");
    EXPECT_EQ(progress.due(101, 100, kBegin + seconds(30)), "INPROGRESS (\"a\" 99 100)");
    EXPECT_EQ(progress.due(1, 1, kBegin + seconds(40)), "INPROGRESS (\"a\" 0 1)");
}

TEST(Progress, of_several_parts_is_per_cent_of_the_whole) {
    Progress progress;
    progress.begin("a", kBegin);
    progress.divide(2);
    EXPECT_EQ(progress.due(500, 1000, kBegin + seconds(10)), "INPROGRESS (\"a\" 25 100)");
    progress.enter_part(1);
    EXPECT_EQ(progress.due(0, 7, kBegin + seconds(20)), "INPROGRESS (\"a\" 50 100)");
    EXPECT_EQ(progress.due(7, 7, kBegin + seconds(30)), "INPROGRESS (\"a\" 92 100)");
    progress.begin("b", kBegin + seconds(30));
    EXPECT_EQ(progress.due(3, 7, kBegin + seconds(40)), "INPROGRESS (\"b\" 3 7)");
}

TEST(Progress, without_a_goal_names_the_tag_alone) {
    Progress progress;
    progress.begin("a", kBegin);
    progress.divide(0);
    EXPECT_EQ(progress.due(5, 10, kBegin + seconds(10)), "INPROGRESS (\"a\" NIL NIL)");
    progress.begin("b", kBegin);
    EXPECT_EQ(progress.due(0, 0, kBegin + seconds(10)), "INPROGRESS (\"b\" NIL NIL)");
}

TEST(Progress, of_a_command_that_is_done_is_not_told) {
    Progress progress;
    progress.begin("a", kBegin);
    progress.end();
    EXPECT_EQ(progress.due(5, 10, kBegin + std::chrono::hours(1)), std::nullopt);
}

TEST(Progress, tag_that_would_end_the_code_is_left_out) {
    Progress progress;
    progress.begin("a]b", kBegin);
    EXPECT_EQ(progress.due(5, 10, kBegin + seconds(10)), "INPROGRESS (NIL 5 10)");
}

}  // namespace
}  // namespace godwit::serve::imap_desk
