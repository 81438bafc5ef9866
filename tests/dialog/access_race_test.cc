// Rights that go while SELECT is under way: no dialog decides between which two of its steps.
#include <gtest/gtest.h>

#include "stage.h"
#include "store/mailbox/schema.h"

namespace godwit::dialog {
namespace {

// More than three steps of a reading take.
constexpr std::size_t kMessages = 3 * limits::scan_rows_max + 88;

struct Client {
    std::unique_ptr<net::Stream> stream{};
    std::string heard{};
};

net::Task<void> say(Stage* stage, Client* client, std::string line) {
    if (client->stream == nullptr) {
        net::ConnectRequest request;
        request.to = Stage::door("imap");
        request.deadline = net::Shard::here().now() + std::chrono::minutes(1);
        auto stream = co_await stage->network().connect(std::move(request));
        client->stream = *std::move(stream);
    }
    static_cast<void>(co_await client->stream->write_all(line));
}

net::Task<void> hear(Client* client) {
    for (;;) {
        std::string block(4096, '\0');
        const Result<std::size_t> got = co_await client->stream->read_some(block);
        if (!got || *got == 0) {
            co_return;
        }
        client->heard.append(block, 0, *got);
    }
}

class AccessRace : public ::testing::Test {
protected:
    AccessRace() {
        stage_.start();
        stage_.fill("bob", "INBOX", kMessages);
        bob_ = stage_.account("bob").id;
        alice_ = stage_.account("alice").id;
    }
    void let(store::Rights rights) {
        store::Plan plan;
        plan.steps.emplace_back(store::SetAccess{
            .account = bob_, .mailbox = store::kInbox, .grantee = alice_, .rights = rights});
        stage_.commit(std::move(plan));
        stage_.settle();
    }
    void send(Client* client, std::string line) {
        net::spawn(stage_.loop().shard(), "test.say", say(&stage_, client, std::move(line)));
    }
    Stage stage_;
    AccountId bob_;
    AccountId alice_;
};

// She never says anything after SELECT: NOTIFY tells her unasked, or nothing.
TEST_F(AccessRace, nothing_is_told_of_a_mailbox_whose_rights_went_during_SELECT) {
    bool was_answered = false;
    for (std::size_t steps = 0; !was_answered && steps < 100; ++steps) {
        let(store::Right::Lookup | store::Right::Read);
        Client client;
        send(&client, "a LOGIN alice alice\r\n");
        stage_.settle();
        net::spawn(stage_.loop().shard(), "test.hear", hear(&client));
        send(&client, "b NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange))\r\n");
        stage_.settle();
        ASSERT_TRUE(client.heard.contains("b OK")) << client.heard;
        send(&client, "c SELECT \"Other users/bob@example.test/INBOX\"\r\n");
        for (std::size_t step = 0; step < steps && stage_.loop().step(); ++step) {
        }
        was_answered = client.heard.contains("\r\nc OK");
        client.heard.clear();
        let({});
        const std::size_t before = client.heard.size();
        stage_.fill("bob", "INBOX", 1);
        stage_.settle();
        EXPECT_EQ(client.heard.substr(before), "") << "after " << steps << " steps";
        client.stream->interrupt();
        send(&client, "d LOGOUT\r\n");
        stage_.settle();
    }
    EXPECT_TRUE(was_answered);
}

}  // namespace
}  // namespace godwit::dialog
