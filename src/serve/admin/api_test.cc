// Administrators' calls against a store in memory.
#include "serve/admin/api.h"

#include <gtest/gtest.h>

#include <memory>

#include "flow/outbound/orders.h"
#include "flow/outbound/suspension.h"
#include "store/queue/queue.h"
#include "store/store.h"

namespace godwit::serve {
namespace {

class Admin : public ::testing::Test {
protected:
    Admin() {
        store::StoreOptions options;
        options.drive = store::CommitDrive::Manual;
        options.on_fatal = [](const Error& error) { FAIL() << error.text; };
        store_ = *store::Store::open(std::move(options), &system_clock(), &random_);
        host_.store = store_.get();
        host_.clock = &system_clock();
        host_.random = &random_;
        host_.argon2 = [] { return Argon2Cost{.memory_kib = 8, .passes = 1}; };
        host_.default_domain = "example.test";
        host_.commit = [this](store::Plan plan) { return commit(std::move(plan)); };
    }

    store::CommitResult commit(store::Plan plan) {
        std::optional<store::CommitResult> result;
        store_->committer().submit(
            std::make_unique<store::Plan>(std::move(plan)),
            [&result](store::CommitResult done) { result.emplace(std::move(done)); });
        while (!result) {
            store_->committer().run_once();
        }
        return *std::move(result);
    }

    /// The answer line.
    std::string ask(const std::string& call, const std::string& arguments = "{}") {
        return answer_admin(host_, R"({"call":")" + call + R"(","arguments":)" + arguments + "}");
    }
    JsonValue result(const std::string& call, const std::string& arguments = "{}") {
        const std::string line = ask(call, arguments);
        const auto answer = parse_json(line);
        EXPECT_TRUE(answer && answer->bool_or("ok", false)) << line;
        const JsonValue* found = answer ? answer->find("result") : nullptr;
        return found != nullptr ? *found : JsonValue{};
    }
    /// The code of the error that must come.
    std::string refusal(const std::string& call, const std::string& arguments = "{}") {
        const auto answer = parse_json(ask(call, arguments));
        const JsonValue* error = answer ? answer->find("error") : nullptr;
        return error != nullptr ? error->string_or("code", "") : "none";
    }
    std::vector<JsonValue> rows(const std::string& call, const std::string& arguments = "{}") {
        const JsonValue page = result(call, arguments);
        const JsonValue* found = page.find("rows");
        return found != nullptr && found->array() != nullptr ? *found->array()
                                                             : std::vector<JsonValue>{};
    }

    void add_domain() { result("domain.add", R"({"domain":"example.test"})"); }
    void add_alice() {
        add_domain();
        result("account.add", R"({"address":"alice","password":"secret","full_name":"Alice"})");
    }

    /// Queues a message to two sites.
    MailId queue_one() {
        const MailId mail = store_->next_mail_id();
        store::Plan plan;
        auto writer = store_->blobs().writer();
        EXPECT_TRUE(writer->append("Subject: x\r\n\r\ny\r\n"));
        auto body = writer->finish();
        store::AddToQueue add;
        add.message.mail = mail;
        add.message.sender = "alice@example.test";
        add.message.blob = body->id;
        add.message.blob_size = body->size;
        add.message.accepted_at = system_clock().wall();
        add.message.expires_at = add.message.accepted_at + std::chrono::days(5);
        for (const std::string site : {"one.test", "two.test"}) {
            store::QueueDelivery& delivery = add.deliveries.emplace_back();
            delivery.number = static_cast<std::uint32_t>(add.deliveries.size());
            delivery.site = site;
            delivery.recipients.emplace_back().address = "a@" + site;
        }
        plan.bodies.push_back(*std::move(body));
        plan.steps.emplace_back(std::move(add));
        plan.steps.emplace_back(store::TraceEvent{
            .mail = mail, .at = system_clock().wall(), .kind = "accepted", .detail = R"({"x":1})"});
        const auto done = commit(std::move(plan));
        EXPECT_TRUE(done) << done.error().error.text;
        return mail;
    }

