// Administrators' calls that make room for imported mail: folders with their roles and numbers, and
// which messages came before. docs/decisions/0025.
#include "base/encoding.h"
#include "base/limits.h"
#include "mail/text/charset.h"
#include "serve/admin/calls.h"
#include "store/directory/directory.h"
#include "store/mailbox/mailbox.h"
#include "store/mailbox/origins.h"
#include "store/mailbox/schema.h"
#include "store/store.h"
#include "wire/imap/mailbox_name.h"

namespace godwit::serve {

using store::ReadTier;

Result<AccountId> moved_account(const AdminHost& host, const AdminArguments& arguments) {
    const std::string login = TRY(arguments.text("account"));
    const auto account = TRY(
        store::find_account(*host.store->snapshot(), ReadTier::Disk, login, host.default_domain));
    if (!account) {
        return peer_error(ErrorCode::NotFound, "there is no account '" + login + "'");
    }
    return account->id;
}

Result<MailboxId> moved_mailbox(const AdminArguments& arguments) {
    return MailboxId(static_cast<std::uint32_t>(
        TRY(arguments.count_or("mailbox", store::kInbox.value(), UINT32_MAX))));
}

namespace {

constexpr std::string_view kRoles[] = {"\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash"};

struct Wanted {
    AccountId account;
    std::string name;
    std::string role;
    bool subscribed = false;
};

Result<Wanted> read_wanted(const AdminHost& host, const AdminArguments& arguments) {
    Wanted wanted;
    wanted.account = TRY(moved_account(host, arguments));
    // A name that no client may say would make a folder that nobody can open.
    const imap::MailboxName name =
        TRY(imap::parse_mailbox_name(TRY(arguments.text("name")), imap::NameSpelling::Utf8));
    wanted.name = TRY(store::mailbox_name(mail::to_nfc(name.name)));
    wanted.role = arguments.text_or("role", "");
    wanted.subscribed = arguments.flag("subscribed");
    if (!wanted.role.empty() && std::ranges::find(kRoles, wanted.role) == std::end(kRoles)) {
        return peer_error(ErrorCode::Invalid, "'" + wanted.role + "' is no role of a folder");
    }
    return wanted;
}

std::optional<store::MailboxState> with_role(const std::vector<store::MailboxState>& mailboxes,
                                             std::string_view role) {
    const auto found = std::ranges::find(mailboxes, role, &store::MailboxState::special_use);
    return role.empty() || found == mailboxes.end() ? std::nullopt : std::optional(*found);
}

/// An account starts with empty folders for its roles. One that was never used makes way for the
/// folder that has the role where the mail comes from: it takes that one's name.
bool makes_way(const store::MailboxState& holder) {
    return holder.uid_next == Uid(1) && holder.id != store::kInbox;
}

void add_parents(store::Plan& plan, const Wanted& wanted,
                 const std::vector<store::MailboxState>& mailboxes) {
    for (std::size_t at = wanted.name.find('/'); at != std::string::npos;
         at = wanted.name.find('/', at + 1)) {
        std::string parent = wanted.name.substr(0, at);
        if (std::ranges::find(mailboxes, parent, &store::MailboxState::name) == mailboxes.end()) {
            plan.steps.emplace_back(store::CreateMailbox{.account = wanted.account,
                                                         .name = std::move(parent),
                                                         .special_use = "",
                                                         .subscribed = false});
        }
    }
}

Result<store::Plan> plan_folder(const store::Snapshot& snapshot, const Wanted& wanted) {
    const auto mailboxes = TRY(store::list_mailboxes(snapshot, ReadTier::Disk, wanted.account));
    const auto holder = with_role(mailboxes, wanted.role);
    const auto known = std::ranges::find(mailboxes, wanted.name, &store::MailboxState::name);
    const bool is_known = known != mailboxes.end() && known->is_selectable;
    store::Plan plan;
    if (!is_known) {
        add_parents(plan, wanted, mailboxes);
    }
    if (!is_known && known == mailboxes.end() && holder && makes_way(*holder)) {
        plan.steps.emplace_back(store::RenameMailbox{
            .account = wanted.account, .mailbox = holder->id, .name = wanted.name});
    } else if (!is_known) {
        plan.steps.emplace_back(store::CreateMailbox{.account = wanted.account,
                                                     .name = wanted.name,
                                                     .special_use = wanted.role,
                                                     .subscribed = false});
    } else if (!wanted.role.empty() && known->special_use.empty() && known->id != store::kInbox &&
               (!holder || makes_way(*holder))) {
        plan.steps.emplace_back(store::SetSpecialUse{
            .account = wanted.account, .mailbox = known->id, .special_use = wanted.role});
    }
    if (wanted.subscribed) {
        plan.steps.emplace_back(store::SubscribeMailbox{
            .account = wanted.account, .name = wanted.name, .subscribed = true});
    }
    return plan;
}

}  // namespace

Result<std::string> import_folder(const AdminHost& host, const AdminArguments& arguments) {
    const Wanted wanted = TRY(read_wanted(host, arguments));
    TRY(change_store(host, [&wanted](const store::Snapshot& snapshot) {
        return plan_folder(snapshot, wanted);
    }));
    const auto made = TRY(
        store::find_mailbox(*host.store->snapshot(), ReadTier::Disk, wanted.account, wanted.name));
    if (!made) {
        return temporary_error(ErrorCode::Stale, wanted.name + " went away meanwhile");
    }
    JsonWriter json;
    json.begin_object().field("mailbox", made->id.value()).field("name", made->name);
    json.field("role", made->special_use).field("uid_validity", made->uid_validity.value());
    json.field("uid_next", made->uid_next.value()).end_object();
    return std::move(json).take();
}

Result<std::string> import_numbers(const AdminHost& host, const AdminArguments& arguments) {
    store::AdoptUids step{.account = TRY(moved_account(host, arguments)),
                          .mailbox = TRY(moved_mailbox(arguments)),
                          .uid_validity = std::nullopt,
                          .uid_next = std::nullopt};
    if (arguments.has("uid_validity")) {
        step.uid_validity = UidValidity(
            static_cast<std::uint32_t>(TRY(arguments.count_or("uid_validity", 0, UINT32_MAX))));
    }
    if (arguments.has("uid_next")) {
        step.uid_next =
            Uid(static_cast<std::uint32_t>(TRY(arguments.count_or("uid_next", 0, UINT32_MAX))));
    }
    TRY(change_store(host, [&step](const store::Snapshot&) -> Result<store::Plan> {
        store::Plan plan;
        plan.steps.emplace_back(step);
        return plan;
    }));
    return std::string("{}");
}

Result<std::string> import_known(const AdminHost& host, const AdminArguments& arguments) {
    const AccountId account = TRY(moved_account(host, arguments));
    std::vector<std::string> origins;
    for (const std::string& text : TRY(arguments.texts("origins"))) {
        origins.push_back(hex_decode(text).value_or(""));
    }
    const std::vector<bool> known =
        TRY(store::read_origins(*host.store->snapshot(), ReadTier::Disk, account, origins));
    JsonWriter json;
    json.begin_object().key("known").begin_array();
    for (const bool is_known : known) {
        json.boolean(is_known);
    }
    json.end_array().end_object();
    return std::move(json).take();
}

}  // namespace godwit::serve
