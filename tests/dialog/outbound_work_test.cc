// Outbound work at moments that no dialog can name: between two looks at the clock.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/crypto.h"
#include "base/metrics.h"
#include "flow/outbound/quarantine.h"
#include "flow/outbound/recall_far.h"
#include "flow/outbound/recall_held.h"
#include "net/io/shard.h"
#include "stage.h"
#include "store/kv/key.h"
#include "store/mailbox/mailbox.h"
#include "store/queue/queue.h"
#include "store/queue/schedule.h"

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

/// A server out there that takes everything, a second for each command.
struct Sink {
    std::size_t open = 0;
    std::size_t most_open = 0;
    std::size_t received = 0;
    bool is_in_data = false;

    /// The answer to a whole line; empty inside a message.
    std::string answer(std::string_view line) {
        if (is_in_data) {
            is_in_data = line != ".";
            received += is_in_data ? 0 : 1;
            return is_in_data ? "" : "250 taken\r\n";
        }
        is_in_data = line == "DATA";
        return is_in_data ? "354 go on\r\n" : line == "QUIT" ? "221 bye\r\n" : "250 ok\r\n";
    }
};

/// `totals` counts over all connections; what one is at is its own.
net::Task<void> take_mail(std::unique_ptr<net::Stream> stream, Sink* totals) {
    totals->most_open = std::max(totals->most_open, ++totals->open);
    Sink own;
    std::string input;
    std::string output = "220 sink.test\r\n";
    for (;;) {
        co_await net::sleep_for(std::chrono::seconds(1));
        if (!co_await stream->write_all(output)) {
            break;
        }
        output.clear();
        while (output.empty()) {
            const std::size_t end = input.find("\r\n");
            if (end != std::string::npos) {
                output = own.answer(std::string_view(input).substr(0, end));
                input.erase(0, end + 2);
                continue;
            }
            std::string block(4096, '\0');
            const Result<std::size_t> got = co_await stream->read_some(block);
            if (!got || *got == 0) {
                break;
            }
            input.append(block, 0, *got);
        }
        if (output.empty()) {
            break;
        }
    }
    totals->received += own.received;
    --totals->open;
}

/// Counts the look-ups that are under way.
class CountingResolver final : public net::Resolver {
public:
    explicit CountingResolver(net::Resolver* under) : under_(under) {}
    net::Task<Result<net::RecordSet>> lookup(std::string name, net::RecordType type) override {
        most_ = std::max(most_, ++now_);
        most_of_one_ = std::max(most_of_one_, ++of_[name]);
        const std::string asked = name;
        auto found = co_await under_->lookup(std::move(name), type);
        --now_;
        --of_[asked];
        co_return found;
    }
    [[nodiscard]] std::size_t most() const { return most_; }
    [[nodiscard]] std::size_t most_of_one() const { return most_of_one_; }

private:
    net::Resolver* under_;
    std::size_t now_ = 0;
    std::size_t most_ = 0;
    std::size_t most_of_one_ = 0;
    std::map<std::string, std::size_t> of_;
};

