// A store at rest has no violations; each kind of damage is found under its name.
#include "store/fsck.h"

#include <gtest/gtest.h>

#include <set>

#include "store/directory/schema.h"
#include "store/kv/key.h"
#include "store/mailbox/access.h"
#include "store/mailbox/removal.h"
#include "store/mailbox/schema.h"
#include "store/mailbox/url_keys.h"
#include "store/queue/queue.h"
#include "store/store_testing.h"

namespace godwit::store {
namespace {

class Fsck : public testing::Test {
protected:
    Fsck() {
        StoreOptions options;
        options.drive = CommitDrive::Manual;
        options.on_fatal = [](const Error&) {};
        store_ = Store::open(std::move(options), &system_clock(), &random_).value();
        account_ = fixture::add_account(*store_, 1, CommitDrive::Manual);
        for (const char* body : {"one", "two", "two", "three"}) {
            Plan plan = fixture::delivery(*store_, account_, body);
            for (PlanStep& step : plan.steps) {
                if (auto* append = std::get_if<AppendMessage>(&step)) {
                    append->unique_id = std::string("named-") + body;
                }
            }
            commit(std::move(plan));
        }
        CopyMessages copy;
        copy.account = account_;
        copy.source = kInbox;
        copy.target = MailboxId{2};
        copy.uids = {Uid{1}, Uid{2}};
        one(std::move(copy));
        ChangeFlags flags;
        flags.account = account_;
        flags.mailbox = kInbox;
        flags.uids = {Uid{1}, Uid{3}};
        flags.flags = {.system = 9, .keywords = {"$Forwarded", "work"}};
        one(std::move(flags));
        ExpungeMessages expunge;
        expunge.account = account_;
        expunge.mailbox = kInbox;
        expunge.uids = {Uid{1}};
        one(std::move(expunge));
        one(SetAnnotations{.account = account_,
                           .mailbox = kInbox,
                           .user = {},
                           .entries = {{"/shared/comment", "hello"}}});
        commit(plan_url_key(*store_->snapshot(), ReadTier::Disk,
                            {.account = account_, .mailbox = kInbox, .user = account_},
                            std::string(url_key_size, 'k'))
                   .value());
        one(SetAccess{
            .account = account_, .mailbox = kInbox, .grantee = kAnyone, .rights = Right::Read});
        ChangeFlags seen;
        seen.account = account_;
        seen.mailbox = kInbox;
        seen.uids = {Uid{3}};
        seen.flags = {.system = 1, .keywords = {}};
        seen.user = visitor_;
        one(std::move(seen));
        AddToQueue queue;
        queue.message.mail = store_->next_mail_id();
        queue.message.blob = {sha256("three")};
        queue.message.blob_size = 5;
        QueueDelivery delivery;
        delivery.site = "example.net";
        queue.deliveries.push_back(delivery);
        mail_ = queue.message.mail;
        one(std::move(queue));
    }
    template <class Step>
    void one(Step step) {
        Plan plan;
        plan.steps.emplace_back(std::move(step));
        commit(std::move(plan));
    }
    void commit(Plan plan) {
        const auto done = fixture::commit(*store_, std::move(plan), CommitDrive::Manual);
        ASSERT_TRUE(done) << done.error().error.text;
    }
    // Changes rows behind the stamper's back.
    void put(std::string key, std::string value) {
        Batch batch;
        batch.put(std::move(key), std::move(value));
        ASSERT_TRUE(store_->kv().commit(batch));
    }
    void erase(std::string key) {
        Batch batch;
        batch.erase(std::move(key));
        ASSERT_TRUE(store_->kv().commit(batch));
    }
    std::set<std::string> violated() {
        std::set<std::string> names;
        for (const FsckFinding& finding : fsck(*store_, {}).value()) {
            EXPECT_EQ(finding.violations == 0, finding.examples.empty());
            if (finding.violations != 0) {
                names.insert(finding.invariant);
            }
        }
        return names;
    }
    void expect(const char* invariant) { EXPECT_TRUE(violated().contains(invariant)) << invariant; }
    MessageRow row(Uid uid) {
        const std::string key = message_key(account_, kInbox, uid);
        return decode_row(uid, *store_->kv().get(key, ReadTier::Disk).value()).value();
    }

