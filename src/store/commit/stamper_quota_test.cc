// What accounts and domains may hold: each bound at one less, at it, and at one more.
#include <gtest/gtest.h>

#include "store/commit/stamper_testing.h"
#include "store/directory/schema.h"
#include "store/mailbox/removal.h"

namespace godwit::store {
namespace {

constexpr std::uint64_t kSize = 117;  // Of each test message.

class StamperQuotaTest : public StamperTest {
protected:
    void bound(const Quota& quota) {
        Account account = **read_account(*desk_.snapshot(), ReadTier::Disk, alice_);
        account.quota = quota;
        ASSERT_TRUE(desk_.commit(*plan_change_account(*desk_.snapshot(), account)));
    }
    void bound_domain(const Quota& all, const Quota& each = {}) {
        Domain domain = **find_domain(*desk_.snapshot(), ReadTier::Disk, "example.test");
        domain.quota = all;
        domain.account_quota = each;
        ASSERT_TRUE(desk_.commit(*plan_change_domain(*desk_.snapshot(), domain)));
    }
    bool may_append(AccountId account) {
        const TestMessage message = message_for(account, kInbox, "more" + std::to_string(++next_));
        const auto done = desk_.commit(message.step, message.bodies);
        EXPECT_TRUE(done || done.error().error.code == ErrorCode::OverQuota);
        return done.has_value();
    }
    bool may_create() {
        const auto done = desk_.commit(CreateMailbox{
            .account = alice_, .name = "box" + std::to_string(++next_), .special_use = {}});
        EXPECT_TRUE(done || done.error().error.code == ErrorCode::OverQuota);
        return done.has_value();
    }
    std::optional<QuotaUse> domain_use() {
        return *read_domain_use(*desk_.snapshot(), ReadTier::Disk, "example.test");
    }
    int next_ = 0;
};

TEST_F(StamperQuotaTest, Octets_are_bounded) {
    bound({.bytes = 2 * kSize - 1});
    EXPECT_TRUE(may_append(alice_));
    EXPECT_FALSE(may_append(alice_));
    bound({.bytes = 2 * kSize});
    EXPECT_TRUE(may_append(alice_));
    EXPECT_FALSE(may_append(alice_));
    bound({.bytes = 3 * kSize + 1});
    EXPECT_TRUE(may_append(alice_));
    EXPECT_FALSE(may_append(alice_));
}

TEST_F(StamperQuotaTest, Messages_are_bounded_and_copies_count_and_moves_do_not) {
    bound({.messages = 2});
    EXPECT_TRUE(may_append(alice_));
    EXPECT_TRUE(may_append(alice_));
    EXPECT_FALSE(may_append(alice_));
    const MailboxId other = desk_.named(alice_, "Archive");
    EXPECT_EQ(desk_.refusal(CopyMessages{
                  .account = alice_, .source = kInbox, .target = other, .uids = {Uid(1)}}),
              ErrorCode::OverQuota);
    copy(kInbox, other, {Uid(1)}, true);
    bound({.messages = 3});
    copy(kInbox, other, {Uid(2)});
    EXPECT_FALSE(may_append(alice_));
    expunge(other, {Uid(1)});
    EXPECT_TRUE(may_append(alice_));
}

TEST_F(StamperQuotaTest, Mailboxes_are_bounded_and_what_a_deleted_one_leaves_is_no_new_one) {
    const std::uint64_t usual = desk_.head(alice_).mailboxes;
    bound({.mailboxes = usual});
    EXPECT_FALSE(may_create());
    bound({.mailboxes = usual + 1});
    EXPECT_TRUE(may_create());
    EXPECT_FALSE(may_create());
    bound({});
    create("a");
    create("a/b");
    bound({.mailboxes = 1});
    remove(desk_.named(alice_, "a"));
    EXPECT_FALSE(may_create());
}

TEST_F(StamperQuotaTest, Domain_gives_bounds_to_accounts_without_one) {
    bound_domain({}, {.messages = 1});
    EXPECT_TRUE(may_append(alice_));
    EXPECT_FALSE(may_append(alice_));
    bound({.messages = 2});
    EXPECT_TRUE(may_append(alice_));
    EXPECT_FALSE(may_append(alice_));
    bound({.bytes = 1000});
    EXPECT_FALSE(may_append(alice_));
    bound_domain({});
    EXPECT_TRUE(may_append(alice_));
}

TEST_F(StamperQuotaTest, Domain_is_bounded_over_its_accounts) {
    const AccountId bob = desk_.add_account("bob@example.test");
    EXPECT_TRUE(may_append(alice_));
    bound_domain({.bytes = 3 * kSize - 1});
    EXPECT_TRUE(may_append(bob));
    EXPECT_FALSE(may_append(alice_));
    bound_domain({.bytes = 3 * kSize});
    EXPECT_TRUE(may_append(bob));
    EXPECT_FALSE(may_append(alice_));
    bound_domain({.messages = 4});
    EXPECT_TRUE(may_append(alice_));
    EXPECT_FALSE(may_append(bob));
    EXPECT_EQ(domain_use(), (QuotaUse{.bytes = 4 * kSize, .messages = 4}));
}

TEST_F(StamperQuotaTest, Domain_use_follows_every_step_and_a_refused_plan_leaves_none) {
    append(kInbox, "one");
    append(kInbox, "two");
    const MailboxId other = create("other").mailbox;
    copy(kInbox, other, {Uid(1), Uid(2)});
    EXPECT_EQ(domain_use(), (QuotaUse{.bytes = 4 * kSize, .messages = 4}));
    remove(other);
    expunge(kInbox, {Uid(1)});
    EXPECT_EQ(domain_use(), (QuotaUse{.bytes = kSize, .messages = 1}));
    Plan plan;
    TestMessage message = message_for(alice_, kInbox, "three");
    plan.steps.emplace_back(message.step);
    plan.steps.emplace_back(DeleteMailbox{.account = alice_, .mailbox = MailboxId(999)});
    plan.bodies = message.bodies;
    EXPECT_FALSE(desk_.commit(plan));
    EXPECT_EQ(domain_use(), (QuotaUse{.bytes = kSize, .messages = 1}));
    append(kInbox, "four");
    EXPECT_EQ(domain_use(), (QuotaUse{.bytes = 2 * kSize, .messages = 2}));
    ASSERT_TRUE(desk_.commit(*plan_remove_account(*desk_.snapshot(), "alice@example.test")));
    EXPECT_EQ(domain_use(), QuotaUse{});
    ASSERT_TRUE(desk_.commit(*plan_remove_domain(*desk_.snapshot(), "example.test")));
    EXPECT_EQ(domain_use(), std::nullopt);
}

TEST_F(StamperQuotaTest, Domain_without_a_row_is_counted_from_its_accounts) {
    append(kInbox, "one");
    Batch batch;
    batch.erase(domain_use_key("example.test"));
    ASSERT_TRUE(desk_.kv().commit(batch));
    desk_.stamper().abandon_group();  // As at a start: nothing is in memory.
    append(kInbox, "two");
    EXPECT_EQ(domain_use(), (QuotaUse{.bytes = 2 * kSize, .messages = 2}));
}

}  // namespace
}  // namespace godwit::store
