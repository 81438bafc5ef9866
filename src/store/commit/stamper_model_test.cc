// Random plans against a simple model, with failing plans and restarts in between; after each group
// the rows are audited as fsck would. RELIABILITY.md I15-I25.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"
#include "store/commit/stamper_testing.h"
#include "store/kv/key.h"
#include "store/mailbox/removal.h"
#include "store/mailbox/view.h"

namespace godwit::store {
namespace {

struct ModelMessage {
    std::string body;
    std::uint8_t system = 0;
    std::set<std::string> keywords;
    bool operator==(const ModelMessage&) const = default;
};
struct ModelMailbox {
    std::string name;
    std::uint32_t uid_next = 1;
    std::map<std::uint32_t, ModelMessage> messages;
};
using Model = std::map<MailboxId, ModelMailbox>;

class ModelTest : public testing::TestWithParam<int> {
protected:
    ModelTest()
        : random_(static_cast<std::uint64_t>(GetParam()) + 1),
          account_(desk_.add_account("a@example.test")) {
        for (const MailboxState& state : list()) {
            model_[state.id] = {.name = state.name, .uid_next = 1, .messages = {}};
        }
    }

    std::vector<MailboxState> list() {
        return *list_mailboxes(*desk_.snapshot(), ReadTier::Disk, account_);
    }
    MailboxId any_mailbox() {
        auto entry = model_.begin();
        std::advance(entry, static_cast<std::ptrdiff_t>(random_.below(model_.size())));
        return entry->first;
    }
    std::vector<Uid> some_uids(MailboxId mailbox) {
        std::vector<Uid> uids;
        for (std::uint32_t uid = 1; uid < model_[mailbox].uid_next + 1; ++uid) {
            if (random_.below(3) == 0) {
                uids.emplace_back(uid);
            }
        }
        return uids;
    }
    FlagNames some_flags() {
        FlagNames flags;
        flags.system = static_cast<std::uint8_t>(random_.below(32));
        for (const char* name : {"$a", "$b", "$c"}) {
            if (random_.below(3) == 0) {
                flags.keywords.emplace_back(name);
            }
        }
        return flags;
    }

