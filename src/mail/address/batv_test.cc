#include "mail/address/batv.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/limits.h"

namespace godwit::mail {
namespace {

constexpr std::int64_t kDay = 86400;
constexpr std::int64_t kNow = 20'998 * kDay + 5;
const std::vector<std::string> kKeys = {"secret"};
const Address kAlice{.local = "alice+x", .domain = "us.test"};

TEST(Batv, A_tag_is_put_on_and_taken_off) {
    const Address tagged = *batv_tag(kAlice, "secret", kNow);
    EXPECT_TRUE(tagged.local.starts_with("prvs=0005")) << tagged.local;
    EXPECT_EQ(*batv_untag(tagged), kAlice);
    EXPECT_TRUE(batv_holds(tagged, kKeys, kNow));
    EXPECT_FALSE(batv_untag(kAlice));
    for (const char* local : {"prvs=", "prvs=0005abcdef=", "prvs=0005abcdefalice",
                              "prvs=x005abcdef=alice", "prvs=00=alice"}) {
        EXPECT_FALSE(batv_untag({.local = local, .domain = "us.test"})) << local;
        EXPECT_FALSE(batv_holds({.local = local, .domain = "us.test"}, kKeys, kNow)) << local;
    }
}

TEST(Batv, Only_our_own_tags_hold_and_not_for_ever) {
    Address tagged = *batv_tag(kAlice, "secret", kNow);
    EXPECT_TRUE(batv_holds(tagged, kKeys, kNow + batv_days_max * kDay));
    EXPECT_FALSE(batv_holds(tagged, kKeys, kNow + (batv_days_max + 1) * kDay));
    EXPECT_FALSE(batv_holds(tagged, kKeys, kNow - kDay));
    EXPECT_FALSE(batv_holds(tagged, std::vector<std::string>{"other"}, kNow));
    EXPECT_TRUE(batv_holds(tagged, std::vector<std::string>{"new", "secret"}, kNow));
    EXPECT_FALSE(batv_holds({.local = tagged.local, .domain = "other.test"}, kKeys, kNow));
    tagged.local.replace(0, 4, "PRVS");
    EXPECT_TRUE(batv_holds(tagged, kKeys, kNow));
    tagged.local += 'x';
    EXPECT_FALSE(batv_holds(tagged, kKeys, kNow));
}

TEST(Batv, The_local_part_has_its_bound) {
    Address sender{.local = std::string(limits::local_part_size_max - 16, 'a'),
                   .domain = "us.test"};
    EXPECT_EQ(batv_tag(sender, "secret", kNow)->local.size(), limits::local_part_size_max);
    sender.local += 'a';
    EXPECT_FALSE(batv_tag(sender, "secret", kNow));
}

}  // namespace
}  // namespace godwit::mail
