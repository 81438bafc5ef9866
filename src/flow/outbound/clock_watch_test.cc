#include "flow/outbound/clock_watch.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;

class ClockWatches : public ::testing::Test {
protected:
    bool after(Duration time, Duration leap = {}) {
        mono_ += time;
        wall_ += time + leap;
        return watch_.look(wall_, mono_);
    }
    ClockWatch watch_;
    WallTime wall_ = from_unix_seconds(1'800'000'000);
    MonoTime mono_{hours(7)};
};

TEST_F(ClockWatches, is_trusted_an_hour_after_the_first_look) {
    EXPECT_FALSE(after(microseconds(0)));
    EXPECT_FALSE(after(clock_trust_after - microseconds(1)));
    EXPECT_TRUE(after(microseconds(1)));
}

TEST_F(ClockWatches, a_leap_either_way_takes_the_trust_for_an_hour) {
    after(microseconds(0));
    EXPECT_TRUE(after(clock_trust_after));
    EXPECT_TRUE(after(minutes(1), clock_leap_min - microseconds(1)));
    EXPECT_FALSE(after(minutes(1), clock_leap_min));
    EXPECT_FALSE(after(clock_trust_after - microseconds(1)));
    EXPECT_TRUE(after(microseconds(1)));
    EXPECT_FALSE(after(minutes(1), -clock_leap_min));
    EXPECT_TRUE(after(clock_trust_after));
}

}  // namespace
}  // namespace godwit::flow