    SeededRandom random_{7};
    std::unique_ptr<store::Store> store_;
    AdminHost host_;
};

TEST_F(Admin, malformed_requests_are_answered) {
    EXPECT_NE(answer_admin(host_, "nonsense").find(R"("ok":false)"), std::string::npos);
    EXPECT_NE(answer_admin(host_, R"({"call":"x.y"})").find("unsupported"), std::string::npos);
    EXPECT_NE(answer_admin(host_, R"({"call":"domain.add","arguments":[]})").find("invalid"),
              std::string::npos);
    EXPECT_NE(answer_admin(host_, std::string(100'000, ' ')).find("limit_exceeded"),
              std::string::npos);
    EXPECT_EQ(refusal("domain.add", R"({"domain":5})"), "invalid");
}

TEST_F(Admin, domains_come_and_go) {
    EXPECT_EQ(rows("domain.list").size(), 0U);
    add_domain();
    EXPECT_EQ(refusal("domain.add", R"({"domain":"Example.TEST"})"), "already_exists");
    ASSERT_EQ(rows("domain.list").size(), 1U);
    EXPECT_EQ(rows("domain.list")[0].string_or("domain", ""), "example.test");
    result("domain.remove", R"({"domain":"example.test"})");
    EXPECT_EQ(rows("domain.list").size(), 0U);
    EXPECT_EQ(refusal("domain.remove", R"({"domain":"example.test"})"), "not_found");
}

TEST_F(Admin, accounts_come_and_go) {
    EXPECT_EQ(refusal("account.add", R"({"address":"alice","password":"x"})"), "not_found");
    add_alice();
    const auto list = rows("account.list");
    ASSERT_EQ(list.size(), 1U);
    EXPECT_EQ(list[0].string_or("address", ""), "alice@example.test");
    EXPECT_EQ(list[0].string_or("full_name", ""), "Alice");
    EXPECT_EQ(refusal("account.add", R"({"address":"alice@example.test","password":"x"})"),
              "already_exists");
    EXPECT_EQ(refusal("account.add", R"({"address":"bob"})"), "invalid");
    EXPECT_EQ(refusal("account.add", R"({"address":"bob","password":"x","quota":"lots"})"),
              "invalid");
    for (const char* wrong : {R"({"address":"alice","quota_messages":"lots"})",
                              R"({"address":"alice","quota_mailboxes":"-1"})",
                              R"({"address":"alice","quota":"1 PiB"})"}) {
        EXPECT_EQ(refusal("account.change", wrong), "invalid") << wrong;
    }
    EXPECT_EQ(refusal("account.change", R"({"address":"bob","quota":"1"})"), "not_found");
    result("account.change", R"({"address":"alice","quota":"2 KiB","quota_messages":"9"})");
    result("account.change", R"({"address":"alice","full_name":"Alice L"})");
    const auto changed = rows("account.list");
    EXPECT_EQ(changed[0].int_or("quota", 0), 2048);
    EXPECT_EQ(changed[0].int_or("quota_messages", 0), 9);
    EXPECT_EQ(changed[0].int_or("quota_mailboxes", -1), 0);
    EXPECT_EQ(changed[0].string_or("full_name", ""), "Alice L");
    result("account.remove", R"({"address":"alice"})");
    EXPECT_EQ(rows("account.list").size(), 0U);
}

TEST_F(Admin, passwords_are_generated_and_never_listed) {
    add_alice();
    const JsonValue made = result("account.passwd", R"({"address":"alice","generate":true})");
    EXPECT_EQ(made.string_or("password", "").size(), 23U);
    const std::string app =
        ask("account.app_password.add", R"({"address":"alice","name":"phone"})");
    EXPECT_NE(app.find("password"), std::string::npos);
    EXPECT_EQ(refusal("account.app_password.add", R"({"address":"alice","name":"phone"})"),
              "already_exists");
    const std::string list = ask("account.app_password.list", R"({"address":"alice"})");
    EXPECT_NE(list.find("phone"), std::string::npos);
    EXPECT_EQ(list.find("argon2"), std::string::npos);
    EXPECT_EQ(ask("account.list").find("argon2"), std::string::npos);
    result("account.app_password.remove", R"({"address":"alice","name":"phone"})");
    EXPECT_EQ(refusal("account.app_password.remove", R"({"address":"alice","name":"phone"})"),
              "not_found");
}

TEST_F(Admin, aliases_come_and_go) {
    add_alice();
    result("alias.add", R"({"address":"sales","target":["alice","out@else.test"]})");
    const auto list = rows("alias.list");
    ASSERT_EQ(list.size(), 1U);
    EXPECT_EQ(list[0].string_or("address", ""), "sales@example.test");
    EXPECT_EQ(refusal("alias.add", R"({"address":"empty","target":[]})"), "invalid");
    EXPECT_EQ(refusal("domain.remove", R"({"domain":"example.test"})"), "denied");
    result("alias.remove", R"({"address":"sales"})");
    EXPECT_EQ(rows("alias.list").size(), 0U);
}

TEST_F(Admin, queue_is_listed_and_shown) {
    const std::string id = to_string(queue_one());
    const auto list = rows("queue.list");
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0].string_or("id", ""), id);
    EXPECT_EQ(list[0].string_or("state", ""), "waiting");
    EXPECT_EQ(rows("queue.list", R"({"site":"two.test"})").size(), 1U);
    const JsonValue shown = result("queue.show", R"({"id":")" + id + "\"}");
    EXPECT_EQ(shown.string_or("sender", ""), "alice@example.test");
    EXPECT_EQ(shown.find("deliveries")->array()->size(), 2U);
    EXPECT_EQ(refusal("queue.show", R"({"id":"0000000000"})"), "not_found");
    EXPECT_EQ(refusal("queue.show", R"({"id":"x"})"), "invalid");
}

TEST_F(Admin, queue_is_listed_in_pages_that_end_with_a_message) {
    std::vector<std::string> ids;
    for (int i = 0; i < 5; ++i) {
        ids.push_back(to_string(queue_one()));
    }
    // Two deliveries a message: a page of three is one of four.
    const JsonValue first = result("queue.list", R"({"limit":"3"})");
    EXPECT_EQ(first.find("rows")->array()->size(), 4U);
    EXPECT_EQ(first.string_or("next", ""), ids[1]);
    const JsonValue second =
        result("queue.list", R"({"limit":2,"after":")" + ids[1] + R"(","site":"two.test"})");
    ASSERT_EQ(second.find("rows")->array()->size(), 2U);
    EXPECT_EQ(second.find("rows")->array()->front().string_or("id", ""), ids[2]);
    EXPECT_EQ(second.string_or("next", ""), ids[3]);
    const JsonValue last = result("queue.list", R"({"after":")" + ids[3] + "\"}");
    EXPECT_EQ(last.find("rows")->array()->size(), 2U);
    EXPECT_EQ(last.find("next"), nullptr);
    for (const char* wrong : {R"({"limit":0})", R"({"limit":"x"})", R"({"limit":501})"}) {
        EXPECT_EQ(refusal("queue.list", wrong), "invalid") << wrong;
    }
}

