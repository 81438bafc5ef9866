// Mailboxes that several sessions open at the same moment, some with their rows and some without:
// no dialog decides what runs between two steps of a reading.
#include <gtest/gtest.h>

#include "net/io/task_group.h"
#include "serve/imap/selected.h"
#include "stage.h"

namespace godwit::dialog {
namespace {

using serve::imap_desk::Access;
using serve::imap_desk::AccountRoom;
using serve::imap_desk::Expunges;
using serve::imap_desk::Features;
using serve::imap_desk::Opened;
using serve::imap_desk::OpenMailbox;
using serve::imap_desk::Rows;
using serve::imap_desk::Selected;

// More than one step of a reading takes.
constexpr std::size_t kMessages = limits::scan_rows_max + 88;

struct Opening {
    Stage* stage;
    AccountId account;
    std::shared_ptr<AccountRoom> room{};
    std::shared_ptr<OpenMailbox> whole{};
    std::shared_ptr<OpenMailbox> head{};
    std::string told{};
};

net::Task<void> open_whole(Opening* all) {
    all->room = AccountRoom::enter(&all->stage->services(), all->account, all->account);
    Result<Opened> opened = co_await all->room->open(store::kInbox, ModSeq(0), Rows::Now);
    if (opened) {
        all->whole = std::move(opened->mailbox);
    }
}

// A commit whose news are still on their way when the mailbox is opened again.
net::Task<void> expunge_and_open(Opening* all) {
    store::ExpungeMessages step;
    step.account = all->account;
    step.mailbox = store::kInbox;
    step.uids = {Uid(1)};
    step.only_deleted = false;
    store::Plan plan;
    plan.steps.emplace_back(std::move(step));
    all->stage->commit(std::move(plan));
    Result<Opened> opened = co_await all->room->open(store::kInbox, ModSeq(0), Rows::Later);
    if (opened) {
        all->head = std::move(opened->mailbox);
    }
}

// Rows come between SELECT's look and its answer, as by another session.
net::Task<void> select_while_rows_come(Opening* all) {
    all->room = AccountRoom::enter(&all->stage->services(), all->account, all->account);
    Result<Opened> opened = co_await all->room->open(store::kInbox, ModSeq(0), Rows::Later);
    if (!opened || !opened->later || !co_await all->room->load_rows(opened->mailbox)) {
        co_return;
    }
    const Features features;
    Selected selected(all->room, *std::move(opened), "INBOX", Access::ReadWrite,
                      store::Rights::all(), &features, [] {});
    all->stage->fill("alice", "INBOX", 1);
    for (int turn = 0; turn < 4; ++turn) {
        co_await net::yield_now();
    }
    imap::ResponseWriter out;
    selected.announce(out, Expunges::Tell);
    all->told = out.take();
}

class AccountRoomRace : public ::testing::Test {
protected:
    AccountRoomRace() {
        stage_.start();
        stage_.fill("alice", "INBOX", kMessages);
        all_.stage = &stage_;
        all_.account = stage_.account("alice").id;
    }
    Stage stage_;
    Opening all_{};
};

TEST_F(AccountRoomRace, a_commit_between_a_reading_and_a_head_is_not_lost) {
    net::spawn(stage_.loop().shard(), "test.whole", open_whole(&all_));
    net::spawn(stage_.loop().shard(), "test.head", expunge_and_open(&all_));
    stage_.settle();
    ASSERT_NE(all_.whole, nullptr);
    EXPECT_EQ(all_.whole, all_.head);
    EXPECT_EQ(all_.whole->view().rows().size(), kMessages - 1);
    EXPECT_EQ(all_.whole->view().find(Uid(1)), nullptr);
    all_ = {};
}

TEST_F(AccountRoomRace, what_a_head_said_of_recent_is_not_said_again_with_rows) {
    net::spawn(stage_.loop().shard(), "test.select", select_while_rows_come(&all_));
    stage_.settle();
    const std::string count = std::to_string(kMessages + 1);
    EXPECT_EQ(all_.told, "* " + count + " EXISTS\r\n* " + count + " RECENT\r\n");
    all_ = {};
}

}  // namespace
}  // namespace godwit::dialog
