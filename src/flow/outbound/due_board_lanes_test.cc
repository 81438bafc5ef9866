// The lanes of the due board and the turns that sites take: who keeps us waiting does not keep
// others waiting. RELIABILITY.md 6, "Slow peers".
#include "flow/outbound/due_board.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "flow/outbound/due_board_desk.h"

namespace godwit::flow {
namespace {

TEST(DueBoard, F12_a_worker_gives_its_connection_away_where_others_wait_for_it) {
    Desk desk(10, 1);
    desk.prove("a.test");
    for (std::uint64_t mail = 1; mail <= 50; ++mail) {
        desk.put("a.test", mail, 10);
    }
    desk.plan(20);
    ASSERT_EQ(desk.working.size(), 1U);
    EXPECT_TRUE(desk.board.take("a.test", at(20), outbound_turn_max - 1, true).has_value());
    EXPECT_FALSE(desk.board.take("a.test", at(20), outbound_turn_max, true).has_value());
    EXPECT_TRUE(desk.board.take("a.test", at(20), outbound_turn_max, false).has_value());
}

// Of 1,000 sites with a backlog that is due longer, none keeps a site with one message waiting for
// more than a turn of each.
TEST(DueBoard, sites_take_turns) {
    Desk desk(40);
    std::uint64_t mail = 0;
    for (int site = 0; site < 1000; ++site) {
        for (int i = 0; i < 50; ++i) {
            desk.put_row("s" + std::to_string(site), ++mail, 1);
        }
        desk.learn_site("s" + std::to_string(site));
    }
    desk.put("single.test", 999'999, 2);
    desk.plan(10);
    while (std::ranges::none_of(
        desk.tried, [](const store::DueDelivery& tried) { return tried.site == "single.test"; })) {
        ASSERT_TRUE(desk.end_one(10, 5000));
        ASSERT_LE(desk.tried.size(), 1000U + 2 * 40U);
    }
}

TEST(DueBoard, quick_site_gives_its_place_away_after_a_turn) {
    Desk desk(1);
    desk.prove("busy.test");
    for (std::uint64_t mail = 1; mail <= 100; ++mail) {
        desk.put("busy.test", mail, 1);
    }
    desk.plan(10);
    desk.put("other.test", 200, 9);
    for (std::uint32_t i = 0; i < outbound_turn_max; ++i) {
        ASSERT_EQ(desk.working.front().site, "busy.test") << i;
        desk.end_one(10, std::nullopt, i + 1);
    }
    EXPECT_EQ(desk.working.front().site, "other.test");
    while (desk.end_one(10)) {
    }
    EXPECT_EQ(desk.tried.size(), 101U);
}

/// Attempts that take time, on the board alone: who waits how long for whom.
class Traffic {
public:
    explicit Traffic(std::uint32_t workers_max) {
        bounds_.workers_max = workers_max;
        bounds_.site_workers_max = [](const std::string&) { return 10U; };
    }
    /// What is put from now on to a site of this kind takes so long; `again`: and comes back.
    void put(const std::string& site, std::uint64_t mail, Duration takes, bool is_refused) {
        mails_[mail] = {.takes = takes, .put_at = now_, .is_refused = is_refused};
        board_.learn({.mail = MailId(mail), .delivery = 1, .site = site, .due = now_}, now_);
        begin();
    }
    void run_until(WallTime until) {
        while (!ends_.empty() && ends_.begin()->first <= until) {
            now_ = ends_.begin()->first;
            const store::DueDelivery taken = ends_.begin()->second;
            ends_.erase(ends_.begin());
            end(taken);
            begin();
        }
        now_ = until;
        begin();
    }
    [[nodiscard]] WallTime now() const { return now_; }
    [[nodiscard]] std::size_t at_work() const { return ends_.size(); }
    /// How long the 95th of 100 deliveries of `site`s that begin so took, waiting and working.
    Duration p95(const std::string& prefix) {
        std::vector<Duration>& took = took_[prefix];
        std::ranges::sort(took);
        return took.at(took.size() * 95 / 100);
    }

private:
    struct Mail {
        Duration takes{};
        WallTime put_at{};
        bool is_refused = false;
    };
    void begin() {
        for (store::DueDelivery& taken : board_.plan(now_, bounds_).workers) {
            work(std::move(taken));
        }
    }
    void work(store::DueDelivery taken) {
        ends_.emplace(now_ + mails_.at(taken.mail.value()).takes, std::move(taken));
    }
    void end(const store::DueDelivery& taken) {
        const Mail& mail = mails_.at(taken.mail.value());
        store::QueueChange::Item item{.mail = taken.mail, .delivery = 1, .site = taken.site};
        item.due = now_ + std::chrono::minutes(1);
        item.is_gone = !mail.is_refused;
        board_.learn(item, now_);
        board_.done(taken, {.is_answered = true, .now = now_, .took = mail.takes});
        took_[taken.site.substr(0, 4)].push_back(now_ - mail.put_at);
        if (auto next = board_.take(taken.site, now_, 1)) {
            work(*std::move(next));
        } else {
            board_.worker_ended(taken.site);
        }
    }

    DueBoard board_;
    DueBoard::Bounds bounds_;
    WallTime now_ = at(1000);
    std::map<std::uint64_t, Mail> mails_;
    std::multimap<WallTime, store::DueDelivery> ends_;
    std::map<std::string, std::vector<Duration>> took_;
};

/// An hour of mail for 50 sites that take a second each, 10 messages a second in all; beside it
/// perhaps sites with five messages each, all of which keep a client for so long.
struct Beside {
    int sites = 0;
    Duration takes{};
    bool is_refused = false;
};
Duration healthy_p95(Beside beside) {
    Traffic traffic(200);
    std::uint64_t mail = 0;
    const auto healthy = [&] {
        ++mail;
        traffic.put("good" + std::to_string(mail % 50), mail, std::chrono::seconds(1), false);
        traffic.run_until(traffic.now() + std::chrono::milliseconds(100));
    };
    // They are known: mail went there before.
    for (int i = 0; i < 500; ++i) {
        healthy();
    }
    for (int i = 0; i < 5 * beside.sites; ++i) {
        ++mail;
        traffic.put("slow" + std::to_string(i % beside.sites), mail, beside.takes,
                    beside.is_refused);
    }
    for (int i = 0; i < 36'000; ++i) {
        healthy();
        EXPECT_LE(traffic.at_work(), 200U);
    }
    return traffic.p95("good");
}

// RELIABILITY.md 6, "Slow peers".
TEST(DueBoard, thousand_tarpits_do_not_delay_healthy_sites) {
    const Duration alone = healthy_p95({});
    const Duration beside =
        healthy_p95({.sites = 1000, .takes = std::chrono::minutes(5), .is_refused = true});
    EXPECT_LT(beside, 2 * alone);
    EXPECT_LT(alone, std::chrono::seconds(2));
}

TEST(DueBoard, steady_sites_leave_the_last_quarter_to_quick_ones) {
    const Duration beside = healthy_p95({.sites = 4000, .takes = std::chrono::seconds(30)});
    EXPECT_LT(beside, std::chrono::seconds(2));
}

/// Attempts at a site, one after the other, and how many workers it gets afterwards, of ten that it
/// may have and of `total`.
struct Tried {
    Duration took{};
    bool is_answered = true;
};
enum class Commit : std::uint8_t { LearntBefore, LearntAfter };
std::size_t workers_after(const std::vector<Tried>& attempts, std::uint32_t total,
                          Commit commit = Commit::LearntAfter) {
    DueBoard board;
    DueBoard::Bounds bounds;
    bounds.workers_max = total;
    bounds.site_workers_max = [](const std::string&) { return 10U; };
    std::uint64_t mail = 0;
    for (const Tried& tried : attempts) {
        store::QueueChange::Item item{
            .mail = MailId(++mail), .delivery = 1, .site = "a.test", .due = at(1)};
        board.learn(item, at(10));
        const DueBoard::Orders orders = board.plan(at(10), bounds);
        item.due = at(100'000);  // Put off.
        if (commit == Commit::LearntBefore) {
            board.learn(item, at(10));
        }
        board.done(orders.workers.at(0),
                   {.is_answered = tried.is_answered, .now = at(10), .took = tried.took});
        if (commit == Commit::LearntAfter) {
            board.learn(item, at(10));
        }
        board.worker_ended("a.test");
    }
    for (int i = 0; i < 30; ++i) {
        board.learn({.mail = MailId(++mail), .delivery = 1, .site = "a.test", .due = at(1)},
                    at(10));
    }
    return board.plan(at(10), bounds).workers.size();
}

// H1: greylisting is an answer, and it costs no time. The commit's word is often later than the
// attempt's.
TEST(DueBoard, H1_who_answers_at_once_is_quick_whatever_it_says) {
    for (const Commit commit : {Commit::LearntBefore, Commit::LearntAfter}) {
        EXPECT_EQ(workers_after({}, 8, commit), outbound_new_site_workers_max);
        EXPECT_EQ(workers_after({{std::chrono::seconds(0)}}, 8, commit), 8U);
        EXPECT_EQ(workers_after({{outbound_quick_delivery}}, 8, commit), 8U);
        EXPECT_EQ(workers_after({{outbound_quick_delivery}}, 100, commit), 10U);
    }
}

TEST(DueBoard, who_answers_and_takes_its_time_is_steady) {
    // All of its workers, but not those that are kept for the quick.
    for (const Duration took : {outbound_quick_delivery + Duration(1),
                                std::chrono::duration_cast<Duration>(outbound_slow_delivery)}) {
        EXPECT_EQ(workers_after({{took}}, 100), 10U);
        EXPECT_EQ(workers_after({{took}}, 8), 6U);
        EXPECT_EQ(workers_after({{Duration()}, {took}}, 8), 6U);
        EXPECT_EQ(workers_after({{took}, {Duration()}}, 8), 8U);
    }
}

TEST(DueBoard, who_keeps_us_waiting_is_slow) {
    const Tried tarpit{outbound_slow_delivery + Duration(1)};
    const Tried silence{outbound_slow_attempt + Duration(1), false};
    for (const Tried& slow : {tarpit, silence}) {
        EXPECT_EQ(workers_after({slow}, 100), 1U);
        EXPECT_EQ(workers_after({{Duration()}, slow}, 100), 1U);
        EXPECT_EQ(workers_after({slow, {Duration()}}, 100), 10U);
    }
}

TEST(DueBoard, who_cannot_be_reached_is_no_better_for_it) {
    const Tried refused{outbound_slow_attempt, false};
    EXPECT_EQ(workers_after({refused}, 100), outbound_new_site_workers_max);
    EXPECT_EQ(workers_after({{Duration()}, refused}, 8), 8U);
    EXPECT_EQ(workers_after({{std::chrono::seconds(30)}, refused}, 8), 6U);
    EXPECT_EQ(workers_after({{std::chrono::minutes(2)}, refused}, 100),
              outbound_new_site_workers_max);
}

}  // namespace
}  // namespace godwit::flow
