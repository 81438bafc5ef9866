// For tests: a stamper over a memory engine, one plan or one group at a time, and an account to
// work on.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/crypto.h"
#include "store/commit/stamper.h"
#include "store/directory/directory.h"
#include "store/kv/kv.h"
#include "store/mailbox/mailbox.h"
#include "store/mailbox/schema.h"
#include "store/mailbox/view.h"

namespace godwit::store {

inline BlobId blob_named(std::string_view name) {
    return BlobId{.hash = sha256(name)};
}

class StampingDesk {
public:
    using Stamped = std::expected<std::vector<StepResult>, PlanFailure>;

    StampingDesk() : kv_(make_memory_kv()) { restart(); }

    /// As after a new start: nothing but the rows is left.
    void restart() { stamper_ = std::make_unique<Stamper>(kv_.get()); }

    void begin() { stamper_->begin_group(CommitSeq(++seq_), now_); }
    Stamped stamp(const Plan& plan) { return stamper_->stamp(plan); }
    Stamped stamp(PlanStep step, std::vector<NewBody> bodies = {}) {
        Plan plan;
        plan.steps.push_back(std::move(step));
        plan.bodies = std::move(bodies);
        return stamper_->stamp(plan);
    }
    /// Commits the open group.
    const GroupOutcome& finish() {
        Batch batch;
        outcome_ = stamper_->finish_group(batch);
        batch_entries_ = batch.entries().size();
        EXPECT_TRUE(kv_->commit(batch).has_value());
        return outcome_;
    }
    /// One plan as a group of its own.
    Stamped commit(const Plan& plan) {
        begin();
        Stamped result = stamp(plan);
        finish();
        return result;
    }
    Stamped commit(PlanStep step, std::vector<NewBody> bodies = {}) {
        Plan plan;
        plan.steps.push_back(std::move(step));
        plan.bodies = std::move(bodies);
        return commit(plan);
    }
    /// Commits one step that must fit, and gives its result.
    template <class T>
    T must(PlanStep step, std::vector<NewBody> bodies = {}) {
        Stamped result = commit(std::move(step), std::move(bodies));
        EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().error.text);
        return result ? std::get<T>(result->front()) : T{};
    }
    ErrorCode refusal(PlanStep step) {
        const Stamped result = commit(std::move(step));
        EXPECT_FALSE(result.has_value());
        return result ? ErrorCode::Invalid : result.error().error.code;
    }

    AccountId add_account(std::string_view name, std::uint64_t quota_bytes = 0) {
        Domain domain;
        domain.name = "example.test";
        if (const Result<Plan> added = plan_add_domain(*snapshot(), domain)) {
            EXPECT_TRUE(commit(*added).has_value());
        }
        Account account;
        account.name = name;
        account.quota.bytes = quota_bytes;
        Result<Plan> plan = plan_add_account(*snapshot(), account);
        EXPECT_TRUE(plan.has_value());
        const Stamped result = commit(*plan);
        EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().error.text);
        return (*find_account(*snapshot(), ReadTier::Disk, name, ""))->id;
    }

    [[nodiscard]] std::unique_ptr<Snapshot> snapshot() const { return kv_->snapshot(); }
    [[nodiscard]] MailboxState mailbox(AccountId account, MailboxId id) const {
        const auto state = read_mailbox(*snapshot(), ReadTier::Disk, account, id);
        EXPECT_TRUE(state && *state);
        return state && *state ? **state : MailboxState{};
    }
    [[nodiscard]] MailboxId named(AccountId account, std::string_view name) const {
        const auto state = find_mailbox(*snapshot(), ReadTier::Disk, account, name);
        return state && *state ? (*state)->id : MailboxId(0);
    }
    [[nodiscard]] AccountHead head(AccountId account) const {
        return **read_head(*snapshot(), ReadTier::Disk, account);
    }
    [[nodiscard]] std::vector<MessageRow> rows(AccountId account, MailboxId id) const {
        return *read_rows(*snapshot(), ReadTier::Disk, account, id, Uid(1), 512);
    }
    /// All rows of the store, the commit number left out.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> all_rows() const {
        std::vector<std::pair<std::string, std::string>> rows;
        const auto view = snapshot();
        const auto cursor = view->cursor(ReadTier::Disk);
        for (cursor->seek(""); cursor->is_valid(); cursor->next()) {
            if (cursor->key().front() != 'Z') {
                rows.emplace_back(cursor->key(), cursor->value());
            }
        }
        return rows;
    }
    [[nodiscard]] std::size_t count_rows(Family family) const {
        std::size_t count = 0;
        for (const auto& [key, value] : all_rows()) {
            count += key.front() == static_cast<char>(family) ? 1 : 0;
        }
        return count;
    }

    [[nodiscard]] const GroupOutcome& outcome() const { return outcome_; }
    [[nodiscard]] std::size_t batch_entries() const { return batch_entries_; }
    [[nodiscard]] Kv& kv() { return *kv_; }
    [[nodiscard]] Stamper& stamper() { return *stamper_; }
    void advance(std::chrono::seconds by) { now_ += by; }
    [[nodiscard]] WallTime now() const { return now_; }

