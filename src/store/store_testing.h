// For tests and benchmarks of the store: an account to deliver to, and plans to deliver with.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/crypto.h"
#include "store/directory/directory.h"
#include "store/mailbox/mailbox.h"
#include "store/store.h"

namespace godwit::store::fixture {

/// Submits and waits; with a manual commit it is run here.
inline CommitResult commit(Store& store, Plan plan, CommitDrive drive) {
    struct Shared {
        std::mutex mutex;
        std::condition_variable wake;
        std::optional<CommitResult> result;
    };
    Shared shared;
    store.committer().submit(std::make_unique<Plan>(std::move(plan)), [&](CommitResult result) {
        const std::scoped_lock lock(shared.mutex);
        shared.result = std::move(result);
        shared.wake.notify_one();
    });
    if (drive == CommitDrive::Manual) {
        store.committer().run_once();
    }
    std::unique_lock lock(shared.mutex);
    shared.wake.wait(lock, [&] { return shared.result.has_value(); });
    return *std::move(shared.result);
}

/// "userN@example.test", with the usual mailboxes.
inline AccountId add_account(Store& store, int number, CommitDrive drive) {
    const auto has = find_domain(*store.snapshot(), ReadTier::Disk, "example.test");
    check(has.has_value(), "directory cannot be read");
    if (!*has) {
        Domain example;
        example.name = "example.test";
        auto domain = plan_add_domain(*store.snapshot(), example);
        check(domain && commit(store, *std::move(domain), drive), "domain is refused");
    }
    Account account;
    account.name = "user" + std::to_string(number) + "@example.test";
    auto plan = plan_add_account(*store.snapshot(), account);
    check(plan && commit(store, *std::move(plan), drive), "account is refused");
    const auto found =
        find_account(*store.snapshot(), ReadTier::Disk, account.name, "example.test");
    check(found && *found, "account is not there");
    return (*found)->id;
}

/// A delivery to the account's inbox.
inline Plan delivery(Store& store, AccountId account, std::string_view body) {
    auto writer = store.blobs().writer();
    check(writer->append(body).has_value(), "body is refused");
    auto finished = writer->finish();
    check(finished.has_value(), "body is refused");
    AppendMessage append;
    append.account = account;
    append.mailbox = kInbox;
    append.record.blob = finished->id;
    append.record.blob_size = finished->size;
    append.record.prefix = "Return-Path: <a@example.test>\r\n";
    append.record.summary = std::string(300, 's');
    append.mail = store.next_mail_id();
    append.internal_date = 1'700'000'000;
    Plan plan;
    plan.steps.emplace_back(std::move(append));
    plan.bodies.push_back(*std::move(finished));
    return plan;
}

}  // namespace godwit::store::fixture