// RELIABILITY.md 6, "DNS outage": nothing is given up, and what comes after it is no herd.
TEST(OutboundWork, dns_outage_of_six_hours_loses_nothing_and_ends_in_no_herd) {
    constexpr std::size_t kSites = 60;
    constexpr std::size_t kMails = 300;
    Stage stage;
    stage.settings().limits.deliveries_total = 20;
    stage.settings().limits.deliveries_per_site = 5;
    const auto name = [](std::size_t site) { return "s" + std::to_string(site) + ".test"; };
    for (std::size_t site = 0; site < kSites; ++site) {
        ASSERT_TRUE(stage.resolver().add(name(site) + " * timeout"));
    }
    stage.start();
    CountingResolver resolver(&stage.resolver());
    stage.services().resolver = &resolver;
    Sink sink;
    const auto listener =
        stage.network().listen(net::Endpoint(*net::IpAddress::parse("11.22.33.44"), 25),
                               {.name = "sink"}, [&sink](std::unique_ptr<net::Stream> stream) {
                                   net::Shard& shard = stream->shard();
                                   net::spawn(shard, "sink", take_mail(std::move(stream), &sink));
                               });
    ASSERT_TRUE(listener);
    for (std::size_t i = 0; i < kMails; ++i) {
        stage.commit(queue_to(stage, name(i % kSites), stage.loop().clock().wall()));
    }
    stage.advance(std::chrono::hours(6));
    EXPECT_EQ(stage.queue_lines().size(), kMails);
    EXPECT_GT(resolver.most(), 4U);
    EXPECT_LE(resolver.most(), 20U);
    EXPECT_LE(resolver.most_of_one(), 5U);
    for (std::size_t site = 0; site < kSites; ++site) {
        stage.resolver().remove(name(site));
        ASSERT_TRUE(stage.resolver().add(name(site) + " MX 10 mx.sink.test"));
    }
    ASSERT_TRUE(stage.resolver().add("mx.sink.test A 11.22.33.44"));
    stage.advance(std::chrono::hours(6));
    EXPECT_EQ(sink.received, kMails);
    EXPECT_TRUE(stage.queue_lines().empty());
    EXPECT_LE(sink.most_open, 20U);
    EXPECT_LE(resolver.most(), 20U);
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

net::Task<void> recall(const flow::Services* services, Result<>* done) {
    *done = co_await flow::recall_far(services);
}

// SMTP-BEHAVIOUR.md I6: attempts planned by a clock that was ahead are made once it is right.
TEST(OutboundWork, I6_what_a_wrong_clock_put_off_is_tried) {
    Stage stage;
    stage.start();
    const WallTime now = stage.loop().clock().wall();
    stage.commit(queue_to(stage, "far.test", now + std::chrono::days(300)));
    stage.commit(queue_to(stage, "soon.test", now + store::retry_pause_max));
    store::Plan held = queue_to(stage, "held.test", now + std::chrono::days(300));
    std::get<store::AddToQueue>(held.steps.front()).deliveries.front().is_held = true;
    stage.commit(std::move(held));
    stage.advance(std::chrono::minutes(1));
    for (const std::string& line : stage.queue_lines()) {
        EXPECT_NE(line.find("attempts=0"), std::string::npos) << line;
    }
    Result<> done = internal_error(ErrorCode::Closed, "not run");
    net::spawn(stage.loop().shard(), "recall", recall(&stage.services(), &done));
    stage.advance(std::chrono::minutes(1));
    EXPECT_TRUE(done);
    const auto lines = stage.queue_lines();
    // Tried, and given up: there is no such domain.
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_NE(lines[0].find("soon.test> waiting attempts=0"), std::string::npos) << lines[0];
    EXPECT_NE(lines[1].find("held.test> held attempts=0"), std::string::npos) << lines[1];
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
        begin_after(left);
    }
    void begin_after(const flow::InHandLeft& left) {
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

// RELIABILITY.md W1: by a crash and by an orderly stop. godwit_possible_duplicates_total.
TEST_F(Quarantine, W1_what_may_have_been_sent_is_counted_and_told) {
    const MailId crashed = queue("crashed.test");
    const MailId stopped = queue("stopped.test");
    const MailId unsaid = queue("unsaid.test");
    const std::int64_t before = metric_value(Metric::PossibleDuplicates);
    const flow::InHandLeft left{
        .run = 1,
        .entries = {{.mail = crashed, .number = 1, .may_be_sent = true},
                    {.mail = stopped, .number = 1, .may_be_sent = true, .is_blameless = true},
                    {.mail = unsaid, .number = 1}}};
    begin_after(left);
    begin_after(left);  // Once a run.
    EXPECT_EQ(metric_value(Metric::PossibleDuplicates), before + 2);
    EXPECT_EQ(delivery(crashed).crashes, 1U);
    EXPECT_EQ(delivery(stopped).crashes, 0U) << "an orderly stop is no crash";
    EXPECT_EQ(delivery(unsaid).crashes, 1U);
    const auto story = [this](MailId mail) {
        std::string all;
        for (const store::TraceEvent& event :
             *store::read_trace(*stage_.store().snapshot(), store::ReadTier::Disk, mail)) {
            all += event.kind + " " + event.detail + "\n";
        }
        return all;
    };
    EXPECT_NE(story(crashed).find("may have been sent"), std::string::npos) << story(crashed);
    EXPECT_NE(story(stopped).find("interrupted"), std::string::npos) << story(stopped);
    EXPECT_NE(story(stopped).find("may have been sent"), std::string::npos) << story(stopped);
    EXPECT_EQ(story(unsaid).find("may have been sent"), std::string::npos) << story(unsaid);
}

net::Task<void> free_held(const flow::Services* services, Result<>* done) {
    *done = co_await flow::recall_held(services);
}

// SMTP-BEHAVIOUR.md M4: a fixed configuration fixes queued mail, and only what it is about.
TEST(OutboundWork, M4_what_was_held_for_want_of_a_route_goes_when_there_is_one) {
    Stage stage;
    stage.settings().resolver.is_off = true;
    flow::RouteSettings hold;
    hold.domain = "parked.test";
    hold.kind = flow::RouteSettings::Kind::Hold;
    stage.settings().routes.push_back(hold);
    stage.start();
    const WallTime now = stage.loop().clock().wall();
    for (const char* site : {"one.test", "two.test", "parked.test"}) {
        stage.commit(queue_to(stage, site, now));
    }
    store::Plan by_operator = queue_to(stage, "one.test", now);
    auto& stays = std::get<store::AddToQueue>(by_operator.steps.front()).deliveries.front();
    stays.is_held = true;
    stays.held_reason = "by operator";
    stage.commit(std::move(by_operator));
    stage.settle();
    const auto states = [&stage] {
        std::string all;
        for (const std::string& line : stage.queue_lines()) {
            all += line.substr(line.find("to=")) + "\n";
        }
        return all;
    };
    EXPECT_NE(states().find("to=<a@one.test> held attempts=0 no route"), std::string::npos)
        << states();
    flow::Settings fixed = stage.settings();
    flow::RouteSettings discard;
    discard.domain = "one.test";
    discard.kind = flow::RouteSettings::Kind::Discard;
    fixed.routes.push_back(discard);
    net::SwapCell<flow::Settings> cell;
    cell.store(std::make_shared<const flow::Settings>(fixed));
    stage.services().current_settings = &cell;
    Result<> done = internal_error(ErrorCode::Closed, "not run");
    net::spawn(stage.loop().shard(), "recall", free_held(&stage.services(), &done));
    stage.advance(std::chrono::minutes(1));
    EXPECT_TRUE(done);
    const std::vector<std::string> lines = stage.queue_lines();
    ASSERT_EQ(lines.size(), 3U) << states();
    EXPECT_NE(lines[0].find("to=<a@two.test> held"), std::string::npos) << lines[0];
    EXPECT_NE(lines[1].find("to=<a@parked.test> held"), std::string::npos) << lines[1];
    EXPECT_NE(lines[2].find("to=<a@one.test> held"), std::string::npos) << lines[2];
    EXPECT_NE(lines[2].find("by operator"), std::string::npos) << lines[2];
}

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
    ASSERT_TRUE(stage_.order("release", "").starts_with(R"({"ok":true)"));
    EXPECT_EQ(delivery(bad).crashes, 0U);
    EXPECT_FALSE(delivery(bad).is_held);
}

}  // namespace
}  // namespace godwit::dialog