TEST_F(Admin, queue_of_many_is_changed_piece_by_piece) {
    constexpr std::uint64_t kMessages = 1300;
    for (std::uint64_t i = 0; i < kMessages; ++i) {
        queue_one();
    }
    EXPECT_EQ(result("status").int_or("queued", 0), static_cast<std::int64_t>(kMessages));
    const auto to_the_end = [this](const std::string& call, const std::string& which) {
        std::vector<std::int64_t> pieces;
        std::string after;
        do {
            const JsonValue piece = result(
                call, "{" + which + (after.empty() ? "" : R"(,"after":")" + after + "\"") + "}");
            pieces.push_back(piece.int_or("deliveries", -1));
            after = piece.string_or("next", "");
            // What comes in while it runs is not touched.
            queue_one();
        } while (!after.empty());
        return pieces;
    };
    using Pieces = std::vector<std::int64_t>;
    EXPECT_EQ(to_the_end("queue.hold", R"("all":true)"), (Pieces{1024, 1024, 552}));
    EXPECT_EQ(to_the_end("queue.release", R"("site":"one.test")"), (Pieces{1024, 276}));
    EXPECT_EQ(to_the_end("queue.delete", R"("all":true)"), (Pieces{1024, 1024, 562}));
    EXPECT_EQ(result("status").int_or("queued", 0), 3);
    EXPECT_EQ(refusal("queue.hold", R"({"all":true,"after":"7"})"), "invalid");
    EXPECT_EQ(result("fsck").bool_or("good", false), true);
}

