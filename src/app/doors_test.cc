// Which doors are open after which settings, over a network in memory.
#include "app/doors.h"

#include <gtest/gtest.h>

#include "net/io/memory_network.h"
#include "net/io/test_loop.h"

namespace godwit::app {
namespace {

class DoorsTest : public ::testing::Test {
protected:
    DoorsTest() {
        services_.network = &network_;
        cell_.store(std::make_shared<const flow::Settings>());
        services_.current_settings = &cell_;
        EXPECT_TRUE(doors_.prepare());
    }
    static flow::ListenerSettings at(flow::Protocol protocol, std::string address) {
        flow::ListenerSettings settings;
        settings.protocol = protocol;
        settings.address = std::move(address);
        return settings;
    }
    using Texts = std::vector<std::string>;

    net::TestLoop loop_;
    net::MemoryNetwork network_{&loop_};
    net::SwapCell<flow::Settings> cell_;
    flow::Services services_;
    net::TlsCertificates certificates_;
    Doors doors_{&services_, &certificates_};
};

TEST_F(DoorsTest, open_keep_change_and_close) {
    auto smtp = at(flow::Protocol::Smtp, "127.0.0.1:25");
    const auto imap = at(flow::Protocol::Imap, "127.0.0.1:143");
    EXPECT_EQ(*doors_.open({smtp, imap}),
              (Texts{"listening: imap 127.0.0.1:143", "listening: smtp 127.0.0.1:25"}));
    EXPECT_EQ(*doors_.open({smtp, imap}), Texts{});
    // The same address with another option is the same socket: nothing is bound twice.
    smtp.reject_bare_newline = true;
    EXPECT_EQ(*doors_.open({smtp, imap}),
              Texts{"changed: smtp 127.0.0.1:25 to smtp 127.0.0.1:25 (rejecting bare newlines)"});
    EXPECT_EQ(*doors_.open({smtp}), Texts{"closed: imap 127.0.0.1:143"});
    EXPECT_EQ(doors_.names(), Texts{"smtp 127.0.0.1:25 (rejecting bare newlines)"});
    EXPECT_EQ(*doors_.open({smtp, imap}), Texts{"listening: imap 127.0.0.1:143"});
}

TEST_F(DoorsTest, a_door_that_cannot_be_opened_changes_nothing) {
    const auto mine = at(flow::Protocol::Smtp, "127.0.0.1:25");
    ASSERT_TRUE(doors_.open({mine}));
    const auto held = network_.listen(*net::Endpoint::parse("127.0.0.1:143"), {.name = "other"},
                                      [](std::unique_ptr<net::Stream>) {});
    ASSERT_TRUE(held);
    const auto refused = doors_.open(
        {at(flow::Protocol::Pop3, "127.0.0.1:110"), at(flow::Protocol::Imap, "127.0.0.1:143")});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text.find("127.0.0.1:143"), std::string::npos);
    EXPECT_EQ(doors_.names(), Texts{"smtp 127.0.0.1:25"});
    // What was opened on the way is closed again.
    EXPECT_TRUE(network_.listen(*net::Endpoint::parse("127.0.0.1:110"), {.name = "other"},
                                [](std::unique_ptr<net::Stream>) {}));
}

TEST_F(DoorsTest, a_door_that_would_move_within_its_port_waits_for_a_restart) {
    ASSERT_TRUE(doors_.open({at(flow::Protocol::Imap, "[::]:143")}));
    // The kernel's answer where [::] holds the port for both families.
    const auto held = network_.listen(*net::Endpoint::parse("127.0.0.1:143"), {.name = "kernel"},
                                      [](std::unique_ptr<net::Stream>) {});
    ASSERT_TRUE(held);
    const auto narrower = doors_.open({at(flow::Protocol::Imap, "127.0.0.1:143")});
    ASSERT_FALSE(narrower);
    EXPECT_NE(narrower.error().text.find("imap [::]:143: moving it needs a restart"),
              std::string::npos)
        << narrower.error().text;
    // [::] is bound for both families, and a socket cannot change that.
    const auto split = doors_.open(
        {at(flow::Protocol::Imap, "[::]:143"), at(flow::Protocol::Imap, "0.0.0.0:143")});
    ASSERT_FALSE(split);
    EXPECT_NE(split.error().text.find("needs a restart"), std::string::npos) << split.error().text;
    EXPECT_EQ(doors_.names(), Texts{"imap [::]:143"});
}

TEST_F(DoorsTest, a_door_for_ipv6_alone_does_not_lose_ipv4_without_a_word) {
    const auto v6 = at(flow::Protocol::Imap, "[::]:143");
    const auto v4 = at(flow::Protocol::Imap, "0.0.0.0:143");
    ASSERT_TRUE(doors_.open({v6, v4}));
    const auto joined = doors_.open({v6});
    ASSERT_FALSE(joined);
    EXPECT_NE(joined.error().text.find("needs a restart"), std::string::npos)
        << joined.error().text;
    EXPECT_EQ(doors_.names(), (Texts{"imap 0.0.0.0:143", "imap [::]:143"}));
    EXPECT_EQ(*doors_.open({v4}), Texts{"closed: imap [::]:143"});
}

TEST_F(DoorsTest, every_protocol_has_a_desk) {
    EXPECT_EQ(desk_table().size(), 9U);
}

}  // namespace
}  // namespace godwit::app
