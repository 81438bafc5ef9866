// The caretaker, over a real store in virtual time: what it does by itself, and when.
#include "app/caretaker.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/limits.h"
#include "net/io/test_loop.h"
#include "store/directory/directory.h"
#include "store/folder.h"
#include "store/mailbox/keys.h"
#include "store/mailbox/mailbox.h"
#include "store/scrub.h"
#include "store/store.h"

namespace godwit::app {
namespace {

using store::Family;

class Caretaker : public ::testing::Test {
protected:
    Caretaker()
        : folder_(std::filesystem::temp_directory_path() /
                  ("caretaker-" + std::to_string(::getpid()))) {
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
        open();
        loop_.set_idle_work([this] { return store_->committer().run_once(); });
        settings_.trace_keep_days = 3;
        cell_.store(std::make_shared<const flow::Settings>(settings_));
        services_.offload = &pool_;
        services_.clock = &loop_.clock();
        services_.random = &random_;
        services_.current_settings = &cell_;
        store::Domain domain;
        domain.name = "example.test";
        commit(*store::plan_add_domain(*store_->snapshot(), domain));
        store::Account account;
        account.name = "alice@example.test";
        commit(*store::plan_add_account(*store_->snapshot(), account));
        alice_ = (*store::find_account(*store_->snapshot(), store::ReadTier::Disk, "alice",
                                       "example.test"))
                     ->id;
    }
    ~Caretaker() override {
        loop_.cancel_tasks();
        store_.reset();
        std::filesystem::remove_all(folder_);
    }

    void open() {
        store_.reset();
        store::StoreOptions options;
        store::keep_in_folder(options, folder_.string());
        options.drive = store::CommitDrive::Manual;
        options.disk_low_bytes = options.disk_critical_bytes = 0;
        options.disk_reserve_bytes = 0;
        options.on_fatal = [](const Error& error) { ADD_FAILURE() << error.text; };
        auto opened = store::Store::open(std::move(options), &loop_.clock(), &random_);
        ASSERT_TRUE(opened) << opened.error().text;
        store_ = *std::move(opened);
        services_.store = store_.get();
    }
    void commit(store::Plan plan) {
        bool is_done = false;
        store_->committer().submit(std::make_unique<store::Plan>(std::move(plan)),
                                   [&](const store::CommitResult& result) {
                                       EXPECT_TRUE(result);
                                       is_done = true;
                                   });
        while (!is_done && store_->committer().run_once()) {
        }
    }
    /// A message of `size` octets in alice's INBOX, with one event in its trail.
    void deliver(std::size_t size) {
        auto writer = store_->blobs().writer();
        ASSERT_TRUE(writer->append(random_.bytes(size)));
        store::NewBody body = *writer->finish();
        store::AppendMessage append;
        append.account = alice_;
        append.mailbox =
            (*store::find_mailbox(*store_->snapshot(), store::ReadTier::Disk, alice_, "INBOX"))->id;
        append.record.blob = body.id;
        append.record.blob_size = body.size;
        append.mail = store_->next_mail_id();
        store::Plan plan;
        plan.steps.emplace_back(append);
        plan.steps.emplace_back(store::TraceEvent{
            .mail = append.mail, .at = loop_.clock().wall(), .kind = "accepted", .detail = "{}"});
        plan.bodies.push_back(std::move(body));
        commit(std::move(plan));
    }
    /// Held mail of alice to one recipient, which expires after `life`.
    void queue_held(Duration life, const char* why = "by operator") {
        auto writer = store_->blobs().writer();
        ASSERT_TRUE(writer->append("Subject: x\r\n\r\ny\r\n"));
        store::NewBody body = *writer->finish();
        store::AddToQueue add;
        add.message.mail = store_->next_mail_id();
        add.message.sender = "alice@example.test";
        add.message.blob = body.id;
        add.message.blob_size = body.size;
        add.message.accepted_at = loop_.clock().wall();
        add.message.expires_at = add.message.accepted_at + life;
        store::QueueDelivery& delivery = add.deliveries.emplace_back();
        delivery.number = 1;
        delivery.site = "far.test";
        delivery.is_held = true;
        delivery.held_reason = why;
        delivery.recipients.emplace_back().address = "a@far.test";
        store::Plan plan;
        plan.steps.emplace_back(std::move(add));
        plan.bodies.push_back(std::move(body));
        commit(std::move(plan));
    }
    /// All of alice's messages as text.
    std::string mail_of_alice() {
        const auto view = store_->snapshot();
        const auto inbox = *store::find_mailbox(*view, store::ReadTier::Disk, alice_, "INBOX");
        std::string all;
        for (const store::MessageRow& row :
             *store::read_rows(*view, store::ReadTier::Disk, alice_, inbox->id, Uid(1), 10)) {
            const auto record =
                *store::read_record(*view, store::ReadTier::Disk, alice_, row.email);
            all += *store_->blobs().read(record->blob, 0, 100'000, store::ReadTier::Disk);
        }
        return all;
    }
    void employ() { net::spawn(loop_.shard(), "caretaker", take_care(&services_, &bell_)); }

    std::size_t rows(Family family) {
        std::size_t count = 0;
        const auto view = store_->snapshot();
        const auto cursor = view->cursor(store::ReadTier::Disk);
        const std::string prefix(1, static_cast<char>(family));
        for (cursor->seek(prefix); cursor->is_valid() && cursor->key().starts_with(prefix);
             cursor->next()) {
            ++count;
        }
        return count;
    }
    /// Octets below blobs/.
    std::uint64_t bytes_of_bodies() {
        std::uint64_t sum = 0;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "blobs")) {
            sum += entry.is_regular_file() ? entry.file_size() : 0;
        }
        return sum;
    }