// One of a bundle is settled by an attempt between plan and commit: the others are done all the
// same, and in few commits.
TEST_F(Admin, bundle_that_is_overtaken_is_halved) {
    std::vector<MailId> mails;
    for (int i = 0; i < 16; ++i) {
        mails.push_back(queue_one());
    }
    int commits = 0;
    host_.commit = [&](store::Plan plan) {
        ++commits;
        // Once with all of them, once more with the second half.
        if (commits == 1 || commits == 3) {
            store::Plan rival;
            rival.steps.emplace_back(store::RemoveFromQueue{.mail = mails[commits == 1 ? 2 : 15]});
            EXPECT_TRUE(commit(std::move(rival)));
        }
        return commit(std::move(plan));
    };
    const JsonValue held = result("queue.hold", R"({"all":true})");
    EXPECT_EQ(held.int_or("messages", 0), 14);
    EXPECT_EQ(held.int_or("deliveries", 0), 28);
    EXPECT_EQ(commits, 5);
    EXPECT_EQ(rows("queue.list", R"({"held":true})").size(), 28U);
}

TEST_F(Admin, queue_is_summarized_by_site_and_age) {
    queue_one();
    queue_one();
    result("queue.hold", R"({"site":"two.test"})");
    const auto sites = rows("queue.summary");
    ASSERT_EQ(sites.size(), 2U);
    EXPECT_EQ(sites[0].string_or("site", ""), "one.test");
    EXPECT_EQ(sites[0].int_or("deliveries", 0), 2);
    EXPECT_EQ(sites[0].int_or("held", -1), 0);
    EXPECT_EQ(sites[0].int_or("under_5m", 0), 2);
    EXPECT_EQ(sites[0].int_or("older", -1), 0);
    EXPECT_EQ(sites[1].int_or("held", 0), 2);
}

TEST_F(Admin, queue_is_held_released_and_retried) {
    const std::string id = to_string(queue_one());
    const JsonValue held = result("queue.hold", R"({"site":"one.test"})");
    EXPECT_EQ(held.int_or("deliveries", 0), 1);
    EXPECT_EQ(rows("queue.list", R"({"held":true})").size(), 1U);
    EXPECT_EQ(result("queue.hold", R"({"site":"one.test"})").int_or("deliveries", -1), 0);
    EXPECT_EQ(result("queue.retry", R"({"all":true})").int_or("deliveries", 0), 1);
    EXPECT_EQ(result("queue.release", R"({"id":[")" + id + "\"]}").int_or("deliveries", 0), 1);
    EXPECT_EQ(rows("queue.list", R"({"held":true})").size(), 0U);
    EXPECT_EQ(refusal("queue.hold"), "invalid");
    EXPECT_EQ(refusal("queue.hold", R"({"id":["0000000000"]})"), "not_found");
}

TEST_F(Admin, queue_is_deleted_by_site_and_whole) {
    const std::string id = to_string(queue_one());
    EXPECT_EQ(result("queue.delete", R"({"site":"one.test"})").int_or("deliveries", 0), 1);
    EXPECT_EQ(rows("queue.list").size(), 1U);
    EXPECT_EQ(result("queue.delete", R"({"id":[")" + id + "\"]}").int_or("messages", 0), 1);
    EXPECT_EQ(rows("queue.list").size(), 0U);
    const JsonValue life = result("message.show", R"({"id":")" + id + "\"}");
    EXPECT_EQ(life.find("events")->array()->size(), 3U);
    EXPECT_FALSE(life.bool_or("in_queue", true));
}

TEST_F(Admin, message_life_is_told_in_order) {
    const std::string id = to_string(queue_one());
    const JsonValue life = result("message.show", R"({"id":")" + id + "\"}");
    ASSERT_EQ(life.find("events")->array()->size(), 1U);
    const JsonValue& first = (*life.find("events")->array())[0];
    EXPECT_EQ(first.string_or("kind", ""), "accepted");
    EXPECT_EQ(first.find("detail")->int_or("x", 0), 1);
    EXPECT_EQ(refusal("message.show", R"({"id":"0000000zzz"})"), "not_found");
}

TEST_F(Admin, fsck_of_a_good_store_is_good) {
    add_alice();
    queue_one();
    EXPECT_TRUE(result("fsck").bool_or("good", false)) << ask("fsck");
    EXPECT_FALSE(result("fsck", R"({"quick":true})").find("invariants")->array()->empty());
}

TEST_F(Admin, status_and_reload_without_a_server) {
    EXPECT_FALSE(result("status").bool_or("running", true));
    EXPECT_EQ(refusal("reload"), "closed");
}