private:
    std::unique_ptr<Kv> kv_;
    std::unique_ptr<Stamper> stamper_;
    GroupOutcome outcome_;
    std::uint64_t seq_ = 0;
    std::size_t batch_entries_ = 0;
    WallTime now_ = from_unix_seconds(1'700'000'000);
};

/// Reads all of the view's rows.
inline void load_view(MailboxView& view, const Snapshot& snapshot) {
    RowsReading reading(view.account(), view.mailbox(), view.user());
    while (!*reading.step(snapshot, ReadTier::Disk)) {
    }
    view.adopt(std::move(reading), {});
}

/// A message whose body is named `body`, with the body.
struct TestMessage {
    AppendMessage step;
    std::vector<NewBody> bodies;
};
inline TestMessage message_for(AccountId account, MailboxId mailbox, std::string_view body,
                               std::vector<std::uint64_t> references = {}) {
    TestMessage message;
    message.step.account = account;
    message.step.mailbox = mailbox;
    message.step.record.blob = blob_named(body);
    message.step.record.blob_size = 100;
    message.step.record.prefix = "Return-Path: <>\r\n";
    message.step.record.summary = "summary of " + std::string(body);
    message.step.record.reference_hashes = std::move(references);
    message.step.internal_date = 1'600'000'000;
    NewBody carried;
    carried.id = message.step.record.blob;
    carried.size = message.step.record.blob_size;
    carried.content = std::string(body);
    message.bodies.push_back(std::move(carried));
    return message;
}

/// A desk with one account, and its steps in few words.
class StamperTest : public testing::Test {
protected:
    StamperTest() : alice_(desk_.add_account("alice@example.test")) {}

    Appended append(MailboxId mailbox, std::string_view body,
                    std::vector<std::uint64_t> references = {}) {
        TestMessage message = message_for(alice_, mailbox, body, std::move(references));
        return desk_.must<Appended>(message.step, message.bodies);
    }
    FlagsChanged change(MailboxId mailbox, std::vector<Uid> uids, FlagChange how, FlagNames flags) {
        return desk_.must<FlagsChanged>(ChangeFlags{.account = alice_,
                                                    .mailbox = mailbox,
                                                    .uids = std::move(uids),
                                                    .change = how,
                                                    .flags = std::move(flags),
                                                    .unchanged_since = std::nullopt});
    }
    Expunged expunge(MailboxId mailbox, std::vector<Uid> uids, bool only_deleted = false) {
        return desk_.must<Expunged>(ExpungeMessages{.account = alice_,
                                                    .mailbox = mailbox,
                                                    .uids = std::move(uids),
                                                    .only_deleted = only_deleted});
    }
    Copied copy(MailboxId source, MailboxId target, std::vector<Uid> uids, bool move = false) {
        return desk_.must<Copied>(CopyMessages{.account = alice_,
                                               .source = source,
                                               .target = target,
                                               .uids = std::move(uids),
                                               .move = move});
    }
    MailboxCreated create(std::string name) {
        return desk_.must<MailboxCreated>(
            CreateMailbox{.account = alice_, .name = std::move(name), .special_use = {}});
    }
    void remove(MailboxId mailbox) {
        desk_.must<Done>(DeleteMailbox{.account = alice_, .mailbox = mailbox});
    }

    StampingDesk desk_;
    AccountId alice_;
};

}  // namespace godwit::store