    std::filesystem::path folder_;
    net::TestLoop loop_;
    CareBell bell_{&loop_.shard()};
    SeededRandom random_{3};
    net::OffloadInline pool_;
    flow::Settings settings_;
    net::SwapCell<flow::Settings> cell_;
    std::unique_ptr<store::Store> store_;
    flow::Services services_;
    AccountId alice_{0};
};

TEST_F(Caretaker, trails_go_when_they_are_older_than_the_setting_and_not_before) {
    employ();
    deliver(100);
    loop_.advance(std::chrono::days(2));
    deliver(100);
    EXPECT_EQ(rows(Family::Trace), 2U);
    loop_.advance(std::chrono::days(1) + std::chrono::minutes(5));
    EXPECT_EQ(rows(Family::Trace), 1U);
    // A changed setting holds from the next round on.
    settings_.trace_keep_days = 30;
    cell_.store(std::make_shared<const flow::Settings>(settings_));
    loop_.advance(std::chrono::days(5));
    EXPECT_EQ(rows(Family::Trace), 1U);
    loop_.advance(std::chrono::days(24));
    EXPECT_EQ(rows(Family::Trace), 0U);
    EXPECT_EQ(rows(Family::Message), 2U);  // Mail itself has no age.
}

TEST_F(Caretaker, what_a_removed_account_left_goes_within_a_minute) {
    employ();
    loop_.run_until_idle();
    for (int i = 0; i < 300; ++i) {  // More than one step takes.
        deliver(50);
    }
    commit(*store::plan_remove_account(*store_->snapshot(), "alice@example.test"));
    EXPECT_EQ(rows(Family::Message), 300U);
    loop_.advance(limits::caretaker_pause + std::chrono::seconds(1));
    EXPECT_EQ(rows(Family::Message), 0U);
    EXPECT_EQ(rows(Family::Remains), 0U);
}

TEST_F(Caretaker, scrub_that_is_asked_for_begins_at_once) {
    employ();
    loop_.advance(std::chrono::hours(1));  // The first pass is over.
    const auto state = [this] {
        return *store::read_scrub_state(*store_->snapshot(), store::ReadTier::Disk);
    };
    const WallTime before = state().last_end;
    loop_.advance(std::chrono::seconds(1));
    commit(store::plan_scrub_request(state()));
    bell_.ring_for_scrub();
    loop_.advance(std::chrono::seconds(2));
    EXPECT_GT(state().last_end, before);
}

TEST_F(Caretaker, M4_held_for_want_of_a_route_goes_when_the_settings_change) {
    queue_held(std::chrono::days(5), "no route for far.test, and look-ups are off");
    queue_held(std::chrono::days(5));
    settings_.resolver.is_off = true;
    cell_.store(std::make_shared<const flow::Settings>(settings_));
    employ();
    loop_.advance(std::chrono::seconds(5));
    EXPECT_EQ(rows(Family::Due), 0U) << "there is no route yet";
    flow::RouteSettings route;
    route.domain = "far.test";
    route.host = "192.0.2.9";
    route.kind = flow::RouteSettings::Kind::Smtp;
    settings_.routes.push_back(route);
    cell_.store(std::make_shared<const flow::Settings>(settings_));
    bell_.ring_for_settings();
    loop_.advance(std::chrono::seconds(2));
    EXPECT_EQ(rows(Family::Due), 1U) << "one is due, the operator's stays";
}

TEST_F(Caretaker, M4_held_mail_expires_with_a_report) {
    settings_.hostname = "mx.example.test";
    settings_.default_domain = "example.test";
    cell_.store(std::make_shared<const flow::Settings>(settings_));
    queue_held(std::chrono::days(5));
    queue_held(std::chrono::days(50));
    employ();
    loop_.advance(std::chrono::days(5) - std::chrono::hours(1));
    EXPECT_EQ(rows(Family::QueueDelivery), 2U);
    EXPECT_EQ(mail_of_alice(), "");
    loop_.advance(std::chrono::hours(3));
    EXPECT_EQ(rows(Family::QueueDelivery), 1U);
    const std::string report = mail_of_alice();
    EXPECT_NE(report.find("Action: failed"), std::string::npos) << report;
    EXPECT_NE(report.find("Status: 5.4.7"), std::string::npos) << report;
    EXPECT_NE(report.find("by operator"), std::string::npos) << report;
    loop_.advance(std::chrono::days(2));
    EXPECT_EQ(rows(Family::Message), 1U);  // One report, not one a round.
    EXPECT_EQ(rows(Family::QueueDelivery), 1U);
}

TEST_F(Caretaker, old_rows_of_the_change_log_go) {
    employ();
    deliver(100);
    EXPECT_GT(rows(Family::ChangeLog), 0U);
    loop_.advance(limits::change_log_keep - std::chrono::hours(1));
    EXPECT_GT(rows(Family::ChangeLog), 0U);
    loop_.advance(std::chrono::hours(3));
    EXPECT_EQ(rows(Family::ChangeLog), 0U);
}

TEST_F(Caretaker, disk_space_of_expunged_bodies_comes_back) {
    for (int i = 0; i < 20; ++i) {
        deliver(100 * 1024);
    }
    // A new start: the segment that was written to is closed, and may be cleared.
    open();
    const auto inbox =
        (*store::find_mailbox(*store_->snapshot(), store::ReadTier::Disk, alice_, "INBOX"))->id;
    store::ExpungeMessages expunge{
        .account = alice_, .mailbox = inbox, .uids = {}, .only_deleted = false};
    for (std::uint32_t uid = 1; uid <= 18; ++uid) {
        expunge.uids.emplace_back(uid);
    }
    store::Plan plan;
    plan.steps.emplace_back(std::move(expunge));
    commit(std::move(plan));
    EXPECT_GT(bytes_of_bodies(), 2000U * 1024);
    employ();
    loop_.advance(limits::segment_unlink_grace + limits::caretaker_pause * 3);
    EXPECT_LT(bytes_of_bodies(), 400U * 1024);
    // The two that stayed are whole: a whole read looks at the hash.
    const auto left =
        *store::read_rows(*store_->snapshot(), store::ReadTier::Disk, alice_, inbox, Uid(1), 10);
    ASSERT_EQ(left.size(), 2U);
}

}  // namespace
}  // namespace godwit::app
