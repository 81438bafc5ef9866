#include "flow/outbound/suspension.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

constexpr WallTime kNow = from_unix_seconds(1'800'000'000);

TEST(Suspension, holds_for_its_site_its_sender_and_all) {
    const SuspensionTable table({{.kind = SuspensionKind::Site, .name = "example.com"},
                                 {.kind = SuspensionKind::Sender, .name = "bulk@example.test"},
                                 {.kind = SuspensionKind::Sender, .name = "@shop.test"},
                                 {.kind = SuspensionKind::Sender, .name = ""}});
    EXPECT_NE(table.of_site("Example.COM", kNow), nullptr);
    EXPECT_EQ(table.of_site("example.net", kNow), nullptr);
    EXPECT_NE(table.of_sender("Bulk@example.test", kNow), nullptr);
    EXPECT_EQ(table.of_sender("alice@example.test", kNow), nullptr);
    EXPECT_NE(table.of_sender("anybody@shop.test", kNow), nullptr);
    EXPECT_NE(table.of_sender("", kNow), nullptr);
    EXPECT_NE(table.of("example.net", "x@shop.test", kNow), nullptr);
    const SuspensionTable all({{.kind = SuspensionKind::All, .name = ""}});
    EXPECT_NE(all.of_site("example.net", kNow), nullptr);
    EXPECT_EQ(all.of_sender("x@shop.test", kNow), nullptr);
    EXPECT_EQ(SuspensionTable().of("example.com", "", kNow), nullptr);
}

TEST(Suspension, ends_at_its_time) {
    const SuspensionTable table({{.kind = SuspensionKind::Site,
                                  .name = "example.com",
                                  .since = kNow,
                                  .until = kNow + std::chrono::seconds(10)}});
    EXPECT_NE(table.of_site("example.com", kNow + std::chrono::milliseconds(9999)), nullptr);
    EXPECT_EQ(table.of_site("example.com", kNow + std::chrono::seconds(10)), nullptr);
}

TEST(Suspension, comes_back_from_its_row) {
    const Suspension one{.kind = SuspensionKind::Sender,
                         .name = "a@example.com",
                         .since = kNow,
                         .until = kNow + std::chrono::hours(1),
                         .reason = "they asked"};
    const std::string key = suspension_key(one.kind, one.name);
    const auto back = decode_suspension(key, encode(one));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->kind, one.kind);
    EXPECT_EQ(back->name, one.name);
    EXPECT_EQ(back->since, one.since);
    EXPECT_EQ(back->until, one.until);
    EXPECT_EQ(back->reason, one.reason);
    EXPECT_FALSE(decode_suspension(key, "garbage"));
    EXPECT_FALSE(decode_suspension(suspension_prefix() + "x", encode(one)));
    EXPECT_FALSE(decode_suspension("Gother", encode(one)));
}

TEST(Suspension, keeps_256_octets_of_its_reason) {
    for (const std::size_t size : {std::size_t{255}, std::size_t{256}, std::size_t{257}}) {
        Suspension one{.kind = SuspensionKind::All, .reason = std::string(size, 'x')};
        const auto back = decode_suspension(suspension_key(one.kind, ""), encode(one));
        ASSERT_TRUE(back);
        EXPECT_EQ(back->reason.size(), std::min(size, suspension_reason_size_max));
    }
}

}  // namespace
}  // namespace godwit::flow
