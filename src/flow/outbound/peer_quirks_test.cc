#include "flow/outbound/peer_quirks.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

constexpr MonoTime kNow{std::chrono::hours(100)};

net::Endpoint at(const char* text) {
    return *net::Endpoint::parse(text);
}

TEST(PeerQuirks, C18_E14_add_up_for_an_address_and_its_port) {
    PeerQuirks quirks;
    EXPECT_EQ(quirks.of(at("192.0.2.1:25"), kNow), PeerManners());
    quirks.note(at("192.0.2.1:25"), PeerQuirk::HangsInGroups, kNow);
    EXPECT_EQ(quirks.of(at("192.0.2.1:25"), kNow), (PeerManners{.may_pipeline = false}));
    EXPECT_EQ(quirks.of(at("192.0.2.1:26"), kNow), PeerManners());
    quirks.note(at("192.0.2.1:25"), PeerQuirk::Fixup, kNow);
    EXPECT_EQ(quirks.of(at("192.0.2.1:25"), kNow),
              (PeerManners{.may_pipeline = false, .is_behind_fixup = true}));
    quirks.note(at("192.0.2.2:25"), PeerQuirk::Fixup, kNow);
    EXPECT_EQ(quirks.of(at("192.0.2.2:25"), kNow), (PeerManners{.is_behind_fixup = true}));
}

TEST(PeerQuirks, Are_forgotten_in_time) {
    PeerQuirks quirks;
    quirks.note(at("192.0.2.1:25"), PeerQuirk::HangsInGroups, kNow);
    const MonoTime end = kNow + peer_quirks_memory;
    EXPECT_FALSE(quirks.of(at("192.0.2.1:25"), end - Duration(1)).may_pipeline);
    EXPECT_TRUE(quirks.of(at("192.0.2.1:25"), end).may_pipeline);
    // What ran out does not come back with another.
    quirks.note(at("192.0.2.1:25"), PeerQuirk::Fixup, end);
    EXPECT_TRUE(quirks.of(at("192.0.2.1:25"), end).may_pipeline);
    EXPECT_TRUE(quirks.of(at("192.0.2.1:25"), end).is_behind_fixup);
}

}  // namespace
}  // namespace godwit::flow
