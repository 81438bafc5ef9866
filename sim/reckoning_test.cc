#include "sim/reckoning.h"

#include <gtest/gtest.h>

namespace godwit::sim {
namespace {

constexpr auto kText = "Subject: t000001 a letter\r\n\r\nbody\r\n";

// The letter as it comes over these hosts, the first one first.
std::string via(const std::vector<std::string>& hosts, const std::string& text = kText) {
    std::string whole = text;
    for (const std::string& host : hosts) {
        whole.insert(0, "Received: from x\r\n\tby " + host + ";\r\n");
    }
    return whole;
}

const MonoTime kNow{std::chrono::hours(30)};

// Two nodes and a peer; nothing in the world excuses a loss.
class Reckoning : public testing::Test {
protected:
    Reckoning() : ledger_(nullptr) {
        evidence_.nodes["node1.test"] = {
            .hostname = "mx.node1.test",
            .accounts = {"ann@node1.test", "ben@node1.test"},
            .aliases = {{"all@node1.test", {"ann@node1.test", "ben@node1.test"}},
                        {"both@node1.test", {"ann@node1.test", "user1@peer1.test"}},
                        {"far@node1.test", {"cleo@node2.test"}}}};
        evidence_.nodes["node2.test"] = {.hostname = "mx.node2.test",
                                         .accounts = {"cleo@node2.test"},
                                         .aliases = {{"abroad@node2.test", {"user0@peer1.test"}}}};
        evidence_.may_relays_repeat = false;
        evidence_.may_reports_be_lost = false;
        evidence_.may_reports_abroad_be_lost = false;
        write("ann@node1.test");
    }

    void write(const std::string& sender) {
        ledger_ = Ledger(nullptr);
        ledger_.wrote({.token = "t000001", .sender = sender, .text = kText});
    }
    void hand_over(const std::vector<std::string>& recipients, Told told = Told::Accepted,
                   bool wants_failure_report = true) {
        std::vector<Asked> asked;
        for (const std::string& recipient : recipients) {
            asked.push_back({recipient, wants_failure_report, !wants_failure_report});
        }
        ledger_.handed_over("t000001", "node1.test", asked, told);
    }
    void held(const std::string& account, const std::string& text = via({"mx.node1.test"}),
              const std::string& mailbox = "INBOX") {
        evidence_.held.push_back({.node = account.substr(account.find('@') + 1),
                                  .account = account,
                                  .mailbox = mailbox,
                                  .token = "t000001",
                                  .hash = message_hash(text),
                                  .hops = hops_of(text)});
    }
    void taken(const std::string& recipient, bool was_reply_read = true, MonoTime at = kNow,
               const std::string& text = via({"mx.node1.test"})) {
        const std::size_t number =
            ledger_.taken_abroad("t000001", {.peer = "peer1.test",
                                             .recipient = recipient,
                                             .node = "mx.node1.test",
                                             .body_sha256 = message_hash(text),
                                             .at = at,
                                             .hops = hops_of(text)});
        if (was_reply_read) {
            ledger_.reply_was_read(number);
        }
    }
    void reported(const std::string& recipient, const std::string& action = "failed",
                  const std::string& report = "") {
        ledger_.reported("t000001", recipient, "ann@node1.test", action, report);
    }
    // The invariants of all findings, in order.
    std::string broken() {
        std::string names;
        for (const std::string& finding : reckon(ledger_, evidence_)) {
            names += (names.empty() ? "" : " ") + finding.substr(0, finding.find(':'));
        }
        return names;
    }