    void add_append(Plan& plan) {
        const MailboxId mailbox = any_mailbox();
        const std::string body = "body" + std::to_string(random_.below(6));
        TestMessage message = message_for(account_, mailbox, body,
                                          {random_.below(8), random_.below(8), random_.below(8)});
        message.step.flags = some_flags();
        plan.bodies.push_back(message.bodies[0]);
        ModelMailbox& held = model_[mailbox];
        held.messages[held.uid_next++] = {
            .body = body,
            .system = message.step.flags.system,
            .keywords = {message.step.flags.keywords.begin(), message.step.flags.keywords.end()}};
        plan.steps.emplace_back(std::move(message.step));
    }
    void add_change(Plan& plan) {
        ChangeFlags step{.account = account_,
                         .mailbox = any_mailbox(),
                         .uids = {},
                         .flags = some_flags(),
                         .unchanged_since = std::nullopt};
        step.uids = some_uids(step.mailbox);
        step.change = static_cast<FlagChange>(random_.below(3));
        for (const Uid uid : step.uids) {
            const auto message = model_[step.mailbox].messages.find(uid.value());
            if (message == model_[step.mailbox].messages.end()) {
                continue;
            }
            ModelMessage& held = message->second;
            if (step.change == FlagChange::Replace) {
                held.system = 0;
                held.keywords.clear();
            }
            const bool removes = step.change == FlagChange::Remove;
            held.system = static_cast<std::uint8_t>(removes ? held.system & ~step.flags.system
                                                            : held.system | step.flags.system);
            for (const std::string& name : step.flags.keywords) {
                if (removes) {
                    held.keywords.erase(name);
                } else {
                    held.keywords.insert(name);
                }
            }
        }
        plan.steps.emplace_back(std::move(step));
    }
    void add_expunge(Plan& plan) {
        ExpungeMessages step{.account = account_, .mailbox = any_mailbox(), .uids = {}};
        step.uids = some_uids(step.mailbox);
        step.only_deleted = random_.below(2) == 0;
        auto& messages = model_[step.mailbox].messages;
        for (const Uid uid : step.uids) {
            const auto message = messages.find(uid.value());
            constexpr auto kDeleted = static_cast<std::uint8_t>(SystemFlag::Deleted);
            if (message != messages.end() &&
                (!step.only_deleted || (message->second.system & kDeleted) != 0)) {
                messages.erase(message);
            }
        }
        plan.steps.emplace_back(std::move(step));
    }
    void add_copy(Plan& plan) {
        CopyMessages step{
            .account = account_, .source = any_mailbox(), .target = any_mailbox(), .uids = {}};
        step.uids = some_uids(step.source);
        step.move = random_.below(2) == 0;
        for (const Uid uid : step.uids) {
            auto& source = model_[step.source].messages;
            const auto message = source.find(uid.value());
            if (message == source.end()) {
                continue;
            }
            const ModelMessage copied = message->second;
            if (step.move) {
                source.erase(message);
            }
            ModelMailbox& target = model_[step.target];
            target.messages[target.uid_next++] = copied;
        }
        plan.steps.emplace_back(std::move(step));
    }
    void add_queue(Plan& plan) {
        AddToQueue step;
        step.message.mail = MailId(++last_mail_);
        step.message.blob = blob_named("body" + std::to_string(random_.below(6)));
        NewBody body;
        body.id = step.message.blob;
        plan.bodies.push_back(std::move(body));
        QueueDelivery delivery;
        delivery.number = 1;
        delivery.site = "far.test";
        step.deliveries.push_back(delivery);
        queued_.insert(step.message.mail);
        plan.steps.emplace_back(std::move(step));
    }
    void finish_queued(Plan& plan) {
        if (queued_.empty()) {
            return;
        }
        UpdateQueue step{.mail = *queued_.begin(), .deliveries = {}};
        QueueDelivery delivery;
        delivery.number = 1;
        delivery.site = "far.test";
        delivery.is_done = true;
        step.deliveries.push_back(delivery);
        queued_.erase(queued_.begin());
        plan.steps.emplace_back(std::move(step));
    }
    void delete_mailbox(Plan& plan) {
        const MailboxId mailbox = any_mailbox();
        if (mailbox != kInbox) {
            model_.erase(mailbox);
            plan.steps.emplace_back(DeleteMailbox{account_, mailbox});
        }
    }

    Plan random_plan() {
        Plan plan;
        for (std::uint64_t steps = 1 + random_.below(4); steps > 0; --steps) {
            switch (random_.below(12)) {
                case 0:
                case 1:
                case 2:
                case 3: add_append(plan); break;
                case 4:
                case 5: add_change(plan); break;
                case 6: add_expunge(plan); break;
                case 7:
                case 8: add_copy(plan); break;
                case 9: add_queue(plan); break;
                case 10: finish_queued(plan); break;
                default:
                    if (random_.below(8) == 0) {
                        delete_mailbox(plan);
                    }
            }
        }
        return plan;
    }

    void group() {
        desk_.begin();
        for (std::uint64_t plans = 1 + random_.below(5); plans > 0; --plans) {
            const Model before = model_;
            const std::set<MailId> queued = queued_;
            Plan plan = random_plan();
            const bool must_fail = random_.below(4) == 0;
            if (must_fail) {
                plan.steps.emplace_back(DeleteMailbox{account_, MailboxId(4'000'000)});
            }
            const auto result = desk_.stamp(plan);
            ASSERT_EQ(result.has_value(), !must_fail) << result.error().error.text;
            if (must_fail) {
                model_ = before;
                queued_ = queued;
            }
        }
        const GroupOutcome& outcome = desk_.finish();
        for (const BlobId& id : outcome.linked) {
            stored_.insert(id);
        }
        for (const BlobId& id : outcome.unlinked) {
            ASSERT_EQ(stored_.erase(id), 1U);
        }
        for (const auto& change : outcome.accounts) {
            std::ranges::for_each(views_, [&change](auto& view) { view.second.apply(*change); });
            std::ranges::for_each(heads_, [&change](auto& view) { view.second.apply(*change); });
        }
    }