TEST_F(Admin, queue_is_listed_by_what_is_asked_for) {
    const std::string id = to_string(queue_one());
    EXPECT_EQ(rows("queue.list", R"({"site":"one.test"})").size(), 1U);
    EXPECT_EQ(rows("queue.list", R"({"domain":"TWO.test"})").size(), 1U);
    EXPECT_EQ(rows("queue.list", R"({"domain":"three.test"})").size(), 0U);
    EXPECT_EQ(rows("queue.list", R"({"sender":"Alice@example.test"})").size(), 2U);
    EXPECT_EQ(rows("queue.list", R"({"sender":"@example.test"})").size(), 2U);
    EXPECT_EQ(rows("queue.list", R"({"sender":"<>"})").size(), 0U);
    EXPECT_EQ(rows("queue.list", R"({"age":60})").size(), 0U);
    EXPECT_EQ(rows("queue.list", R"({"state":"due"})").size(), 2U);
    result("queue.hold", R"({"domain":"one.test"})");
    EXPECT_EQ(rows("queue.list", R"({"state":"held"})").size(), 1U);
    EXPECT_EQ(rows("queue.list", R"({"state":"waiting"})").size(), 1U);
    EXPECT_EQ(rows("queue.list", R"({"state":"quarantined"})").size(), 0U);
    EXPECT_EQ(refusal("queue.list", R"({"state":"sleeping"})"), "invalid");
    EXPECT_EQ(refusal("queue.list", R"({"age":0})"), "invalid");
}

TEST_F(Admin, why_a_message_is_still_here) {
    const std::string id = to_string(queue_one());
    const std::string ask_why = R"({"id":")" + id + "\"}";
    const auto why = [&](std::size_t delivery) {
        return rows("queue.why", ask_why).at(delivery).string_or("why", "");
    };
    EXPECT_NE(why(0).find("not yet tried, due since"), std::string::npos) << why(0);
    EXPECT_NE(why(0).find("no server runs"), std::string::npos) << why(0);
    result("queue.hold", R"({"site":"one.test"})");
    EXPECT_TRUE(why(0).starts_with("held: by operator; until it is released")) << why(0);
    result("queue.suspend", R"({"site":"two.test","reason":"full moon"})");
    EXPECT_TRUE(why(1).starts_with("sending to two.test is suspended since")) << why(1);
    EXPECT_NE(why(1).find(": full moon"), std::string::npos) << why(1);
    result("queue.expire", R"({"site":"one.test"})");
    EXPECT_EQ(why(0), "given up by operator, its report follows");
    EXPECT_EQ(refusal("queue.why", R"({"id":"0000000000"})"), "not_found");
}

TEST_F(Admin, queue_is_rerouted) {
    queue_one();
    result("queue.hold", R"({"site":"one.test"})");
    const std::string order = R"({"site":"one.test","to":"relay.test:2525"})";
    EXPECT_EQ(result("queue.reroute", order).int_or("deliveries", 0), 1);
    EXPECT_EQ(result("queue.reroute", order).int_or("deliveries", -1), 0);
    const auto moved = rows("queue.list", R"({"site":"smtp:relay.test:2525"})");
    ASSERT_EQ(moved.size(), 1U);
    EXPECT_EQ(moved[0].string_or("state", ""), "waiting");
    EXPECT_EQ(refusal("queue.reroute", R"({"all":true})"), "invalid");
    EXPECT_EQ(refusal("queue.reroute", R"({"all":true,"to":"relay.test:0"})"), "invalid");
    EXPECT_TRUE(result("fsck").bool_or("good", false)) << ask("fsck");
}

// What was given up is released again, or deleted: nobody is to carry the order out then.
TEST_F(Admin, orders_are_taken_back) {
    const std::string id = to_string(queue_one());
    result("queue.expire", R"({"all":true})");
    EXPECT_TRUE(*flow::has_orders(*store_->snapshot(), store::ReadTier::Disk));
    EXPECT_EQ(result("queue.expire", R"({"all":true})").int_or("deliveries", -1), 0);
    result("queue.release", R"({"site":"one.test"})");
    EXPECT_TRUE(*flow::has_orders(*store_->snapshot(), store::ReadTier::Disk));
    result("queue.delete", R"({"id":[")" + id + "\"]}");
    EXPECT_FALSE(*flow::has_orders(*store_->snapshot(), store::ReadTier::Disk));
}

