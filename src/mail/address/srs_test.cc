#include "mail/address/srs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/ascii.h"
#include "base/limits.h"

namespace godwit::mail {
namespace {

constexpr std::int64_t kDay = 86400;
constexpr std::int64_t kNow = 20'000 * kDay + 5;
const std::vector<std::string> kKeys = {"secret"};
const Address kAnn{.local = "Ann.B=x", .domain = "far.test"};

Address rewritten(const Address& sender, std::string_view domain = "us.test") {
    return srs_rewrite(sender, domain, "secret", kNow).value_or(Address{});
}
SrsFault fault(const Address& address, std::int64_t now = kNow) {
    const auto back = srs_reverse(address, kKeys, now);
    return back ? SrsFault{255} : back.error();
}

TEST(Srs, A_sender_comes_back_as_it_was) {
    const Address ours = rewritten(kAnn);
    EXPECT_EQ(ours.domain, "us.test");
    EXPECT_TRUE(ours.local.starts_with("SRS0="));
    EXPECT_TRUE(ours.local.ends_with("=far.test=Ann.B=x"));
    EXPECT_EQ(*srs_reverse(ours, kKeys, kNow), kAnn);
}

TEST(Srs, G10_a_changed_case_harms_nothing) {
    Address ours = rewritten(kAnn);
    for (auto change :
         {+[](char c) { return to_lower(c); },
          +[](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }}) {
        std::ranges::transform(ours.local, ours.local.begin(), change);
        const auto back = srs_reverse(ours, kKeys, kNow);
        ASSERT_TRUE(back.has_value());
        EXPECT_EQ(account_key(*back), account_key(kAnn));
    }
}

TEST(Srs, G10_what_was_not_signed_here_is_refused) {
    Address ours = rewritten(kAnn);
    for (const std::size_t at : {std::size_t{5}, std::size_t{12}, std::size_t{16}}) {
        Address forged = ours;
        forged.local[at] = forged.local[at] == 'Q' ? 'R' : 'Q';
        EXPECT_EQ(fault(forged), SrsFault::WrongMac) << at;
    }
    EXPECT_EQ(srs_reverse(ours, std::vector<std::string>{"other"}, kNow).error(),
              SrsFault::WrongMac);
    EXPECT_TRUE(srs_reverse(ours, std::vector<std::string>{"new", "secret"}, kNow).has_value());
    EXPECT_EQ(srs_reverse(ours, {}, kNow).error(), SrsFault::WrongMac);
    for (const char* local :
         {"SRS0=", "SRS0==", "SRS0=a", "SRS0=a=b", "SRS0=a=b=c", "SRS0=a=b=c=", "SRS0=a=b==d",
          "SRS1=a=b", "SRS1=a=b==", "SRS1=a==c", "SRS2=a=b=c=d", "srs0", "SRS0.a=b=c=d"}) {
        EXPECT_EQ(fault({.local = local, .domain = "us.test"}), SrsFault::Malformed) << local;
    }
}

TEST(Srs, G10_it_runs_out_after_its_days) {
    const Address ours = rewritten(kAnn);
    EXPECT_TRUE(srs_reverse(ours, kKeys, kNow + srs_days_max * kDay).has_value());
    EXPECT_EQ(fault(ours, kNow + (srs_days_max + 1) * kDay), SrsFault::Expired);
    EXPECT_TRUE(srs_reverse(ours, kKeys, kNow - kDay).has_value());
    EXPECT_EQ(fault(ours, kNow - 2 * kDay), SrsFault::Expired);
}

TEST(Srs, G10_chains_lead_back_to_the_first_forwarder) {
    const Address first = rewritten(kAnn, "one.test");
    const Address second = rewritten(first, "two.test");
    EXPECT_TRUE(second.local.starts_with("SRS1=")) << second.local;
    EXPECT_NE(second.local.find("=one.test==" + first.local.substr(5)), std::string::npos);
    EXPECT_EQ(*srs_reverse(second, kKeys, kNow), first);
    const Address third = rewritten(second, "three.test");
    EXPECT_EQ(third.local, second.local) << "one signature of SRS1, whatever the length of the way";
    EXPECT_EQ(*srs_reverse(third, kKeys, kNow), first);
    Address forged = third;
    forged.local.replace(forged.local.find("one.test"), 8, "two.test");
    EXPECT_EQ(fault(forged), SrsFault::WrongMac);
    // Other separators than "=" are in use.
    const Address plus{.local = "SRS0+AAAA=BB=far.test=ann", .domain = "one.test"};
    EXPECT_EQ(*srs_reverse(rewritten(plus), kKeys, kNow), plus);
}

TEST(Srs, The_local_part_has_its_bound) {
    const std::size_t own = rewritten({.local = "a", .domain = "far.test"}).local.size() - 1;
    Address sender{.local = std::string(limits::local_part_size_max - own, 'a'),
                   .domain = "far.test"};
    EXPECT_EQ(rewritten(sender).local.size(), limits::local_part_size_max);
    sender.local += 'a';
    EXPECT_FALSE(srs_rewrite(sender, "us.test", "secret", kNow));
}

}  // namespace
}  // namespace godwit::mail
