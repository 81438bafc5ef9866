// Outbound work at moments that no dialog can name: between two looks at the clock.
#include <gtest/gtest.h>

#include "base/crypto.h"
#include "flow/outbound/quarantine.h"
#include "stage.h"
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

class Quarantine : public ::testing::Test {
protected:
    Quarantine() {
        flow::RouteSettings route;
        route.domain = "*";
        route.kind = flow::RouteSettings::Kind::Smtp;
        route.host = "127.0.0.9";
        stage_.settings().routes.push_back(route);
        stage_.start();
    }
    /// As a start after a crash does.
    void crash(std::uint64_t run, std::vector<MailId> mails) {
        flow::InHandLeft left{.run = run, .entries = {}};
        for (const MailId mail : mails) {
            left.entries.push_back({.mail = mail, .number = 1});
        }
        Result<> done = internal_error(ErrorCode::Closed, "not run");
        net::spawn(stage_.loop().shard(), "count", count(&stage_.services(), left, &done));
        stage_.settle();
        EXPECT_TRUE(done);
    }
    static net::Task<void> count(flow::Services* services, flow::InHandLeft left, Result<>* done) {
        *done = co_await flow::count_crashes(services, std::move(left));
    }
    MailId queue(const std::string& site) {
        stage_.commit(queue_to(stage_, site, stage_.loop().clock().wall() + std::chrono::days(1)));
        return last(site);
    }
    store::QueueDelivery delivery(MailId mail) {
        return **store::read_delivery(*stage_.store().snapshot(), store::ReadTier::Disk, mail, 1);
    }
    MailId last(const std::string& site) {
        MailId found;
        for (const auto& message :
             *store::list_queue(*stage_.store().snapshot(), store::ReadTier::Disk, MailId{}, 100)) {
            found = delivery(message.mail).site == site ? message.mail : found;
        }
        return found;
    }

    Stage stage_;
};

TEST_F(Quarantine, two_crashes_hold_one_run_counts_once_and_release_counts_anew) {
    const MailId bad = queue("bad.test");
    const MailId good = queue("good.test");
    crash(1, {bad, good, MailId(9999)});
    crash(1, {bad, good});  // The process crashed before it had made a new register.
    EXPECT_EQ(delivery(bad).crashes, 1U);
    EXPECT_FALSE(delivery(bad).is_held);
    crash(2, {bad});
    EXPECT_EQ(delivery(bad).crashes, 2U);
    EXPECT_TRUE(delivery(bad).is_held);
    EXPECT_EQ(delivery(bad).held_reason, "quarantined: in hand at 2 crashes");
    EXPECT_FALSE(delivery(good).is_held);
    crash(3, {bad});  // Held already.
    EXPECT_EQ(delivery(bad).crashes, 2U);
    ASSERT_TRUE(stage_.order("release"));
    EXPECT_EQ(delivery(bad).crashes, 0U);
    EXPECT_FALSE(delivery(bad).is_held);
}

}  // namespace
}  // namespace godwit::dialog
