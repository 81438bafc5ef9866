#include "sim/people/comparison.h"

#include <gtest/gtest.h>

namespace godwit::sim {
namespace {

using Kind = Unanswered::Kind;

ReadMessage letter(int number) {
    return {.hash = "hash" + std::to_string(number), .token = "t00000" + std::to_string(number)};
}

RememberedMessage remembered(int number, Flags flags = {}) {
    return {.hash = "hash" + std::to_string(number),
            .token = "t00000" + std::to_string(number),
            .is_report = false,
            .flags = {std::move(flags)}};
}

std::string broken(const Comparison& comparison) {
    std::string names;
    for (const auto& [invariant, what] : comparison.broken) {
        names += (names.empty() ? "" : " ") + invariant;
    }
    return names;
}

// INBOX with UIDs 1 to 3, and box1 with UID 1.
class Compare : public testing::Test {
protected:
    Compare() {
        memory_.knows_mailboxes = true;
        memory_.mailboxes["INBOX"] = {.uid_validity = 7, .uid_next = 4, .messages = {}, .gone = {}};
        memory_.mailboxes["box1"] = {.uid_validity = 8, .uid_next = 2, .messages = {}, .gone = {}};
        inbox_ = {.uid_validity = 7, .uid_next = 4, .messages = {}, .read = {}};
        box1_ = {.uid_validity = 8, .uid_next = 2, .messages = {{1, {}}}, .read = {}};
        for (const int uid : {1, 2, 3}) {
            const auto key = static_cast<std::uint32_t>(uid);
            memory_.mailboxes["INBOX"].messages[key] = remembered(uid);
            inbox_.messages[key] = {};
        }
        memory_.mailboxes["box1"].messages[1] = remembered(9);
    }

    std::string inbox() { return broken(compare_mailbox(memory_, "INBOX", inbox_)); }
    std::string box1() { return broken(compare_mailbox(memory_, "box1", box1_)); }
    void left_unanswered(Kind kind) {
        memory_.unanswered = Unanswered{.kind = kind,
                                        .source = "INBOX",
                                        .target = kind == Kind::Expunge ? "" : "box1",
                                        .uids = {1, 2},
                                        .messages = {remembered(1), remembered(2)}};
    }
    void leave_inbox() {
        inbox_.messages.erase(1);
        inbox_.messages.erase(2);
    }
    void reach_box1() {
        box1_.uid_next = 4;
        box1_.messages[2] = {};
        box1_.messages[3] = {};
        box1_.read[2] = letter(1);
        box1_.read[3] = letter(2);
    }

