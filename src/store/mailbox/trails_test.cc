#include "store/mailbox/trails.h"

#include <gtest/gtest.h>

#include "store/mailbox/keys.h"
#include "store/mailbox/schema.h"

namespace godwit::store {
namespace {

constexpr WallTime kNow = from_unix_seconds(1'800'000'000);

/// Messages 10, 20, ... 100, an hour apart, with two events each.
class Trails : public ::testing::Test {
protected:
    Trails() {
        Batch batch;
        for (std::uint64_t i = 1; i <= 10; ++i) {
            const MailId mail(i * 10);
            const WallTime at = kNow + std::chrono::hours(i);
            const std::string to = "user" + std::to_string(i) + "@example.com";
            batch.put(trace_key(mail, CommitSeq(i), 0),
                      encode(TraceEvent{mail, at, "accepted",
                                        R"({"from":"A@Example.test","to":[")" + to +
                                            R"("],"message_id":"<id)" + std::to_string(i) +
                                            R"(@host>"})"}));
            batch.put(trace_key(mail, CommitSeq(i + 1), 0),
                      encode(TraceEvent{mail, at, "sent", R"({"site":"example.com"})"}));
        }
        EXPECT_TRUE(kv_->commit(batch));
    }
    std::vector<std::uint64_t> find(const std::string& what) {
        std::vector<std::uint64_t> ids;
        const auto page =
            find_trails(*kv_->snapshot(), ReadTier::Disk, MailId(0), TrailPattern(what), 1000, 100);
        EXPECT_TRUE(page && page->is_last);
        for (const MailId mail : page->found) {
            ids.push_back(mail.value());
        }
        return ids;
    }
    std::unique_ptr<Kv> kv_ = make_memory_kv();
};

TEST_F(Trails, are_found_by_address_domain_and_message_id) {
    using Ids = std::vector<std::uint64_t>;
    EXPECT_EQ(find("User3@Example.com"), Ids{30});
    EXPECT_EQ(find("a@example.test").size(), 10U);
    EXPECT_EQ(find("@example.test").size(), 10U);
    EXPECT_EQ(find("@test").size(), 0U);
    EXPECT_EQ(find("ser3@example.com").size(), 0U);
    EXPECT_EQ(find("<id7@host>"), Ids{70});
    EXPECT_EQ(find("id7@host"), Ids{70});
    EXPECT_EQ(find("").size(), 10U);
}

TEST_F(Trails, come_in_bounded_pages) {
    const auto snapshot = kv_->snapshot();
    const TrailPattern all("");
    const auto first = find_trails(*snapshot, ReadTier::Disk, MailId(0), all, 3, 100);
    ASSERT_TRUE(first);
    // The message of the last row is finished: two messages of two rows.
    EXPECT_EQ(first->found.size(), 2U);
    EXPECT_EQ(first->last, MailId(20));
    EXPECT_FALSE(first->is_last);
    const auto next = find_trails(*snapshot, ReadTier::Disk, first->last, all, 100, 7);
    EXPECT_EQ(next->found.front(), MailId(30));
    EXPECT_EQ(next->found.size(), 7U);
    EXPECT_FALSE(next->is_last);
    const auto rest = find_trails(*snapshot, ReadTier::Disk, next->last, all, 100, 100);
    EXPECT_EQ(rest->found.size(), 1U);
    EXPECT_TRUE(rest->is_last);
}

TEST_F(Trails, are_found_from_a_time_on) {
    const auto snapshot = kv_->snapshot();
    for (std::uint64_t i = 1; i <= 10; ++i) {
        const WallTime at = kNow + std::chrono::hours(i);
        for (const Duration off : {Duration(0), Duration(-std::chrono::minutes(30))}) {
            const auto before = trail_before(*snapshot, ReadTier::Disk, at + off);
            ASSERT_TRUE(before);
            const auto page =
                find_trails(*snapshot, ReadTier::Disk, *before, TrailPattern(""), 1, 1);
            EXPECT_EQ(page->found.front(), MailId(i * 10)) << i;
        }
    }
    EXPECT_EQ(*trail_before(*snapshot, ReadTier::Disk, kNow + std::chrono::hours(11)), MailId(100));
    EXPECT_EQ(*last_trail(*snapshot, ReadTier::Disk), MailId(100));
    EXPECT_EQ(*last_trail(*make_memory_kv()->snapshot(), ReadTier::Disk), MailId(0));
}

}  // namespace
}  // namespace godwit::store
