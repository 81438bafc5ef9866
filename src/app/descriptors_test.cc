#include "app/descriptors.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace godwit::app {
namespace {

DescriptorNeeds usual(std::uint64_t limit) {
    return {.limit = limit, .listeners = 7, .shards = 2, .has_resolver = true};
}

TEST(Descriptors, the_usual_limit_serves_all_the_connections_of_the_settings) {
    const auto plan = plan_descriptors(usual(65536));
    ASSERT_TRUE(plan);
    EXPECT_GE(plan->connections, limits::connections_max);
    EXPECT_EQ(plan->key_files, 256);
    EXPECT_EQ(plan->body_files, limits::blob_open_files_max);
}

// Whoever comes, with a body each, the store's own files fit.
TEST(Descriptors, what_the_store_needs_is_kept_from_connections) {
    for (std::uint64_t limit = 164; limit <= 5000; ++limit) {
        const auto plan = plan_descriptors(usual(limit));
        ASSERT_TRUE(plan) << limit << plan.error().text;
        EXPECT_GE(plan->connections, 8U);
        EXPECT_LT(plan->connections, static_cast<std::uint32_t>(plan->sockets_below));
        EXPECT_LE(static_cast<std::uint64_t>(plan->sockets_below) + plan->connections +
                      static_cast<std::uint64_t>(plan->key_files) + plan->body_files + 16,
                  limit);
    }
}

TEST(Descriptors, too_few_are_refused_with_the_number_needed) {
    const auto plan = plan_descriptors(usual(64));
    ASSERT_FALSE(plan);
    EXPECT_NE(plan.error().text.find("may open 64 files"), std::string::npos);
    EXPECT_NE(plan.error().text.find("needs 156"), std::string::npos) << plan.error().text;
}

TEST(Descriptors, no_limit_is_no_harm) {
    EXPECT_TRUE(plan_descriptors(usual(~std::uint64_t{0})));
}

}  // namespace
}  // namespace godwit::app