    Person::Memory memory_;
    Seen inbox_;
    Seen box1_;
};

TEST_F(Compare, nothing_happened) {
    EXPECT_EQ(inbox(), "");
    EXPECT_EQ(box1(), "");
}

TEST_F(Compare, new_mail) {
    inbox_.messages[4] = {};
    inbox_.uid_next = 5;
    inbox_.read[4] = letter(4);
    EXPECT_EQ(inbox(), "");
    EXPECT_EQ(memory_.mailboxes["INBOX"].messages[4].token, "t000004");
    EXPECT_EQ(memory_.mailboxes["INBOX"].uid_next, 5U);
}

TEST_F(Compare, a_uid_that_was_skipped_is_given) {
    memory_.mailboxes["INBOX"].uid_next = 6;
    inbox_.uid_next = 6;
    inbox_.messages[5] = {};
    inbox_.read[5] = letter(5);
    EXPECT_EQ(inbox(), "I15");
}

TEST_F(Compare, a_uid_is_given_to_another) {
    inbox_.read[3] = letter(8);
    EXPECT_EQ(inbox(), "I15");
}

TEST_F(Compare, uidnext_goes_back) {
    inbox_.uid_next = 3;
    EXPECT_EQ(inbox(), "I15");
}

TEST_F(Compare, what_was_removed_comes_back) {
    Comparison gone;
    forget(memory_, "INBOX", 2, gone);
    EXPECT_EQ(gone.removed, std::vector<std::string>{"t000002"});
    EXPECT_EQ(inbox(), "P4");
}

TEST_F(Compare, uidvalidity_changes) {
    inbox_.uid_validity = 8;
    EXPECT_EQ(inbox(), "I16");
}

TEST_F(Compare, a_name_is_used_again_with_the_old_uidvalidity) {
    memory_.retired["box1"] = 8;
    memory_.mailboxes["box1"] = {};
    box1_.messages.clear();
    EXPECT_EQ(box1(), "I16");
}

TEST_F(Compare, a_message_is_lost) {
    inbox_.messages.erase(2);
    EXPECT_EQ(inbox(), "P4");
}

TEST_F(Compare, a_flag_is_lost) {
    memory_.mailboxes["INBOX"].messages[2].flags = {{"\\Seen"}};
    EXPECT_EQ(inbox(), "I24");
}

TEST_F(Compare, a_flag_that_nobody_was_told_of) {
    memory_.mailboxes["INBOX"].messages[2].flags = {{}, {"\\Seen"}};
    inbox_.messages[2] = {"\\Seen"};
    EXPECT_EQ(inbox(), "");
    inbox_.messages[2] = {};
    EXPECT_EQ(inbox(), "I24") << "it was seen and is settled";
}

TEST_F(Compare, what_nobody_put_there) {
    reach_box1();
    EXPECT_EQ(box1(), "P2 P2");
}

TEST_F(Compare, expunged_whole_or_not_at_all) {
    left_unanswered(Kind::Expunge);
    EXPECT_EQ(inbox(), "");
    left_unanswered(Kind::Expunge);
    leave_inbox();
    EXPECT_EQ(inbox(), "");
    EXPECT_EQ(memory_.mailboxes["INBOX"].gone.size(), 2U);
}

TEST_F(Compare, expunged_by_half) {
    left_unanswered(Kind::Expunge);
    inbox_.messages.erase(1);
    EXPECT_EQ(inbox(), "I25");
}

TEST_F(Compare, moved_whole) {
    left_unanswered(Kind::Move);
    leave_inbox();
    reach_box1();
    EXPECT_EQ(inbox(), "");
    EXPECT_EQ(box1(), "");
    EXPECT_EQ(broken(conclude(memory_)), "");
}

TEST_F(Compare, moved_into_both) {
    left_unanswered(Kind::Move);
    reach_box1();
    EXPECT_EQ(inbox(), "");
    EXPECT_EQ(box1(), "");
    EXPECT_EQ(broken(conclude(memory_)), "I25");
}

TEST_F(Compare, moved_into_neither) {
    left_unanswered(Kind::Move);
    leave_inbox();
    EXPECT_EQ(inbox(), "");
    EXPECT_EQ(box1(), "");
    EXPECT_EQ(broken(conclude(memory_)), "I25");
}

TEST_F(Compare, copied_by_half) {
    left_unanswered(Kind::Copy);
    reach_box1();
    box1_.messages.erase(3);
    EXPECT_EQ(box1(), "I25");
}

TEST_F(Compare, names_of_mailboxes) {
    EXPECT_EQ(broken(compare_names(memory_, {"INBOX", "box1"})), "");
    EXPECT_EQ(broken(compare_names(memory_, {"INBOX"})), "P4");
    EXPECT_EQ(broken(compare_names(memory_, {"INBOX", "box3"})), "P4");
}

TEST_F(Compare, renamed_to_two_or_none) {
    const Unanswered asked{
        .kind = Kind::Rename, .source = "box1", .target = "box2", .uids = {}, .messages = {}};
    memory_.unanswered = asked;
    EXPECT_EQ(broken(compare_names(memory_, {"INBOX", "box2"})), "");
    EXPECT_EQ(memory_.mailboxes["box2"].uid_validity, 8U);
    // The look may be repeated before the command's outcome is settled.
    EXPECT_EQ(broken(compare_names(memory_, {"INBOX", "box2"})), "");
    EXPECT_EQ(memory_.mailboxes["box2"].uid_validity, 8U);
    memory_.mailboxes["box1"] = std::exchange(memory_.mailboxes["box2"], {});
    memory_.mailboxes.erase("box2");
    memory_.unanswered = asked;
    EXPECT_EQ(broken(compare_names(memory_, {"INBOX", "box1", "box2"})), "I26 P4");
}

TEST_F(Compare, made_or_not) {
    memory_.unanswered = Unanswered{
        .kind = Kind::Create, .source = "", .target = "box2", .uids = {}, .messages = {}};
    EXPECT_EQ(broken(compare_names(memory_, {"INBOX", "box1"})), "");
    EXPECT_EQ(broken(compare_names(memory_, {"INBOX", "box1", "box2"})), "");
}

}  // namespace
}  // namespace godwit::sim
