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

TEST_F(DoorsTest, every_protocol_has_a_desk) {
    EXPECT_EQ(desk_table().size(), 9U);
}

}  // namespace
}  // namespace godwit::app
