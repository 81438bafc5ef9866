// The due board against a disk that is a plain map: everything is tried once its time has come, in
// order and in bounds, and a change costs a look at its own site only.
#include "flow/outbound/due_board.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>

#include "base/limits.h"

namespace godwit::flow {
namespace {

WallTime at(std::int64_t seconds) {
    return from_unix_seconds(seconds);
}

/// The rows on disk, the board, and who works on what.
class Desk {
public:
    explicit Desk(std::uint32_t workers_max = 200, std::uint32_t site_workers_max = 10) {
        bounds_.workers_max = workers_max;
        bounds_.site_workers_max = [this, site_workers_max](const std::string&) {
            ++looks;
            return site_workers_max;
        };
    }
    /// A row on disk that nobody has told the board of.
    void put_row(const std::string& site, std::uint64_t mail, std::int64_t due) {
        rows_[site].insert({at(due), mail});
        due_of_[mail] = at(due);
    }
    void put(const std::string& site, std::uint64_t mail, std::int64_t due) {
        remove_row(site, mail);
        put_row(site, mail, due);
        board.learn({.mail = MailId(mail), .delivery = 1, .site = site, .due = at(due)});
    }
    void remove(const std::string& site, std::uint64_t mail) {
        remove_row(site, mail);
        board.learn(
            {.mail = MailId(mail), .delivery = 1, .site = site, .due = {}, .is_gone = true});
    }
    /// Plans until nothing more is ordered; refills read the rows as they stand.
    void plan(std::int64_t now) {
        for (;;) {
            DueBoard::Orders orders = board.plan(at(now), bounds_);
            ordered_refills += orders.refills.size();
            std::ranges::move(orders.workers, std::back_inserter(working));
            for (const store::DueRange& range : orders.refills) {
                board.refilled(range, read(range));
            }
            if (orders.refills.empty()) {
                return;
            }
        }
    }
    /// One working delivery ends; its worker goes on with the next one or ends. False: none works.
    bool end_one(std::int64_t now, std::optional<std::int64_t> again_at = std::nullopt) {
        if (working.empty()) {
            return false;
        }
        const store::DueDelivery taken = working.front();
        working.pop_front();
        tried.push_back(taken);
        if (again_at) {
            put(taken.site, taken.mail.value(), *again_at);
        } else {
            remove(taken.site, taken.mail.value());
        }
        board.done(taken, true);
        if (auto next = board.take(taken.site, at(now))) {
            working.push_back(*std::move(next));
        } else {
            board.worker_ended(taken.site);
        }
        plan(now);
        return true;
    }
    std::vector<store::DueDelivery> read(const store::DueRange& range) const {
        std::vector<store::DueDelivery> out;
        const auto found = rows_.find(range.site);
        if (found == rows_.end()) {
            return out;
        }
        for (auto row = found->second.lower_bound({range.from, 0});
             row != found->second.end() && row->first < range.until && out.size() < range.count;
             ++row) {
            out.push_back({range.site, row->first, MailId(row->second), 1});
        }
        return out;
    }
    std::size_t rows(const std::string& site) const {
        const auto found = rows_.find(site);
        return found == rows_.end() ? 0 : found->second.size();
    }

