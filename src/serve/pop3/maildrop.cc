#include "serve/pop3/maildrop.h"

#include <unordered_map>

#include "base/log.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/read.h"
#include "store/mailbox/unique_ids.h"

namespace godwit::serve {

namespace {
/// What emails are called that came with a name. In bounded steps: most accounts have none.
net::Task<Result<std::unordered_map<EmailId, std::string>>> read_unique_ids(
    const flow::Services* services, AccountId account) {
    std::unordered_map<EmailId, std::string> named;
    std::string after;
    for (;;) {
        std::vector<store::UniqueId> found = CO_TRY(co_await flow::read(
            services, [account, &after](const store::Snapshot& snapshot, store::ReadTier tier) {
                return store::read_unique_ids(snapshot, tier, account, after,
                                              limits::scan_rows_max);
            }));
        const bool is_last = found.size() < limits::scan_rows_max;
        if (!found.empty()) {
            after = found.back().text;
        }
        for (store::UniqueId& one : found) {
            named.emplace(one.email, std::move(one.text));
        }
        if (is_last) {
            co_return named;
        }
    }
}
}  // namespace

net::Task<Result<MaildropSnapshot>> take_maildrop(const flow::Services* services,
                                                  AccountId account) {
    MaildropSnapshot maildrop;
    const auto inbox = CO_TRY(co_await flow::read(
        services, [account](const store::Snapshot& snapshot, store::ReadTier tier) {
            return store::read_mailbox(snapshot, tier, account, store::kInbox);
        }));
    if (!inbox) {
        co_return temporary_error(ErrorCode::NotFound, "the account has no INBOX");
    }
    maildrop.uid_validity = inbox->uid_validity;
    const std::unordered_map<EmailId, std::string> named =
        CO_TRY(co_await read_unique_ids(services, account));
    Uid from(1);
    for (;;) {
        const std::vector<store::MessageRow> rows = CO_TRY(co_await flow::read(
            services, [account, from](const store::Snapshot& snapshot, store::ReadTier tier) {
                return store::read_rows(snapshot, tier, account, store::kInbox, from,
                                        limits::scan_rows_max);
            }));
        for (const store::MessageRow& row : rows) {
            maildrop.uids.push_back(row.uid);
            maildrop.emails.push_back(row.email);
            // Q18: never reused, stable, printable; UIDVALIDITY.UID is all of that. Mail that came
            // from another server keeps what that one called it: clients fetch no message twice.
            const auto kept = named.find(row.email);
            maildrop.listing.push_back(
                {.size = row.size,
                 .unique_id = kept != named.end() ? kept->second
                                                  : std::to_string(inbox->uid_validity.value()) +
                                                        "." + std::to_string(row.uid.value()),
                 .requires_utf8 = false});
        }
        if (rows.size() < limits::scan_rows_max) {
            co_return maildrop;
        }
        from = Uid(rows.back().uid.value() + 1);
    }
}

net::Task<bool> remove_messages(const flow::Services* services, AccountId account,
                                const MaildropSnapshot* maildrop,
                                std::vector<std::size_t> deleted) {
    for (std::size_t done = 0; done < deleted.size();) {
        store::ExpungeMessages expunge;
        expunge.account = account;
        expunge.mailbox = store::kInbox;
        expunge.only_deleted = false;
        while (done < deleted.size() && expunge.uids.size() < limits::scan_rows_max) {
            expunge.uids.push_back(maildrop->uids.at(deleted[done++]));
        }
        store::Plan plan;
        plan.steps.emplace_back(std::move(expunge));
        crash_point<"pop3.removal_planned">();
        const Result<> removed = co_await flow::commit_all(services->store, std::move(plan));
        if (!removed) {
            log::error("pop3.remove_failed",
                       {{"account", account.value()}, {"error", removed.error().text}});
            co_return false;
        }
        crash_point<"pop3.removal_committed">();
    }
    co_return true;
}

}  // namespace godwit::serve
