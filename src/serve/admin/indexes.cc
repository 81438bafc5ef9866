// Administrators' calls on search indexes: how far they are, and making them anew.
#include <algorithm>

#include "serve/admin/calls.h"
#include "store/directory/directory.h"
#include "store/kv/record.h"
#include "store/search/index_run.h"
#include "store/store.h"

namespace godwit::serve {

using store::ReadTier;

namespace {

Result<std::vector<store::Account>> chosen(const AdminHost& host, const AdminArguments& arguments) {
    const auto snapshot = host.store->snapshot();
    const std::vector<std::string> logins = TRY(arguments.texts("account"));
    if (arguments.flag("all") != logins.empty()) {
        return peer_error(ErrorCode::Invalid, "name accounts, or say --all");
    }
    if (logins.empty()) {
        return store::list_accounts(*snapshot, ReadTier::Disk);
    }
    std::vector<store::Account> accounts;
    for (const std::string& login : logins) {
        auto account =
            TRY(store::find_account(*snapshot, ReadTier::Disk, login, host.default_domain));
        if (!account) {
            return peer_error(ErrorCode::NotFound, "there is no account '" + login + "'");
        }
        accounts.push_back(*std::move(account));
    }
    return accounts;
}

}  // namespace

Result<std::string> make_indexes_anew(const AdminHost& host, const AdminArguments& arguments) {
    const std::vector<store::Account> accounts = TRY(chosen(host, arguments));
    for (const store::Account& account : accounts) {
        TRY(change_store(host, [&account](const store::Snapshot& snapshot) {
            return store::plan_index_anew(snapshot, ReadTier::Disk, account.id);
        }));
    }
    JsonWriter json;
    json.begin_object().field("accounts", std::uint64_t{accounts.size()}).end_object();
    return std::move(json).take();
}

Result<std::string> list_indexes(const AdminHost& host, const AdminArguments& arguments) {
    const auto snapshot = host.store->snapshot();
    auto accounts = TRY(store::list_accounts(*snapshot, ReadTier::Disk));
    std::ranges::sort(accounts, {}, &store::Account::name);
    Page page(arguments);
    for (const store::Account& account : accounts) {
        if (!page.admits(account.name)) {
            continue;
        }
        const auto read = store::read_index_progress(*snapshot, ReadTier::Disk, account.id);
        if (!read && !store::is_damage(read.error())) {
            return std::unexpected(read.error());
        }
        const store::IndexProgress progress = read.value_or(store::IndexProgress{});
        page.json().begin_object().field("address", account.name);
        page.json().field("state", !read                                    ? "damaged"
                                   : progress.covered < progress.next_email ? "behind"
                                                                            : "complete");
        page.json().field("messages", progress.emails);
        page.json().field("waiting", std::uint64_t{progress.next_email - progress.covered});
        page.json().field("read_each_time", progress.unsure);
        page.json().field("bytes", progress.octets);
        page.json().field("segments", std::uint64_t{progress.segments}).end_object();
    }
    return page.finish();
}

}  // namespace godwit::serve