    DueBoard board;
    std::deque<store::DueDelivery> working;
    std::vector<store::DueDelivery> tried;
    std::size_t looks = 0;
    std::size_t ordered_refills = 0;

private:
    void remove_row(const std::string& site, std::uint64_t mail) {
        if (const auto due = due_of_.find(mail); due != due_of_.end()) {
            rows_[site].erase({due->second, mail});
            due_of_.erase(due);
        }
    }
    DueBoard::Bounds bounds_;
    std::map<std::string, std::set<std::pair<WallTime, std::uint64_t>>> rows_;
    std::map<std::uint64_t, WallTime> due_of_;
};

TEST(DueBoard, tries_what_is_due_earliest_first) {
    Desk desk(1);
    desk.put("b.test", 1, 30);
    desk.put("a.test", 2, 10);
    desk.put("a.test", 3, 99);
    EXPECT_EQ(desk.board.next_look(), at(10));
    desk.plan(40);
    ASSERT_EQ(desk.working.size(), 1U);
    EXPECT_EQ(desk.working.front().mail, MailId(2));
    while (desk.end_one(40)) {
    }
    ASSERT_EQ(desk.tried.size(), 2U);
    EXPECT_EQ(desk.tried.back().mail, MailId(1));
    EXPECT_EQ(desk.board.next_look(), at(99));
    EXPECT_EQ(desk.board.sites(), 1U);
}

TEST(DueBoard, keeps_to_the_workers_of_a_site_and_of_all) {
    Desk desk(5, 3);
    for (std::uint64_t mail = 1; mail <= 8; ++mail) {
        desk.put(mail <= 4 ? "a.test" : "b.test", mail, 1);
    }
    desk.plan(10);
    EXPECT_EQ(desk.working.size(), 5U);
    EXPECT_EQ(desk.board.waiting("a.test") + desk.board.waiting("b.test"), 3U);
    EXPECT_EQ(std::ranges::count(desk.working, "a.test", &store::DueDelivery::site), 3);
    while (desk.end_one(10)) {
        EXPECT_LE(desk.working.size(), 5U);
    }
    EXPECT_EQ(desk.tried.size(), 8U);
    EXPECT_EQ(desk.board.workers(), 0U);
    EXPECT_EQ(desk.board.sites(), 0U);
}

TEST(DueBoard, delivery_that_moves_while_in_hand_waits_for_its_new_time) {
    Desk desk;
    desk.put("a.test", 1, 1);
    desk.plan(5);
    ASSERT_TRUE(desk.end_one(5, 60));
    EXPECT_TRUE(desk.working.empty());
    EXPECT_EQ(desk.board.next_look(), at(60));
    desk.plan(60);
    EXPECT_EQ(desk.working.size(), 1U);
}

TEST(DueBoard, refused_outcome_pauses_the_site) {
    Desk desk;
    desk.put("a.test", 1, 1);
    desk.put("a.test", 2, 1);
    desk.plan(5);
    ASSERT_EQ(desk.working.size(), 2U);
    for (const store::DueDelivery& taken : desk.working) {
        desk.board.done(taken, false);
        desk.board.pause("a.test", at(35));
        desk.board.worker_ended("a.test");
    }
    desk.working.clear();
    desk.plan(34);
    EXPECT_TRUE(desk.working.empty());
    EXPECT_EQ(desk.board.next_look(), at(35));
    desk.plan(35);
    EXPECT_EQ(desk.working.size(), 2U);
}

TEST(DueBoard, held_while_in_hand_is_forgotten) {
    Desk desk;
    desk.put("a.test", 1, 1);
    desk.plan(5);
    desk.board.learn(
        {.mail = MailId(1), .delivery = 1, .site = "a.test", .due = at(9), .is_held = true});
    desk.board.done(desk.working.front(), true);
    desk.board.worker_ended("a.test");
    EXPECT_EQ(desk.board.next_look(), WallTime::max());
    EXPECT_EQ(desk.board.sites(), 0U);
}

// What failed comes back with a later time than all that still waits on disk.
TEST(DueBoard, retries_do_not_hide_the_backlog_on_disk) {
    constexpr std::uint64_t kMails = 6000;
    Desk desk;
    for (std::uint64_t mail = 1; mail <= kMails; ++mail) {
        desk.put_row("slow.test", mail, static_cast<std::int64_t>(mail));
    }
    desk.board.learn_site("slow.test");
    desk.plan(10'000);
    for (std::uint64_t i = 0; i < kMails; ++i) {
        ASSERT_TRUE(desk.end_one(10'000, 20'000)) << "after " << i;
    }
    EXPECT_FALSE(desk.end_one(10'000));
    std::set<MailId> mails;
    for (const store::DueDelivery& tried : desk.tried) {
        mails.insert(tried.mail);
    }
    EXPECT_EQ(mails.size(), kMails);
    EXPECT_EQ(desk.board.next_look(), at(20'000));
}

TEST(DueBoard, many_rows_of_one_time_are_all_tried) {
    constexpr std::uint64_t kMails = 3000;
    Desk desk;
    for (std::uint64_t mail = 1; mail <= kMails; ++mail) {
        desk.put_row("a.test", mail, 7);
    }
    desk.board.learn_site("a.test");
    desk.plan(10);
    while (desk.end_one(10)) {
    }
    EXPECT_EQ(desk.tried.size(), kMails);
    EXPECT_LE(desk.ordered_refills, 2 * kMails / (limits::scan_rows_max / 2));
}

// A commit that came after the rows were read, and before they arrive.
TEST(DueBoard, commit_during_a_refill_is_not_lost) {
    Desk desk;
    desk.board.learn_site("a.test");
    DueBoard::Bounds bounds{.workers_max = 10,
                            .site_workers_max = [](const std::string&) { return 10U; }};
    DueBoard::Orders orders = desk.board.plan(at(5), bounds);
    ASSERT_EQ(orders.refills.size(), 1U);
    const std::vector<store::DueDelivery> stale = desk.read(orders.refills[0]);
    // More than the window holds, so that the last of them are let go again.
    const std::uint64_t count = limits::outbound_window_max + 500;
    for (std::uint64_t mail = 1; mail <= count; ++mail) {
        desk.put("a.test", mail, static_cast<std::int64_t>(100 + mail));
    }
    desk.board.refilled(orders.refills[0], stale);
    desk.plan(1'000'000);
    while (desk.end_one(1'000'000)) {
    }
    EXPECT_EQ(desk.tried.size(), count);
}

TEST(DueBoard, failed_refill_is_asked_again) {
    Desk desk;
    desk.put_row("a.test", 1, 1);
    desk.board.learn_site("a.test");
    DueBoard::Bounds bounds{.workers_max = 10,
                            .site_workers_max = [](const std::string&) { return 10U; }};
    ASSERT_EQ(desk.board.plan(at(5), bounds).refills.size(), 1U);
    desk.board.refill_failed("a.test", at(10));
    EXPECT_EQ(desk.board.next_look(), at(10));
    desk.plan(10);
    EXPECT_EQ(desk.working.size(), 1U);
}

TEST(DueBoard, change_looks_at_its_own_site_only_among_20000) {
    constexpr std::uint64_t kSites = 20'000;
    constexpr std::uint64_t kMails = 100'000;
    Desk desk;
    const auto site_of = [](std::uint64_t mail) {
        return "s" + std::to_string(mail % kSites) + ".test";
    };
    for (std::uint64_t mail = 1; mail <= kMails; ++mail) {
        desk.put(site_of(mail), mail, 1'000'000 + static_cast<std::int64_t>(mail));
        desk.plan(100);
    }
    EXPECT_EQ(desk.board.sites(), kSites);
    // Nothing was due: 100,000 changes, and no site was looked at.
    EXPECT_EQ(desk.looks, 0U);
    // One becomes due now: one look.
    desk.put(site_of(77), 77, 50);
    desk.plan(100);
    EXPECT_EQ(desk.looks, 1U);
    ASSERT_EQ(desk.working.size(), 1U);
    ASSERT_TRUE(desk.end_one(100, 2'000'000));
    EXPECT_EQ(desk.looks, 1U);
    // All are due: a look for each worker begun, and at most one in vain after each end.
    desk.plan(3'000'000);
    EXPECT_EQ(desk.working.size(), 200U);
    while (desk.end_one(3'000'000)) {
    }
    EXPECT_EQ(desk.tried.size(), kMails + 1);
    EXPECT_LE(desk.looks, 2 * kMails + 400);
    EXPECT_EQ(desk.board.sites(), 0U);
}

// Random changes, reads that are stale by a while, ends and failures; in the end all were tried.
TEST(DueBoard, random_walk_loses_nothing) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        std::mt19937 random(seed);
        const auto below = [&](std::uint64_t n) { return random() % n; };
        Desk desk(40, 4);
        DueBoard::Bounds bounds{.workers_max = 40,
                                .site_workers_max = [](const std::string&) { return 4U; }};
        std::vector<std::pair<store::DueRange, std::vector<store::DueDelivery>>> reads;
        std::int64_t now = 1000;
        std::uint64_t last = 0;
        for (; last < 3000; ++last) {
            desk.put_row("s" + std::to_string(last % 3), last + 1,
                         static_cast<std::int64_t>(below(3000)));
        }
        for (const char* site : {"s0", "s1", "s2"}) {
            desk.board.learn_site(site);
        }
        for (int step = 0; step < 20'000; ++step) {
            now += static_cast<std::int64_t>(below(2));
            switch (below(6)) {
                case 0:
                    desk.put("s" + std::to_string(last % 3), last + 1,
                             now + static_cast<std::int64_t>(below(500)));
                    ++last;
                    break;
                case 1: {
                    DueBoard::Orders orders = desk.board.plan(at(now), bounds);
                    std::ranges::move(orders.workers, std::back_inserter(desk.working));
                    for (const store::DueRange& range : orders.refills) {
                        reads.emplace_back(range, desk.read(range));
                    }
                    break;
                }
                case 2:
                    if (!reads.empty() && below(4) == 0) {
                        desk.board.refilled(reads.front().first, reads.front().second);
                        reads.erase(reads.begin());
                    }
                    break;
                default:
                    if (!desk.working.empty()) {
                        const store::DueDelivery taken = desk.working.front();
                        desk.working.pop_front();
                        if (below(4) == 0) {
                            desk.put(taken.site, taken.mail.value(),
                                     now + 1 + static_cast<std::int64_t>(below(900)));
                        } else {
                            desk.remove(taken.site, taken.mail.value());
                        }
                        desk.board.done(taken, true);
                        if (auto next = desk.board.take(taken.site, at(now))) {
                            desk.working.push_back(*std::move(next));
                        } else {
                            desk.board.worker_ended(taken.site);
                        }
                    }
            }
        }
        for (auto& [range, rows] : reads) {
            desk.board.refilled(range, rows);
        }
        desk.plan(10'000'000);
        while (desk.end_one(10'000'000)) {
        }
        EXPECT_EQ(desk.rows("s0") + desk.rows("s1") + desk.rows("s2"), 0U) << "seed " << seed;
        EXPECT_EQ(desk.board.sites(), 0U) << "seed " << seed;
        EXPECT_EQ(desk.board.next_look(), WallTime::max()) << "seed " << seed;
    }
}

}  // namespace
}  // namespace godwit::flow
