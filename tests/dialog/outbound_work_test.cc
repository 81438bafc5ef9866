// Outbound work at moments that no dialog can name: between two looks at the clock.
#include <gtest/gtest.h>

#include "base/crypto.h"
#include "stage.h"
#include "store/kv/key.h"
#include "store/mailbox/mailbox.h"
#include "store/queue/queue.h"

namespace godwit::dialog {
namespace {

// Says one time at the first look and a later one from then on.
class SteppingClock final : public Clock {
public:
    SteppingClock(Clock* under, WallTime first, Duration ahead)
        : under_(under), first_(first), ahead_(ahead) {}
    WallTime wall() const override { return looks_++ == 0 ? first_ : under_->wall() + ahead_; }
    MonoTime mono() const override { return under_->mono(); }

private:
    Clock* under_;
    WallTime first_;
    Duration ahead_;
    mutable int looks_ = 0;
};

store::Plan queue_to(Stage& stage, const std::string& site, WallTime due) {
    store::NewBody body;
    const std::string text = "Subject: " + site + "\r\n\r\nx\r\n";
    body.size = text.size();
    body.id.hash = sha256(text);
    body.content = text;
    store::AddToQueue add;
    add.message.mail = stage.store().next_mail_id();
    add.message.blob = body.id;
    add.message.blob_size = body.size;
    add.message.accepted_at = stage.loop().clock().wall();
    add.message.expires_at = add.message.accepted_at + std::chrono::days(5);
    store::QueueDelivery& delivery = add.deliveries.emplace_back();
    delivery.number = 1;
    delivery.site = site;
    delivery.due = due;
    delivery.recipients.emplace_back().address = "a@" + site;
    store::Plan plan;
    plan.steps.emplace_back(std::move(add));
    plan.bodies.push_back(std::move(body));
    return plan;
}

TEST(OutboundWork, what_falls_due_while_the_scheduler_looks_is_not_forgotten) {
    Stage stage;
    flow::RouteSettings route;
    route.domain = "*";
    route.kind = flow::RouteSettings::Kind::Hold;
    stage.settings().routes.push_back(route);
    stage.start();
    const WallTime start = stage.loop().clock().wall();
    const Duration wait = std::chrono::seconds(10);
    stage.commit(queue_to(stage, "soon.test", start + wait));
    stage.settle();
    // The next look finds it not due by a microsecond; the one after finds it due.
    SteppingClock clock(&stage.loop().clock(), start + wait - Duration(1), wait);
    stage.services().clock = &clock;
    stage.commit(queue_to(stage, "later.test", start + std::chrono::days(4)));
    stage.settle();
    stage.advance(std::chrono::hours(2));
    const std::vector<std::string> lines = stage.queue_lines();
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_NE(lines[0].find("to=<a@soon.test> held"), std::string::npos) << lines[0];
    EXPECT_NE(lines[1].find("to=<a@later.test> waiting"), std::string::npos) << lines[1];
}

// A failure that is recorded must be told, also when what failed can no longer be shown.
TEST(OutboundWork, a_body_that_cannot_be_read_is_reported_without_it) {
    Stage stage;
    ASSERT_TRUE(stage.resolver().add("gone.test MX 0 ."));
    stage.start();
    store::Plan plan = queue_to(stage, "gone.test", stage.loop().clock().wall());
    auto& message = std::get<store::AddToQueue>(plan.steps.front()).message;
    message.sender = "alice@example.test";
    message.prefix = "Received: by mx.example.test id 7; now\r\n";
    const BlobId blob = message.blob;
    stage.commit(std::move(plan));
    store::Batch loss;
    loss.erase(store::blob_location_key(blob));
    ASSERT_TRUE(stage.store().kv().commit(loss));
    stage.settle();
    stage.advance(std::chrono::minutes(1));
    EXPECT_EQ(stage.queue_lines(), std::vector<std::string>());
    const auto alice = store::find_account(*stage.store().snapshot(), store::ReadTier::Disk,
                                           "alice", "example.test");
    ASSERT_TRUE(alice && *alice);
    const auto inbox = store::find_mailbox(*stage.store().snapshot(), store::ReadTier::Disk,
                                           (*alice)->id, "INBOX");
    ASSERT_TRUE(inbox && *inbox);
    EXPECT_EQ((*inbox)->messages, 1U);
}

}  // namespace
}  // namespace godwit::dialog