    SeededRandom random_{1};
    std::unique_ptr<Store> store_;
    AccountId account_;
    AccountId visitor_{77};
    MailId mail_;
};

TEST_F(Fsck, Sound_store_has_no_violations) {
    EXPECT_EQ(violated(), std::set<std::string>{});
    std::uint64_t checked = 0;
    for (const FsckFinding& finding : fsck(*store_, {}).value()) {
        checked += finding.checked;
        EXPECT_TRUE(finding.checked != 0 || finding.invariant.contains("segment") ||
                    finding.invariant.contains("thread"))
            << finding.invariant;
    }
    EXPECT_GT(checked, 100U);
}

TEST_F(Fsck, Unique_id_of_another_email_or_none_is_found) {
    const std::string key = name_key(Family::UniqueId, account_, "named-two");
    put(key, encode_number(row(Uid(4)).email.value()));
    expect("every unique id of POP3 is one email's");
    erase(key);
    expect("every unique id of POP3 is one email's");
}

TEST_F(Fsck, Domain_use_that_is_no_sum_is_found) {
    put(domain_use_key("example.test"), encode_domain_use({.bytes = 1, .messages = 1}));
    expect("every domain's use equals the sum of its accounts");
}

TEST_F(Fsck, Account_that_is_still_being_cleared_away_is_no_violation) {
    commit(plan_remove_account(*store_->snapshot(), "user1@example.test").value());
    EXPECT_EQ(violated(), std::set<std::string>{});
}

TEST_F(Fsck, Access_lists_that_lead_nowhere_are_found) {
    const Grant grant{.owner = account_, .mailbox = kInbox};
    erase(grant_key(kAnyone, "example.test", grant));
    expect("every entry of an access list is of a mailbox and is found from its grantee");
    put(grant_key(AccountId{78}, {}, grant), encode_nothing());
    expect("everything that leads to an access list leads to an entry");
    put(seen_count_key(account_, kInbox, visitor_), encode_number(7));
    expect("every visitor has seen as many messages as are counted for him");
    erase(access_key(account_, kInbox, visitor_));
    expect("what a visitor has seen is of a mailbox that he is known in");
}

TEST_F(Fsck, Annotation_of_no_mailbox) {
    put(annotation_key(account_, MailboxId{99}, AccountId{0}, "/shared/comment"),
        encode_annotation("lost"));
    expect("every annotation can be read and its mailbox is there");
}

TEST_F(Fsck, Key_of_urls_of_no_mailbox) {
    put(make_key('u', account_, MailboxId{99}, account_),
        encode_url_key(std::string(url_key_size, 'k')));
    expect("every key of URLs can be read and its mailbox is there");
}

TEST_F(Fsck, Key_of_urls_of_another_size) {
    put(make_key('u', account_, kInbox, account_), encode_url_key("short"));
    expect("every key of URLs can be read and its mailbox is there");
}

TEST_F(Fsck, Damaged_value) {
    put(account_prefix(Family::Keywords, account_), "garbage");
    expect("every row's checksum holds");
}

TEST_F(Fsck, Strange_family) {
    put("!", encode_nothing());
    expect("every row is of a known family");
}

TEST_F(Fsck, Missing_body) {
    erase(blob_location_key({sha256("two")}));
    expect("every email's body is stored, with its size");
    expect("every link leads to a body");
}

TEST_F(Fsck, Wrong_body) {
    put(blob_location_key({sha256("two")}),
        encode(BlobLocation{.size = 3, .place = std::string("owt")}));
    expect("every body has its hash");
}

TEST_F(Fsck, Body_and_link_without_owner) {
    const BlobId blob{sha256("nobody's")};
    put(blob_location_key(blob), encode(BlobLocation{.size = 8, .place = std::string("nobody's")}));
    expect("every body has a link");
    put(link_key(blob, account_, EmailId{77}), encode_nothing());
    expect("every link has an owner that refers to the body");
}

TEST_F(Fsck, Missing_links) {
    erase(link_key({sha256("two")}, account_, EmailId{2}));
    erase(link_key({sha256("three")}, mail_));
    expect("every email has a link to its body");
    expect("every queued message has a link to its body");
}

TEST_F(Fsck, Missing_message_row) {
    erase(message_key(account_, kInbox, Uid{2}));
    expect("every email is in the mailboxes it names");
    expect("every mailbox's counters equal a recount");
}

TEST_F(Fsck, Message_above_its_bounds) {
    MessageRow changed = row(Uid{3});
    changed.mod_seq = ModSeq{1'000'000};
    changed.size += 1;
    changed.flags.keywords.add(200);
    put(message_key(account_, kInbox, Uid{3}), encode(changed));
    put(message_key(account_, kInbox, Uid{900}), encode(changed));
    for (const char* invariant :
         {"no mod-sequence is above its mailbox's and its account's highest",
          "every message's size is that of its prefix and body",
          "every keyword of a message is in the dictionary",
          "every uid is below its mailbox's next",
          "every message's last change is in the change log",
          "every message has its email, which names the place"}) {
        expect(invariant);
    }
}

TEST_F(Fsck, Wrong_totals) {
    const std::string key = account_prefix(Family::AccountHead, account_);
    AccountHead head = decode_head(*store_->kv().get(key, ReadTier::Disk).value()).value();
    head.bytes_used += 1;
    head.next_email = 1;
    put(key, encode(head));
    expect("every account's totals equal the sum of its mailboxes");
    expect("every email's number is below the next");
}

TEST_F(Fsck, Damaged_places_do_not_end_it) {
    put(email_key(Family::Membership, account_, EmailId{2}), "garbage");
    expect("every email is in the mailboxes it names");
    expect("every message has its email, which names the place");
}

TEST_F(Fsck, Head_and_counters_that_are_missing) {
    erase(mailbox_key(Family::Counters, account_, MailboxId{5}));  // Of an idle mailbox.
    EXPECT_EQ(violated(),
              std::set<std::string>{"every account has its head, and every mailbox its counters"});
    erase(account_prefix(Family::AccountHead, account_));
    expect("every account has its head, and every mailbox its counters");
    expect("every account's totals equal the sum of its mailboxes");
}

TEST_F(Fsck, Name_without_mailbox) {
    put(name_key(Family::MailboxName, account_, "ghost"), encode_number(99));
    expect("every mailbox has its name and every name its mailbox");
}

TEST_F(Fsck, Queue_that_does_not_fit_together) {
    erase(due_key("example.net", WallTime{}, mail_, 0));
    expect("every delivery that is not held is in the due index");
    put(due_key("example.org", WallTime{}, mail_, 0), encode_nothing());
    expect("every row of the due index is of an open delivery");
    erase(queue_delivery_key(mail_, 0));
    expect("every queued message has a delivery");
}

}  // namespace
}  // namespace godwit::store
