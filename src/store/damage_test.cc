// A damaged row costs what it stands for and nothing else: each family is spoiled in place, and
// what must go on is tried.
#include <gtest/gtest.h>

#include <functional>

#include "store/directory/schema.h"
#include "store/kv/key.h"
#include "store/kv/meta.h"
#include "store/mailbox/removal.h"
#include "store/mailbox/schema.h"
#include "store/mailbox/view.h"
#include "store/queue/queue.h"
#include "store/store_testing.h"

namespace godwit::store {
namespace {

class Damage : public ::testing::Test {
protected:
    Damage() {
        open();
        account_ = fixture::add_account(*store_, 1, CommitDrive::Manual);
        other_ = fixture::add_account(*store_, 2, CommitDrive::Manual);
        for (const char* body : {"one", "two", "three"}) {
            EXPECT_TRUE(deliver(account_, body));
        }
    }
    void open() {
        store_.reset();
        StoreOptions options;
        options.memory_disk = disk_;
        options.drive = CommitDrive::Manual;
        options.on_fatal = [](const Error& error) { ADD_FAILURE() << error.text; };
        store_ = *Store::open(std::move(options), &system_clock(), &random_);
    }
    CommitResult commit(Plan plan) {
        return fixture::commit(*store_, std::move(plan), CommitDrive::Manual);
    }
    template <class Step>
    CommitResult one(Step step) {
        Plan plan;
        plan.steps.emplace_back(std::move(step));
        return commit(std::move(plan));
    }
    bool deliver(AccountId account, std::string_view body) {
        Plan plan = fixture::delivery(*store_, account, body);
        auto& append = std::get<AppendMessage>(plan.steps.front());
        append.record.reference_hashes = {7};
        return commit(std::move(plan)).has_value();
    }
    MailId enqueue(std::uint32_t deliveries) {
        AddToQueue add;
        add.message.mail = store_->next_mail_id();
        add.message.blob = {sha256("three")};
        add.message.blob_size = 5;
        for (std::uint32_t i = 0; i < deliveries; ++i) {
            add.deliveries.push_back(delivery(i));
        }
        const MailId mail = add.message.mail;
        EXPECT_TRUE(one(std::move(add)));
        return mail;
    }
    static QueueDelivery delivery(std::uint32_t number) {
        QueueDelivery made;
        made.number = number;
        made.site = "example.net";
        return made;
    }
    /// Behind the back of all, and of what the store keeps in memory.
    void spoil(const std::string& key) {
        Batch batch;
        batch.put(key, "garbage");
        ASSERT_TRUE(store_->kv().commit(batch));
        open();
    }
    std::vector<Uid> uids() {
        std::vector<Uid> found;
        for (const MessageRow& row :
             *read_rows(*store_->snapshot(), ReadTier::Disk, account_, kInbox, Uid(1), 100)) {
            found.push_back(row.uid);
        }
        return found;
    }
    CommitResult expunge(std::vector<Uid> uids) {
        return one(ExpungeMessages{account_, kInbox, std::move(uids), false});
    }