    Ledger ledger_;
    Evidence evidence_;
};

TEST_F(Reckoning, all_is_well) {
    hand_over({"Ben@node1.test", "user0@peer1.test", "nobody@peer1.test", "all@node1.test"});
    held("ann@node1.test");
    held("ben@node1.test");
    taken("user0@peer1.test");
    reported("nobody@peer1.test");
    EXPECT_EQ(broken(), "");
}

TEST_F(Reckoning, local_mail_that_is_not_there) {
    hand_over({"ben@node1.test"});
    EXPECT_EQ(broken(), "P1");
}

TEST_F(Reckoning, local_mail_that_is_not_there_though_nobody_wants_to_hear_of_it) {
    hand_over({"ben@node1.test"}, Told::Accepted, false);
    EXPECT_EQ(broken(), "P1");
}

TEST_F(Reckoning, one_of_an_alias_is_missing) {
    hand_over({"all@node1.test"});
    held("ann@node1.test");
    EXPECT_EQ(broken(), "P1");
}

TEST_F(Reckoning, its_owner_took_it_away) {
    hand_over({"ben@node1.test"});
    ledger_.removed("t000001", "ben@node1.test");
    EXPECT_EQ(broken(), "");
}

TEST_F(Reckoning, its_owner_moved_it_and_copied_it) {
    hand_over({"ben@node1.test"});
    ledger_.removed("t000001", "ben@node1.test");
    held("ben@node1.test", kText, "box1");
    held("ben@node1.test", kText, "box2");
    EXPECT_EQ(broken(), "");
}

TEST_F(Reckoning, local_mail_twice) {
    hand_over({"ben@node1.test", "all@node1.test"});
    held("ann@node1.test");
    held("ben@node1.test");
    held("ben@node1.test");
    EXPECT_EQ(broken(), "P3");
}

TEST_F(Reckoning, local_mail_twice_and_one_taken_away) {
    hand_over({"ben@node1.test"});
    ledger_.removed("t000001", "ben@node1.test");
    held("ben@node1.test");
    EXPECT_EQ(broken(), "P3");
}

TEST_F(Reckoning, a_subaddress_has_a_copy_of_its_own) {
    hand_over({"ben@node1.test", "ben+work@node1.test"});
    held("ben@node1.test");
    EXPECT_EQ(broken(), "P1");
    held("ben@node1.test");
    EXPECT_EQ(broken(), "");
}

TEST_F(Reckoning, an_unknown_end_allows_one_more) {
    hand_over({"ben@node1.test"}, Told::Unknown);
    EXPECT_EQ(broken(), "");
    hand_over({"ben@node1.test"});
    held("ben@node1.test");
    EXPECT_EQ(broken(), "");
    held("ben@node1.test");
    EXPECT_EQ(broken(), "");
    held("ben@node1.test");
    EXPECT_EQ(broken(), "P3");
}

TEST_F(Reckoning, refused_and_delivered) {
    hand_over({"ben@node1.test"}, Told::Refused);
    held("ben@node1.test");
    EXPECT_EQ(broken(), "I1");
}

TEST_F(Reckoning, refused_by_a_node_that_ended_right_after) {
    hand_over({"ben@node1.test"}, Told::Refused);
    ledger_.crashed("mx.node1.test", MonoTime(std::chrono::seconds(2)));
    held("ben@node1.test");
    EXPECT_EQ(broken(), "");
}

TEST_F(Reckoning, remote_mail_that_is_gone) {
    hand_over({"user0@peer1.test"});
    EXPECT_EQ(broken(), "P1");
}

TEST_F(Reckoning, remote_mail_that_waits_by_order) {
    hand_over({"user0@peer1.test"});
    evidence_.on_hold.emplace("t000001", "user0@peer1.test");
    EXPECT_EQ(broken(), "");
}

TEST_F(Reckoning, remote_mail_that_an_operator_deleted) {
    hand_over({"user0@peer1.test"});
    ledger_.deleted("t000001");
    EXPECT_EQ(broken(), "");
}

TEST_F(Reckoning, local_mail_is_in_no_queue_to_be_deleted_from) {
    hand_over({"ann@node1.test"});
    ledger_.deleted("t000001");
    EXPECT_EQ(broken(), "P1");
}

TEST_F(Reckoning, remote_mail_of_one_who_wants_no_report_may_fail) {
    hand_over({"user0@peer1.test"}, Told::Accepted, false);
    EXPECT_EQ(broken(), "");
}

TEST_F(Reckoning, remote_mail_twice) {
    hand_over({"user0@peer1.test"});
    taken("user0@peer1.test");
    taken("user0@peer1.test");
    EXPECT_EQ(broken(), "I8");
}

TEST_F(Reckoning, remote_mail_twice_as_the_reply_was_lost) {
    hand_over({"user0@peer1.test"});
    taken("user0@peer1.test", false);
    taken("user0@peer1.test");
    EXPECT_EQ(broken(), "");
}

TEST_F(Reckoning, remote_mail_twice_as_the_node_crashed) {
    hand_over({"user0@peer1.test"});
    taken("user0@peer1.test");
    ledger_.crashed("mx.node1.test", kNow + std::chrono::seconds(59));
    taken("user0@peer1.test", true, kNow + std::chrono::hours(1));
    EXPECT_EQ(broken(), "");
}

TEST_F(Reckoning, remote_mail_twice_and_the_crash_was_long_after) {
    hand_over({"user0@peer1.test"});
    taken("user0@peer1.test");
    ledger_.crashed("mx.node1.test", kNow + std::chrono::minutes(10));
    taken("user0@peer1.test", true, kNow + std::chrono::hours(1));
    EXPECT_EQ(broken(), "I8");
}

TEST_F(Reckoning, delivered_and_reported) {
    hand_over({"user0@peer1.test"});
    taken("user0@peer1.test");
    reported("user0@peer1.test");
    EXPECT_EQ(broken(), "I7");
}

TEST_F(Reckoning, bounced_for_no_reason) {
    hand_over({"user0@peer1.test", "nobody@peer1.test"});
    reported("user0@peer1.test");
    reported("nobody@peer1.test");
    EXPECT_EQ(broken(), "");
    evidence_.users_abroad = {"user0@peer1.test"};
    evidence_.may_bounce = false;
    EXPECT_EQ(broken(), "L1");
}

TEST_F(Reckoning, a_second_report) {
    hand_over({"nobody@peer1.test"});
    reported("nobody@peer1.test", "failed", "<1@mx>");
    reported("nobody@peer1.test", "failed", "<2@mx>");
    EXPECT_EQ(broken(), "I4");
}

TEST_F(Reckoning, one_report_that_came_twice) {
    hand_over({"nobody@peer1.test"});
    reported("nobody@peer1.test", "failed", "<1@mx>");
    reported("nobody@peer1.test", "failed", "<1@mx>");
    EXPECT_EQ(broken(), "");
}

TEST_F(Reckoning, a_report_nobody_wants) {
    hand_over({"nobody@peer1.test"}, Told::Accepted, false);
    reported("nobody@peer1.test");
    EXPECT_EQ(broken(), "I4");
}

TEST_F(Reckoning, a_report_about_somebody_else) {
    hand_over({"ben@node1.test"});
    held("ben@node1.test");
    reported("user0@peer1.test", "delayed");
    EXPECT_EQ(broken(), "I4");
}

TEST_F(Reckoning, passed_on_and_never_taken) {
    hand_over({"user0@peer1.test"}, Told::Accepted, false);
    reported("user0@peer1.test", "relayed");
    EXPECT_EQ(broken(), "I3");
}

TEST_F(Reckoning, mail_for_another) {
    hand_over({"ben@node1.test"});
    held("ben@node1.test");
    held("ann@node1.test");
    EXPECT_EQ(broken(), "I1");
}

TEST_F(Reckoning, mail_that_was_changed) {
    hand_over({"ben@node1.test"});
    held("ben@node1.test", via({"mx.node1.test"}, "Subject: t000001 a letter\r\n\r\nbody \r\n"));
    EXPECT_EQ(broken(), "I9");
}

TEST_F(Reckoning, between_nodes) {
    hand_over({"far@node1.test", "abroad@node2.test", "nobody@node2.test"});
    const std::string relayed = via({"mx.node1.test", "mx.node2.test"});
    held("cleo@node2.test", relayed);
    taken("user0@peer1.test", true, kNow, relayed);
    reported("nobody@node2.test");
    EXPECT_EQ(broken(), "");
    held("cleo@node2.test", relayed);
    EXPECT_EQ(broken(), "I8");
    evidence_.may_relays_repeat = true;
    EXPECT_EQ(broken(), "");
}

TEST_F(Reckoning, each_hop_adds_one_line) {
    hand_over({"ben@node1.test"});
    held("ben@node1.test", kText);
    EXPECT_EQ(broken(), "I10");
    evidence_.held.clear();
    held("ben@node1.test", via({"mx.node1.test", "mx.node1.test"}));
    EXPECT_EQ(broken(), "I10");
    evidence_.held.clear();
    held("ben@node1.test", via({"mx.node2.test"}));
    EXPECT_EQ(broken(), "I10");
    // It is not appended because it could have been.
    ledger_.appended("t000001", "ann@node1.test", Told::Accepted);
    evidence_.held.clear();
    held("ben@node1.test", kText);
    EXPECT_EQ(broken(), "I10");
}

TEST_F(Reckoning, each_node_on_the_way_adds_its_line) {
    hand_over({"abroad@node2.test"});
    taken("user0@peer1.test", true, kNow, via({"mx.node2.test"}));
    EXPECT_EQ(broken(), "I10");
    hand_over({"user0@peer1.test"});
    taken("user0@peer1.test", true, kNow, via({"mx.node1.test"}));
    EXPECT_EQ(broken(), "I10");
}

TEST_F(Reckoning, lost_between_nodes) {
    hand_over({"far@node1.test"});
    EXPECT_EQ(broken(), "P1");
}

TEST_F(Reckoning, a_report_that_covers_an_alias) {
    hand_over({"abroad@node2.test"});
    reported("abroad@node2.test");
    EXPECT_EQ(broken(), "");
}

TEST_F(Reckoning, the_null_sender_hears_nothing_and_loses_nothing_here) {
    write("");
    hand_over({"ben@node1.test", "nobody@peer1.test"}, Told::Accepted, false);
    EXPECT_EQ(broken(), "P1");
    held("ben@node1.test");
    EXPECT_EQ(broken(), "");
}

TEST_F(Reckoning, appended_by_its_owner) {
    ledger_.appended("t000001", "ben@node1.test", Told::Accepted);
    held("ben@node1.test", kText);
    EXPECT_EQ(broken(), "");
    held("ann@node1.test");
    EXPECT_EQ(broken(), "I1");
}

TEST_F(Reckoning, ends_of_addresses) {
    const auto where = [this](const std::string& address) {
        std::string all;
        for (const End& end : ends_of(evidence_.nodes, "node1.test", address)) {
            all += (all.empty() ? "" : " ") + end.where;
        }
        return all;
    };
    EXPECT_EQ(where("ALL+x@node1.test"), "ann@node1.test ben@node1.test");
    EXPECT_EQ(where("postmaster@node1.test"), "ann@node1.test");
    EXPECT_EQ(where("both@node1.test"), "ann@node1.test user1@peer1.test");
    EXPECT_EQ(where("abroad@node2.test"), "user0@peer1.test");
    EXPECT_EQ(where("nobody@node2.test"), "nobody@node2.test");
}

}  // namespace
}  // namespace godwit::sim