    void compare_mailboxes() {
        const KeywordNames names = *read_keywords(*desk_.snapshot(), ReadTier::Disk, account_);
        const auto states = list();
        ASSERT_EQ(states.size(), model_.size());
        for (const MailboxState& state : states) {
            const ModelMailbox& expected = model_.at(state.id);
            EXPECT_EQ(state.uid_next.value(), expected.uid_next);
            const auto rows = desk_.rows(account_, state.id);
            ASSERT_EQ(rows.size(), expected.messages.size());
            std::set<EmailId> emails;
            for (const MessageRow& row : rows) {
                const ModelMessage& message = expected.messages.at(row.uid.value());
                EXPECT_EQ(row.flags.system, message.system);
                std::set<std::string> keywords;
                for (const auto& [number, name] : names) {
                    if (row.flags.keywords.has(number)) {
                        keywords.insert(name);
                    }
                }
                EXPECT_EQ(keywords, message.keywords);
                EXPECT_TRUE(emails.insert(row.email).second) << "an email twice in one mailbox";
                EXPECT_LE(row.mod_seq, state.highest_mod_seq);
                const auto record =
                    *read_record(*desk_.snapshot(), ReadTier::Disk, account_, row.email);
                ASSERT_TRUE(record);
                EXPECT_EQ(record->blob, blob_named(message.body));
            }
            compare_view(state, rows);
        }
    }

    void compare_view(const MailboxState& state, const std::vector<MessageRow>& rows) {
        auto [entry, is_new] = views_.try_emplace(state.id, account_, state.id);
        MailboxView& view = entry->second;
        const auto snapshot = desk_.snapshot();
        MailboxView& head = heads_.try_emplace(state.id, account_, state.id).first->second;
        if (is_new) {
            RowsReading reading(account_, state.id);
            while (!*reading.step(*snapshot, ReadTier::Disk)) {
            }
            view.adopt(std::move(reading), {});
            head.begin(state, *read_commit_seq(*snapshot, ReadTier::Disk));
        }
        // What a view says of itself before its rows are loaded.
        EXPECT_EQ(head.messages(), rows.size());
        EXPECT_EQ(head.highest_mod_seq(), state.highest_mod_seq);
        EXPECT_EQ(head.uid_next(), state.uid_next);
        ASSERT_EQ(view.rows().size(), rows.size());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            EXPECT_EQ(view.rows()[i].uid, rows[i].uid);
            EXPECT_EQ(view.rows()[i].flags, rows[i].flags);
            EXPECT_EQ(view.rows()[i].mod_seq, rows[i].mod_seq);
        }
        EXPECT_EQ(view.highest_mod_seq(), state.highest_mod_seq);
        EXPECT_EQ(view.uid_next(), state.uid_next);
    }

    // Counters against rows, links against emails, threads against references: from the rows alone.
    void audit() {
        AccountHead head = desk_.head(account_);
        EXPECT_GE(head.mod_seq, last_mod_seq_);
        std::uint64_t bytes = 0;
        std::uint64_t messages = 0;
        std::map<EmailId, std::size_t> places;
        for (const MailboxState& state : list()) {
            std::uint32_t unseen = 0;
            std::uint32_t deleted = 0;
            std::uint64_t size = 0;
            const auto rows = desk_.rows(account_, state.id);
            for (const MessageRow& row : rows) {
                unseen += row.flags.has(SystemFlag::Seen) ? 0 : 1;
                deleted += row.flags.has(SystemFlag::Deleted) ? 1 : 0;
                size += row.size;
                ++places[row.email];
                EXPECT_LE(row.mod_seq.value(), head.mod_seq);
            }
            EXPECT_EQ(state.messages, rows.size());
            EXPECT_EQ(state.unseen, unseen);
            EXPECT_EQ(state.deleted, deleted);
            EXPECT_EQ(state.bytes, size);
            bytes += size;
            messages += rows.size();
        }
        EXPECT_EQ(head.bytes_used, bytes);
        EXPECT_EQ(head.messages_used, messages);
        audit_emails(places);
        audit_log(head);
        last_mod_seq_ = head.mod_seq;
    }