TEST_F(Admin, suspensions_come_and_go) {
    EXPECT_EQ(result("queue.suspend", R"({"site":"One.test","for":60})").string_or("suspended", ""),
              "sending to one.test");
    result("queue.suspend", R"({"sender":"<Bulk@example.test>","until":"2199-12-31T23:59Z"})");
    result("queue.suspend", R"({"all":true})");
    const auto all = rows("queue.suspensions");
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].string_or("kind", ""), "all");
    EXPECT_EQ(all[1].string_or("name", ""), "bulk@example.test");
    EXPECT_EQ(all[1].string_or("until", ""), "2199-12-31T23:59:00Z");
    EXPECT_EQ(all[2].string_or("name", ""), "one.test");
    result("queue.resume", R"({"all":true})");
    result("queue.resume", R"({"site":"one.test"})");
    EXPECT_EQ(refusal("queue.resume", R"({"site":"one.test"})"), "not_found");
    EXPECT_EQ(result("queue.resume", R"({"sender":"bulk@example.test"})").int_or("messages", -1),
              0);
    EXPECT_EQ(refusal("queue.suspend"), "invalid");
    EXPECT_EQ(refusal("queue.suspend", R"({"all":true,"site":"x.test"})"), "invalid");
    EXPECT_EQ(refusal("queue.suspend", R"({"all":true,"until":"2001-01-01T00:00Z"})"), "invalid");
    for (const char* wrong : {"tomorrow", "2199-02-29T00:00Z", "2199-01-01T24:00Z", "2199-01-01"}) {
        EXPECT_EQ(refusal("queue.suspend", R"({"all":true,"until":")" + std::string(wrong) + "\"}"),
                  "invalid");
    }
    EXPECT_TRUE(rows("queue.suspensions").empty());
}

TEST_F(Admin, suspensions_have_a_bound) {
    store::Plan plan;
    store::ChangeRows many;
    for (std::size_t i = 0; i + 1 < flow::suspensions_max; ++i) {
        const std::string name = "site" + std::to_string(i) + ".test";
        many.entries.push_back(
            {.key = flow::suspension_key(flow::SuspensionKind::Site, name),
             .value = flow::encode({.kind = flow::SuspensionKind::Site, .name = name})});
    }
    plan.steps.emplace_back(std::move(many));
    ASSERT_TRUE(commit(std::move(plan)));
    result("queue.suspend", R"({"site":"one-more.test"})");
    EXPECT_EQ(refusal("queue.suspend", R"({"site":"too-many.test"})"), "limit_exceeded");
    result("queue.suspend", R"({"site":"one-more.test","reason":"again"})");
}

// A small site of a large queue is found by the due index: nothing else is looked at.
TEST_F(Admin, site_is_changed_along_the_due_index) {
    for (int i = 0; i < 600; ++i) {
        queue_one();
    }
    std::uint64_t deliveries = 0;
    std::string after;
    do {
        const JsonValue piece =
            result("queue.retry", R"({"site":"one.test")" +
                                      (after.empty() ? "" : R"(,"after":")" + after + "\"") + "}");
        deliveries += static_cast<std::uint64_t>(piece.int_or("deliveries", 0));
        after = piece.string_or("next", "");
        EXPECT_TRUE(after.empty() || after.starts_with("due:")) << after;
    } while (!after.empty());
    EXPECT_EQ(deliveries, 600U);
    EXPECT_EQ(result("queue.hold", R"({"site":"two.test"})").int_or("deliveries", 0), 600);
    EXPECT_EQ(result("queue.hold", R"({"site":"two.test"})").int_or("deliveries", -1), 0);
    EXPECT_EQ(refusal("queue.hold", R"({"site":"one.test","after":"due:nonsense"})"), "invalid");
    EXPECT_TRUE(result("fsck").bool_or("good", false));
}

// One row that cannot be read keeps an order to many from none of the others.
TEST_F(Admin, Orders_pass_a_damaged_delivery_over) {
    const MailId mail = queue_one();
    result("queue.hold", R"({"all":true})");
    store::Batch damage;
    damage.put(store::queue_delivery_key(mail, 1), "garbage");
    ASSERT_TRUE(store_->kv().commit(damage));
    EXPECT_EQ(result("queue.release", R"({"all":true})").int_or("deliveries", 0), 1);
    EXPECT_EQ(result("queue.delete", R"({"all":true})").int_or("messages", 0), 1);
    EXPECT_TRUE(rows("queue.list").empty());
}

}  // namespace
}  // namespace godwit::serve
