// Administrators' calls on access control lists of mailboxes. RFC 4314 2, 3.
#include <map>
#include <optional>

#include "flow/commit.h"
#include "mail/text/charset.h"
#include "serve/admin/calls.h"
#include "store/directory/directory.h"
#include "store/mailbox/access.h"
#include "store/mailbox/mailbox.h"
#include "store/store.h"

namespace godwit::serve {

using store::ReadTier;

namespace {

struct Named {
    store::Account account;
    store::MailboxState mailbox;
};

Result<store::Account> account_named(const AdminHost& host, const store::Snapshot& snapshot,
                                     std::string_view login) {
    auto account = TRY(store::find_account(snapshot, ReadTier::Disk, login, host.default_domain));
    if (!account) {
        return peer_error(ErrorCode::NotFound, "there is no account '" + std::string(login) + "'");
    }
    return *std::move(account);
}

Result<Named> mailbox_named(const AdminHost& host, const store::Snapshot& snapshot,
                            const AdminArguments& arguments) {
    Named named;
    named.account = TRY(account_named(host, snapshot, TRY(arguments.text("account"))));
    const std::string name = TRY(arguments.text("mailbox"));
    auto mailbox =
        TRY(store::find_mailbox(snapshot, ReadTier::Disk, named.account.id, mail::to_nfc(name)));
    if (!mailbox) {
        return peer_error(ErrorCode::NotFound,
                          named.account.name + " has no mailbox '" + name + "'");
    }
    named.mailbox = *std::move(mailbox);
    return named;
}

Result<AccountId> grantee_named(const AdminHost& host, const store::Snapshot& snapshot,
                                const std::string& who) {
    if (who == store::anyone_name) {
        return store::kAnyone;
    }
    return TRY(account_named(host, snapshot, who)).id;
}

Result<std::string> set_access(const AdminHost& host, const AdminArguments& arguments,
                               store::Rights rights) {
    const std::string who = TRY(arguments.text("who"));
    TRY(change_store(host, [&](const store::Snapshot& snapshot) -> Result<store::Plan> {
        const Named named = TRY(mailbox_named(host, snapshot, arguments));
        store::Plan plan;
        plan.steps.emplace_back(store::SetAccess{.account = named.account.id,
                                                 .mailbox = named.mailbox.id,
                                                 .grantee = TRY(grantee_named(host, snapshot, who)),
                                                 .rights = rights});
        return plan;
    }));
    JsonWriter json;
    json.begin_object().field("who", who).field("rights", store::to_letters(rights)).end_object();
    return std::move(json).take();
}

// What an entry is called; nullopt when its account is no more.
Result<std::optional<std::string>> name_of(const store::Snapshot& snapshot, AccountId grantee) {
    if (grantee == store::kAnyone) {
        return std::string(store::anyone_name);
    }
    const auto account = TRY(store::read_account(snapshot, ReadTier::Disk, grantee));
    return account ? std::optional(account->name) : std::nullopt;
}

}  // namespace

Result<std::string> set_acl(const AdminHost& host, const AdminArguments& arguments) {
    const std::string letters = TRY(arguments.text("rights"));
    const std::optional<store::Rights> rights = store::parse_rights(letters);
    if (!rights || rights->is_empty()) {
        return peer_error(ErrorCode::Invalid,
                          "'" + letters + "' are no rights: letters of lrswipkxtea");
    }
    return set_access(host, arguments, *rights);
}

Result<std::string> remove_acl(const AdminHost& host, const AdminArguments& arguments) {
    return set_access(host, arguments, {});
}

Result<std::string> list_acl(const AdminHost& host, const AdminArguments& arguments) {
    const auto snapshot = host.store->snapshot();
    const store::Account account =
        TRY(account_named(host, *snapshot, TRY(arguments.text("account"))));
    Page page(arguments);
    std::map<std::string, std::pair<std::string, std::string>> rows;
    for (const store::MailboxState& mailbox :
         TRY(store::list_mailboxes(*snapshot, ReadTier::Disk, account.id))) {
        for (const store::AccessEntry& entry :
             TRY(store::read_access(*snapshot, ReadTier::Disk, account.id, mailbox.id))) {
            if (const auto who = TRY(name_of(*snapshot, entry.grantee))) {
                rows[mailbox.name + '/' + *who] = {*who, store::to_letters(entry.rights)};
            }
        }
    }
    for (const auto& [key, row] : rows) {
        if (page.admits(key)) {
            const std::string mailbox = key.substr(0, key.size() - row.first.size() - 1);
            page.json().begin_object().field("mailbox", mailbox);
            page.json().field("who", row.first).field("rights", row.second).end_object();
        }
    }
    return page.finish();
}

}  // namespace godwit::serve