    std::shared_ptr<MemoryKvDisk> disk_ = make_memory_kv_disk();
    SeededRandom random_{1};
    std::unique_ptr<Store> store_;
    AccountId account_;
    AccountId other_;
};

TEST_F(Damage, A_and_N_and_B_cost_the_account_or_the_mailbox) {
    spoil(mailbox_key(Family::Counters, account_, MailboxId{2}));
    const auto listed = list_mailboxes(*store_->snapshot(), ReadTier::Disk, account_);
    ASSERT_TRUE(listed);
    EXPECT_EQ(listed->size(), 5U);
    EXPECT_TRUE(deliver(account_, "four"));
    EXPECT_FALSE(read_mailbox(*store_->snapshot(), ReadTier::Disk, account_, MailboxId{2}));
    spoil(mailbox_key(Family::Mailbox, account_, MailboxId{3}));
    EXPECT_EQ(list_mailboxes(*store_->snapshot(), ReadTier::Disk, account_)->size(), 4U);
    EXPECT_TRUE(deliver(account_, "five"));
    spoil(account_prefix(Family::AccountHead, account_));
    EXPECT_FALSE(deliver(account_, "six"));
    EXPECT_TRUE(deliver(other_, "six"));
    EXPECT_EQ(uids().size(), 5U);
}

TEST_F(Damage, A_that_is_missing_refuses_and_nothing_is_numbered_anew) {
    Batch batch;
    batch.erase(account_prefix(Family::AccountHead, account_));
    ASSERT_TRUE(store_->kv().commit(batch));
    open();
    Plan plan = fixture::delivery(*store_, account_, "four");
    const auto done = commit(std::move(plan));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().error.code, ErrorCode::Corrupt);
    EXPECT_EQ(done.error().error.kind, ErrorKind::Temporary);
    EXPECT_FALSE(store_->kv()
                     .get(account_prefix(Family::AccountHead, account_), ReadTier::Disk)
                     .value()
                     .has_value());
    EXPECT_TRUE(deliver(other_, "four"));
    // It can still be removed.
    EXPECT_TRUE(commit(*plan_remove_account(*store_->snapshot(), "user1@example.test")));
}

TEST_F(Damage, U_costs_its_message) {
    spoil(message_key(account_, kInbox, Uid{2}));
    EXPECT_EQ(uids(), (std::vector<Uid>{Uid{1}, Uid{3}}));
    MailboxView view(account_, kInbox);
    RowsReading reading(account_, kInbox);
    EXPECT_TRUE(*reading.step(*store_->snapshot(), ReadTier::Disk));
    view.adopt(std::move(reading), {});
    ASSERT_EQ(view.damaged().size(), 1U);
    EXPECT_EQ(view.damaged()[0], Uid(2));
    EXPECT_EQ(view.rows().size(), 2U);
    EXPECT_TRUE(deliver(account_, "four"));
    // A session that knew it is told, and nothing of its plan is done.
    EXPECT_EQ(expunge({Uid{1}, Uid{2}}).error().error.code, ErrorCode::Corrupt);
    EXPECT_EQ(uids().size(), 3U);
    EXPECT_TRUE(expunge({Uid{1}, Uid{3}}));
}

TEST_F(Damage, M_costs_its_message_which_can_be_deleted) {
    spoil(email_key(Family::Email, account_, EmailId{2}));
    const std::vector<EmailId> emails = {EmailId{1}, EmailId{2}, EmailId{3}};
    const auto records = read_records(*store_->snapshot(), ReadTier::Disk, account_, emails);
    ASSERT_TRUE(records);
    EXPECT_FALSE((*records)[0]->is_damaged);
    EXPECT_TRUE((*records)[1]->is_damaged);
    EXPECT_EQ((*records)[2]->blob.hash, sha256("three"));
    EXPECT_TRUE(expunge({Uid{1}, Uid{2}}));
    EXPECT_EQ(uids(), std::vector<Uid>{Uid{3}});
}

TEST_F(Damage, E_K_T_H_L_Y_O_V_cost_nothing_that_is_read) {
    EXPECT_TRUE(one(CopyMessages{account_, kInbox, MailboxId{2}, {Uid{1}}, false}));
    spoil(email_key(Family::Membership, account_, EmailId{1}));
    spoil(thread_reference_key(account_, 7));
    spoil(log_key(account_, ModSeq{9}));
    spoil(name_key(Family::Subscription, account_, "INBOX"));
    spoil(account_prefix(Family::Keywords, account_));
    EXPECT_TRUE(deliver(account_, "four"));
    EXPECT_TRUE(expunge({Uid{1}, Uid{2}, Uid{3}}));
    EXPECT_TRUE(read_keywords(*store_->snapshot(), ReadTier::Disk, account_)->empty());
    EXPECT_EQ(list_subscriptions(*store_->snapshot(), ReadTier::Disk, account_)->size(), 6U);
    // What a client missed cannot be told: it synchronises in full.
    EXPECT_EQ(*read_expunged(*store_->snapshot(), ReadTier::Disk, account_, kInbox, ModSeq{8}),
              std::nullopt);
    const auto trim = plan_log_trim(*store_->snapshot(), ReadTier::Disk, account_, WallTime::max());
    ASSERT_TRUE(trim && *trim);
    EXPECT_EQ(std::get<Trimmed>(commit(**trim)->results[0]).is_done, true);
}

TEST_F(Damage, L_that_is_missing_is_not_taken_for_nothing) {
    const auto expunged_since = [&](std::uint64_t since) {
        return *read_expunged(*store_->snapshot(), ReadTier::Disk, account_, kInbox, ModSeq{since});
    };
    const auto lose = [&](std::uint64_t mod_seq) {
        Batch batch;
        batch.erase(log_key(account_, ModSeq{mod_seq}));
        ASSERT_TRUE(store_->kv().commit(batch));
        open();
    };
    ASSERT_TRUE(expunge({Uid{2}}));
    ASSERT_TRUE(deliver(account_, "four"));
    const std::uint64_t last =
        read_head(*store_->snapshot(), ReadTier::Disk, account_)->value().mod_seq;
    EXPECT_EQ(expunged_since(last - 3), std::vector<Uid>{Uid{2}});
    EXPECT_EQ(expunged_since(last), std::vector<Uid>{});
    lose(last - 1);  // The expunge, in the middle.
    EXPECT_EQ(expunged_since(last - 3), std::nullopt);
    EXPECT_EQ(expunged_since(last - 2), std::nullopt);
    EXPECT_EQ(expunged_since(last - 1), std::vector<Uid>{});
    lose(last);  // And the end.
    EXPECT_EQ(expunged_since(last - 1), std::nullopt);
    EXPECT_EQ(expunged_since(last), std::vector<Uid>{});
}

TEST_F(Damage, V_does_not_stop_the_clean_up) {
    const MailId mail(4);
    EXPECT_TRUE(one(TraceEvent{mail, system_clock().wall(), "a", "{}"}));
    EXPECT_TRUE(one(TraceEvent{mail, system_clock().wall(), "b", "{}"}));
    std::string first;
    const auto view = store_->snapshot();
    const auto cursor = view->cursor(ReadTier::Disk);
    cursor->seek(trace_prefix(mail));
    first = cursor->key();
    spoil(first);
    EXPECT_EQ(read_trace(*store_->snapshot(), ReadTier::Disk, mail)->size(), 1U);
    const auto trim = plan_trace_trim(*store_->snapshot(), ReadTier::Disk, WallTime::max());
    ASSERT_TRUE(trim && *trim);
    EXPECT_TRUE(commit(**trim));
    EXPECT_TRUE(read_trace(*store_->snapshot(), ReadTier::Disk, mail)->empty());
}

TEST_F(Damage, X_is_stored_anew_when_the_body_comes_again_and_can_be_removed) {
    const BlobId two{sha256("two")};
    spoil(blob_location_key(two));
    EXPECT_FALSE(store_->blobs().read(two, 0, 10, ReadTier::Disk));
    EXPECT_TRUE(deliver(other_, "two"));
    EXPECT_EQ(*store_->blobs().read(two, 0, 10, ReadTier::Disk), "two");
    spoil(blob_location_key({sha256("one")}));
    EXPECT_TRUE(expunge({Uid{1}}));
    EXPECT_TRUE(deliver(account_, "four"));
}

TEST_F(Damage, Q_and_D_are_shown_and_taken_off_the_due_index) {
    const MailId first = enqueue(2);
    const MailId second = enqueue(1);
    spoil(queue_message_key(second));
    spoil(queue_delivery_key(first, 1));
    const auto view = store_->snapshot();
    const auto listed = *list_queue(*view, ReadTier::Disk, MailId{}, 10);
    ASSERT_EQ(listed.size(), 2U);
    EXPECT_FALSE(listed[0].is_damaged);
    EXPECT_TRUE(listed[1].is_damaged);
    EXPECT_EQ(listed[1].mail, second);
    const auto deliveries = *read_deliveries(*view, ReadTier::Disk, first);
    ASSERT_EQ(deliveries.size(), 2U);
    EXPECT_FALSE(deliveries[0].is_damaged);
    EXPECT_TRUE(deliveries[1].is_damaged);
    EXPECT_EQ(deliveries[1].number, 1U);
    QueueDelivery dropped = delivery(1);
    dropped.is_damaged = true;
    EXPECT_TRUE(one(UpdateQueue{first, {dropped}}));
    dropped.number = 0;  // That one is sound: its row stays.
    EXPECT_EQ(one(UpdateQueue{first, {dropped}}).error().error.code, ErrorCode::Stale);
    DueRange range;
    range.site = "example.net";
    range.until = WallTime::max();
    range.count = 10;
    EXPECT_EQ(due_deliveries(*store_->snapshot(), ReadTier::Disk, range)->size(), 2U);
    // The delivery of the damaged message can be held.
    QueueDelivery held = delivery(0);
    held.is_held = true;
    EXPECT_TRUE(one(UpdateQueue{second, {held}}));
    EXPECT_EQ(due_deliveries(*store_->snapshot(), ReadTier::Disk, range)->size(), 1U);
    EXPECT_TRUE(one(RemoveFromQueue{second}));
    EXPECT_TRUE(one(RemoveFromQueue{first}));
    EXPECT_TRUE(list_queue(*store_->snapshot(), ReadTier::Disk, MailId{}, 10)->empty());
}

TEST_F(Damage, S_with_a_strange_key_does_not_hide_the_others) {
    const MailId mail = enqueue(1);
    spoil("S");
    spoil("Sexample.net");
    spoil("Szzz");
    const auto sites = due_sites(*store_->snapshot(), ReadTier::Disk, "", 10);
    ASSERT_TRUE(sites);
    ASSERT_EQ(sites->size(), 1U);
    EXPECT_EQ(sites->front().mail, mail);
}

TEST_F(Damage, P_costs_its_account_or_domain) {
    spoil(account_row_key(account_));
    EXPECT_EQ(list_accounts(*store_->snapshot(), ReadTier::Disk)->size(), 1U);
    EXPECT_TRUE(
        find_account(*store_->snapshot(), ReadTier::Disk, "user2", "example.test")->has_value());
    EXPECT_FALSE(find_account(*store_->snapshot(), ReadTier::Disk, "user1", "example.test"));
    const mail::Address postmaster{.local = "postmaster", .domain = "example.test"};
    EXPECT_EQ(
        resolve_recipient(*store_->snapshot(), ReadTier::Disk, postmaster, "example.test")->verdict,
        RecipientVerdict::Local);
    spoil(domain_row_key("gone.test"));
    EXPECT_EQ(list_domains(*store_->snapshot(), ReadTier::Disk)->size(), 1U);
}

TEST_F(Damage, A_removal_is_finished_over_damaged_rows) {
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(deliver(account_, "more" + std::to_string(i)));
    }
    spoil(email_key(Family::Email, account_, EmailId{2}));
    spoil(message_key(account_, kInbox, Uid{3}));
    EXPECT_TRUE(commit(*plan_remove_account(*store_->snapshot(), "user1@example.test")));
    while (true) {
        const auto plan = plan_removal(*store_->snapshot(), ReadTier::Disk);
        ASSERT_TRUE(plan);
        if (!*plan) {
            break;
        }
        ASSERT_TRUE(commit(**plan));
    }
    EXPECT_TRUE(uids().empty());
}

}  // namespace
}  // namespace godwit::store