    void audit_emails(const std::map<EmailId, std::size_t>& places) {
        std::map<std::uint64_t, std::uint32_t> references;
        std::set<std::string> links;
        std::size_t thread_members = 0;
        std::set<EmailId> emails;
        std::set<std::string> found_links;
        std::map<std::uint64_t, std::uint32_t> found_references;
        std::size_t found_members = 0;
        for (const auto& [key, value] : desk_.all_rows()) {
            if (key.front() == static_cast<char>(Family::Email)) {
                const EmailId email(key_tail_u32(key));
                const EmailHead head = *decode_email_head(value);
                emails.insert(email);
                links.insert(link_key(head.blob, account_, email));
                thread_members += head.thread.value() != email.value() ? 1 : 0;
                for (const std::uint64_t hash : head.reference_hashes) {
                    ++references[hash];
                }
                ASSERT_TRUE(places.contains(email));
                EXPECT_EQ(read_places(*desk_.snapshot(), ReadTier::Disk, account_, email)->size(),
                          places.at(email));
            } else if (key.front() == family::link) {
                found_links.insert(key);
            } else if (key.front() == static_cast<char>(Family::ThreadReference)) {
                found_references[key_tail_u64(key)] = decode_thread_reference(value)->emails;
            } else if (key.front() == static_cast<char>(Family::ThreadMember)) {
                ++found_members;
            } else if (key.front() == static_cast<char>(Family::QueueMessage)) {
                const QueueMessage message = *decode_queue_message(value);
                links.insert(link_key(message.blob, message.mail));
            }
        }
        EXPECT_EQ(emails.size(), places.size());
        EXPECT_EQ(found_links, links);
        EXPECT_EQ(found_references, references);
        EXPECT_EQ(found_members, thread_members);
        std::set<BlobId> linked;
        for (const std::string& key : found_links) {
            linked.insert(parse_link_key(key)->blob);
        }
        EXPECT_EQ(stored_, linked);
    }

    void audit_log(const AccountHead& head) {
        // Every number that was drawn has its row: each draw is one change of one mailbox.
        std::uint64_t expected = last_mod_seq_ + 1;
        for (const LogRow& row :
             *read_log(*desk_.snapshot(), ReadTier::Disk, account_, ModSeq(last_mod_seq_), 512)) {
            EXPECT_EQ(row.mod_seq.value(), expected++);
            EXPECT_EQ(row.uids.size(), row.emails.size());
        }
        EXPECT_EQ(expected, head.mod_seq + 1);
    }

    StampingDesk desk_;
    SeededRandom random_;
    AccountId account_;
    Model model_;
    std::set<MailId> queued_;
    std::uint64_t last_mail_ = 0;
    std::set<BlobId> stored_;
    std::map<MailboxId, MailboxView> views_;
    std::map<MailboxId, MailboxView> heads_;  // Never loaded.
    std::uint64_t last_mod_seq_ = 1;
};

TEST_P(ModelTest, Random_plans_do_what_the_model_does) {
    last_mod_seq_ = desk_.head(account_).mod_seq;
    for (int groups = 0; groups < 60 && !HasFatalFailure(); ++groups) {
        group();
        compare_mailboxes();
        audit();
        if (random_.below(5) == 0) {
            desk_.restart();
        }
        if (model_.size() < 3) {
            const auto created = desk_.must<MailboxCreated>(
                CreateMailbox{account_, "made" + std::to_string(groups), ""});
            model_[created.mailbox] = {
                .name = "made" + std::to_string(groups), .uid_next = 1, .messages = {}};
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest, testing::Range(0, 12));

}  // namespace
}  // namespace godwit::store
