// The due board against a disk that is a plain map: everything is tried once its time has come, in
// order and in bounds, and a change costs a look at its own site only.
#include "flow/outbound/due_board.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/limits.h"
#include "flow/outbound/due_board_desk.h"

namespace godwit::flow {
namespace {

// How many of the site are handed out before `mail`, one after the other.
std::size_t handed_out_before(Desk& desk, std::uint64_t mail) {
    desk.plan(100);
    while (desk.end_one(100)) {
        if (desk.tried.back().mail.value() == mail) {
            return desk.tried.size() - 1;
        }
    }
    return std::numeric_limits<std::size_t>::max();
}

TEST(DueBoard, M9_a_single_message_does_not_wait_for_anothers_burst) {
    for (const std::size_t senders : {1U, 3U, 20U}) {
        Desk desk(1);
        desk.plan(50);
        std::uint64_t mail = 0;
        for (std::size_t sender = 1; sender <= senders; ++sender) {
            for (int i = 0; i < 300; ++i) {
                desk.traits[++mail] = {.sender = sender, .size = 1000};
                desk.put("big.test", mail, 10);
            }
        }
        desk.traits[++mail] = {.sender = 1000, .size = 1000};
        desk.put("big.test", mail, 40);
        EXPECT_LE(handed_out_before(desk, mail), senders * 8 / 7 + 1) << senders;
    }
}

TEST(DueBoard, M9_a_burst_longer_than_the_window_hides_nobody) {
    Desk desk(1);
    const std::uint64_t burst = 2 * limits::outbound_window_max;
    for (std::uint64_t mail = 1; mail <= burst; ++mail) {
        desk.traits[mail] = {.sender = 1, .size = 1000};
        desk.put("big.test", mail, 10);
    }
    desk.traits[burst + 1] = {.sender = 2, .size = 1000};
    desk.plan(100);
    desk.put("big.test", burst + 1, 90);
    EXPECT_LE(handed_out_before(desk, burst + 1), 3U);
    // And nothing is lost, and nothing is tried twice.
    while (desk.end_one(100)) {
    }
    std::set<std::uint64_t> seen;
    for (const store::DueDelivery& each : desk.tried) {
        EXPECT_TRUE(seen.insert(each.mail.value()).second);
    }
    EXPECT_EQ(seen.size(), burst + 1);
    EXPECT_EQ(desk.board.waiting(), 0U);
}

TEST(DueBoard, M3_high_priority_and_small_mail_go_first_and_bulk_still_goes) {
    Desk desk(1);
    for (std::uint64_t mail = 1; mail <= 100; ++mail) {
        desk.traits[mail] = {.sender = 1, .size = 10 * 1024 * 1024};
        desk.put("a.test", mail, 10);
    }
    for (std::uint64_t mail = 101; mail <= 200; ++mail) {
        desk.traits[mail] = {.sender = 2, .size = 1000};
        desk.put("a.test", mail, 20);
    }
    desk.traits[201] = {.sender = 1, .size = 1000, .priority = 4};
    desk.put("a.test", 201, 30);
    desk.plan(100);
    while (desk.tried.size() < 40 && desk.end_one(100)) {
    }
    const auto position = [&desk](auto wanted) {
        return std::ranges::find_if(desk.tried, wanted) - desk.tried.begin();
    };
    EXPECT_LE(position([](const auto& each) { return each.mail.value() == 201; }), 2);
    const auto large = std::ranges::count_if(
        desk.tried, [](const auto& each) { return each.mail.value() <= 100; });
    // One in eight is the oldest's, one is its own turn.
    EXPECT_GE(large, 5);
    EXPECT_LE(large, 8);
}

TEST(DueBoard, F12_a_site_that_waits_for_room_begins_when_it_is_woken) {
    DueBoard board;
    DueBoard::Bounds bounds;
    bounds.workers_max = 10;
    bounds.site_workers_max = [](const std::string&) { return 10U; };
    auto kind = DueBoard::Entry::Kind::Wait;
    std::size_t asked = 0;
    bounds.entry = [&](const std::string&) {
        ++asked;
        return DueBoard::Entry{.kind = kind, .until = at(50)};
    };
    board.learn({.mail = MailId(1), .delivery = 1, .site = "a.test", .due = at(10)}, at(10));
    EXPECT_TRUE(board.plan(at(10), bounds).workers.empty());
    EXPECT_TRUE(board.plan(at(11), bounds).workers.empty());
    EXPECT_EQ(asked, 1U);
    EXPECT_EQ(board.next_look(at(11)), WallTime::max());
    kind = DueBoard::Entry::Kind::Until;
    board.wake("a.test");
    EXPECT_TRUE(board.plan(at(12), bounds).workers.empty());
    EXPECT_EQ(board.next_look(at(12)), at(50));
    kind = DueBoard::Entry::Kind::Open;
    EXPECT_EQ(board.plan(at(50), bounds).workers.size(), 1U);
}

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
    desk.prove("a.test");
    desk.prove("b.test");
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
        desk.board.done(taken, {.is_settled = false, .now = at(5)});
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
        {.mail = MailId(1), .delivery = 1, .site = "a.test", .due = at(9), .is_held = true}, at(5));
    desk.board.done(desk.working.front(), {.now = at(5)});
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
    desk.learn_site("slow.test");
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
    desk.learn_site("a.test");
    desk.plan(10);
    while (desk.end_one(10)) {
    }
    EXPECT_EQ(desk.tried.size(), kMails);
    EXPECT_LE(desk.ordered_refills, 2 * kMails / (limits::scan_rows_max / 2));
}

// A commit that came after the rows were read, and before they arrive.
TEST(DueBoard, commit_during_a_refill_is_not_lost) {
    Desk desk;
    desk.board.learn_site({"a.test", at(1), MailId(1), 1});
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
    desk.board.learn_site({"a.test", at(1), MailId(1), 1});
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
    // All are due: a look for each refill and each worker, and at most one in vain after each end.
    desk.plan(3'000'000);
    EXPECT_EQ(desk.working.size(), 150U);
    while (desk.end_one(3'000'000)) {
    }
    EXPECT_EQ(desk.tried.size(), kMails + 1);
    EXPECT_LE(desk.looks, 3 * kMails);
    EXPECT_EQ(desk.board.sites(), 0U);
}

TEST(DueBoard, memory_holds_what_is_due_soon_and_no_more) {
    constexpr std::uint64_t kSites = 1000;
    constexpr std::uint64_t kMails = 200'000;
    Desk desk;
    const auto site_of = [](std::uint64_t mail) { return "s" + std::to_string(mail % kSites); };
    const auto foresight = std::chrono::duration_cast<std::chrono::seconds>(outbound_foresight);
    // Half of it is due within the foresight, half later.
    for (std::uint64_t mail = 1; mail <= kMails; ++mail) {
        const bool is_soon = mail % 2 == 0;
        desk.put(site_of(mail / 2), mail, is_soon ? 100 : 200 + foresight.count());
    }
    EXPECT_LE(desk.board.waiting(), outbound_kept_max);
    EXPECT_EQ(desk.board.sites(), kSites);
    EXPECT_EQ(desk.board.next_look(), at(100));
    desk.plan(100);
    std::size_t most = 0;
    while (desk.end_one(100)) {
        most = std::max(most, desk.board.waiting());
    }
    EXPECT_LE(most, outbound_kept_max + 200 * outbound_window_crowded);
    EXPECT_EQ(desk.tried.size(), kMails / 2);
    // The later half waits on disk, and the board knows since when.
    EXPECT_EQ(desk.board.next_look(), at(200 + foresight.count()));
    desk.plan(200 + foresight.count());
    while (desk.end_one(200 + foresight.count())) {
    }
    EXPECT_EQ(desk.tried.size(), kMails);
    EXPECT_EQ(desk.board.sites(), 0U);
}

TEST(DueBoard, start_reads_nothing_before_its_time) {
    Desk desk;
    for (std::uint64_t mail = 1; mail <= 10'000; ++mail) {
        desk.put_row("s" + std::to_string(mail), mail, static_cast<std::int64_t>(1000 + mail));
        desk.learn_site("s" + std::to_string(mail));
    }
    desk.plan(999);
    EXPECT_EQ(desk.ordered_refills, 0U);
    EXPECT_EQ(desk.board.next_look(), at(1001));
    desk.plan(1001);
    EXPECT_EQ(desk.ordered_refills, 1U);
    ASSERT_EQ(desk.working.size(), 1U);
    EXPECT_EQ(desk.working[0].mail, MailId(1));
    EXPECT_EQ(desk.board.next_look(at(1001)), at(1002));
}

TEST(DueBoard, clock_put_back_puts_nothing_off) {
    Desk desk;
    desk.put("a.test", 1, 0);
    desk.plan(1'000'000);
    ASSERT_EQ(desk.working.size(), 1U);
    desk.board.done(desk.working.front(), {.is_settled = false, .now = at(1'000'000)});
    desk.board.pause("a.test", at(1'000'030));
    desk.board.worker_ended("a.test");
    desk.working.clear();
    desk.plan(100);
    EXPECT_EQ(desk.working.size(), 1U);
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
            desk.learn_site(site);
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
                        desk.board.done(taken, {.is_answered = true, .now = at(now)});
                        if (auto next = desk.board.take(taken.site, at(now), 1)) {
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
