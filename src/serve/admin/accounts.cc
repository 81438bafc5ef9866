// Administrators' calls on accounts and their passwords.
#include <algorithm>

#include "base/ascii.h"
#include "base/encoding.h"
#include "base/limits.h"
#include "base/probe.h"
#include "mail/address/address.h"
#include "mail/address/domain.h"
#include "serve/admin/calls.h"
#include "serve/admin/quota.h"
#include "store/directory/address_keys.h"
#include "store/directory/directory.h"
#include "store/kv/record.h"
#include "store/mailbox/mailbox.h"
#include "store/store.h"
#include "wire/sasl/saslprep.h"

namespace godwit::serve {
namespace {

using store::Account;
using store::ReadTier;

/// The account that "alice" or "alice@example.org" names.
Result<Account> find(const AdminHost& host, const store::Snapshot& snapshot,
                     std::string_view login) {
    auto account = TRY(store::find_account(snapshot, ReadTier::Disk, login, host.default_domain));
    if (!account) {
        return peer_error(ErrorCode::NotFound, "there is no account '" + std::string(login) + "'");
    }
    return *std::move(account);
}

/// A bare name is completed with the default domain.
Result<mail::Address> complete(const AdminHost& host, std::string_view text) {
    mail::Address address = TRY(mail::parse_address(text, mail::Domainless::Allow));
    if (address.domain.empty()) {
        if (host.default_domain.empty()) {
            return peer_error(ErrorCode::Invalid, "'" + std::string(text) + "' has no domain");
        }
        address.domain = host.default_domain;
    }
    return address;
}

/// Letters and digits that are hard to take for each other; 20 of them, about 98 bits.
std::string random_password(Random& random) {
    constexpr std::string_view kLetters = "abcdefghijkmnpqrstuvwxyz23456789";
    std::string out;
    for (int i = 0; i < 20; ++i) {
        out.append(i > 0 && i % 5 == 0 ? "-" : "");
        out.push_back(kLetters[random.below(kLetters.size())]);
    }
    return out;
}

struct Chosen {
    std::string password;  ///< As people type it.
    bool is_generated = false;
};
/// "password" or, with "generate", one made here.
Result<Chosen> choose_password(const AdminHost& host, const AdminArguments& arguments) {
    if (arguments.flag("generate")) {
        return Chosen{.password = random_password(*host.random), .is_generated = true};
    }
    Chosen chosen{.password = TRY(arguments.text("password"))};
    if (chosen.password.size() > limits::password_size_max) {
        return peer_error(
            ErrorCode::LimitExceeded,
            "password is longer than " + std::to_string(limits::password_size_max) + " octets");
    }
    return chosen;
}

Result<store::Credentials> hash(const AdminHost& host, const Chosen& chosen) {
    const std::string prepared =
        TRY(sasl::prepare_password(chosen.password, sasl::Preparation::Stored));
    return store::make_credentials(prepared, *host.random, host.argon2());
}

std::string account_answer(std::string_view address, const Chosen& chosen) {
    JsonWriter json;
    json.begin_object().field("address", address);
    if (chosen.is_generated) {
        json.field("password", chosen.password);
    }
    json.end_object();
    return std::move(json).take();
}

void write_texts(JsonWriter& json, const std::vector<std::string>& texts) {
    json.begin_array();
    for (const std::string& text : texts) {
        json.string(text);
    }
    json.end_array();
}

/// An address, completed, or "@" and a domain.
Result<std::string> read_sender(const AdminHost& host, const std::string& text) {
    if (text.starts_with('@')) {
        return "@" + TRY(mail::normalize_domain(std::string_view(text).substr(1)));
    }
    return TRY(complete(host, text)).to_string();
}

bool is_same_sender(std::string_view a, std::string_view b) {
    const auto first = mail::parse_address(a);
    const auto second = mail::parse_address(b);
    return first && second ? mail::account_key(*first) == mail::account_key(*second) : a == b;
}

}  // namespace

Result<std::string> add_account(const AdminHost& host, const AdminArguments& arguments) {
    const mail::Address address = TRY(complete(host, TRY(arguments.text("address"))));
    const Chosen chosen = TRY(choose_password(host, arguments));
    Account account;
    account.name = address.to_string();
    account.full_name = arguments.text_or("full_name", "");
    account.quota = TRY(read_quota(arguments, "", {}));
    account.created_at = unix_seconds(host.clock->wall());
    account.credentials = TRY(hash(host, chosen));
    TRY(change_store(host, [&](const store::Snapshot& snapshot) {
        return store::plan_add_account(snapshot, account);
    }));
    return account_answer(account.name, chosen);
}

Result<std::string> change_account(const AdminHost& host, const AdminArguments& arguments) {
    const std::string login = TRY(arguments.text("address"));
    Account account;
    TRY(change_store(host, [&](const store::Snapshot& snapshot) -> Result<store::Plan> {
        account = TRY(find(host, snapshot, login));
        account.full_name = arguments.text_or("full_name", account.full_name);
        account.quota = TRY(read_quota(arguments, "", account.quota));
        return store::plan_change_account(snapshot, account);
    }));
    return one_field("address", account.name);
}

Result<std::string> list_accounts(const AdminHost& host, const AdminArguments& arguments) {
    const auto snapshot = host.store->snapshot();
    auto accounts = TRY(store::list_accounts(*snapshot, ReadTier::Disk));
    std::ranges::sort(accounts, {}, &Account::name);
    Page page(arguments);
    for (const Account& account : accounts) {
        if (!page.admits(account.name)) {
            continue;
        }
        // One that is damaged costs its own figures, not the list.
        const auto read = store::read_head(*snapshot, ReadTier::Disk, account.id);
        if (!read && !store::is_damage(read.error())) {
            return std::unexpected(read.error());
        }
        const auto head = read.value_or(std::nullopt);
        page.json().begin_object().field("address", account.name);
        page.json().field("full_name", account.full_name).field("quota", account.quota.bytes);
        page.json().field("quota_messages", account.quota.messages);
        page.json().field("quota_mailboxes", account.quota.mailboxes);
        page.json().field("bytes", head ? head->bytes_used : std::uint64_t{0});
        page.json().field("messages", head ? head->messages_used : std::uint64_t{0});
        page.json().field("mailboxes", head ? head->mailboxes : std::uint64_t{0});
        page.json().field("app_passwords",
                          static_cast<std::uint64_t>(account.credentials.app_passwords.size()));
        page.json().field("disabled", account.is_disabled);
        write_texts(page.json().key("forward_to"), account.forward_to);
        page.json().field("forward_keep", account.forward_keeps);
        write_texts(page.json().key("send_as"), account.send_as);
        page.json().field("created_at", show_time(account.created_at)).end_object();
    }
    return page.finish();
}

Result<std::string> remove_account(const AdminHost& host, const AdminArguments& arguments) {
    const std::string login = TRY(arguments.text("address"));
    std::string name;
    TRY(change_store(host, [&](const store::Snapshot& snapshot) -> Result<store::Plan> {
        name = TRY(find(host, snapshot, login)).name;
        return store::plan_remove_account(snapshot, name);
    }));
    crash_point<"admin.account_removed">();
    return one_field("address", name);
}

Result<std::string> change_password(const AdminHost& host, const AdminArguments& arguments) {
    const std::string login = TRY(arguments.text("address"));
    Account account = TRY(find(host, *host.store->snapshot(), login));
    const Chosen chosen = TRY(choose_password(host, arguments));
    const store::Credentials fresh = TRY(hash(host, chosen));
    TRY(change_store(host, [&](const store::Snapshot& snapshot) -> Result<store::Plan> {
        account = TRY(find(host, snapshot, login));
        account.credentials.argon2id = fresh.argon2id;
        account.credentials.scram = fresh.scram;
        account.credentials.scram_sha1 = fresh.scram_sha1;
        // T46: sessions that logged in with the old password end.
        ++account.auth_epoch;
        return store::plan_change_account(snapshot, account);
    }));
    return account_answer(account.name, chosen);
}

Result<std::string> add_app_password(const AdminHost& host, const AdminArguments& arguments) {
    constexpr std::size_t kAppPasswordsMax = limits::app_passwords_max;
    const std::string login = TRY(arguments.text("address"));
    const std::string name = TRY(arguments.text("name"));
    TRY(find(host, *host.store->snapshot(), login));
    // Always made here: an app password is for a program to keep, not for a person to remember.
    const std::string password = random_password(*host.random);
    const store::AppPassword fresh = TRY(store::make_app_password(
        name, password, *host.random, host.argon2(), unix_seconds(host.clock->wall())));
    Account account;
    TRY(change_store(host, [&](const store::Snapshot& snapshot) -> Result<store::Plan> {
        account = TRY(find(host, snapshot, login));
        auto& list = account.credentials.app_passwords;
        if (std::ranges::find(list, name, &store::AppPassword::name) != list.end()) {
            return peer_error(ErrorCode::AlreadyExists,
                              "'" + account.name + "' has an app password '" + name + "'");
        }
        if (list.size() >= kAppPasswordsMax) {
            return peer_error(ErrorCode::LimitExceeded,
                              "at most " + std::to_string(kAppPasswordsMax) + " app passwords");
        }
        list.push_back(fresh);
        return store::plan_change_account(snapshot, account);
    }));
    JsonWriter json;
    json.begin_object().field("address", account.name).field("name", name);
    json.field("password", password).end_object();
    return std::move(json).take();
}

Result<std::string> list_app_passwords(const AdminHost& host, const AdminArguments& arguments) {
    const Account account =
        TRY(find(host, *host.store->snapshot(), TRY(arguments.text("address"))));
    auto list = account.credentials.app_passwords;
    std::ranges::sort(list, {}, &store::AppPassword::name);
    Page page(arguments);
    for (const store::AppPassword& row : list) {
        if (page.admits(row.name)) {
            page.json().begin_object().field("name", row.name);
            page.json().field("created_at", show_time(row.created_at)).end_object();
        }
    }
    return page.finish();
}

Result<std::string> remove_app_password(const AdminHost& host, const AdminArguments& arguments) {
    const std::string login = TRY(arguments.text("address"));
    const std::string name = TRY(arguments.text("name"));
    TRY(change_store(host, [&](const store::Snapshot& snapshot) -> Result<store::Plan> {
        Account account = TRY(find(host, snapshot, login));
        if (std::erase_if(account.credentials.app_passwords,
                          [&](const store::AppPassword& row) { return row.name == name; }) == 0) {
            return peer_error(ErrorCode::NotFound,
                              "'" + account.name + "' has no app password '" + name + "'");
        }
        ++account.auth_epoch;
        return store::plan_change_account(snapshot, account);
    }));
    return one_field("name", name);
}

Result<std::string> forward_account(const AdminHost& host, const AdminArguments& arguments) {
    const std::string login = TRY(arguments.text("address"));
    std::vector<std::string> targets;
    for (const std::string& target : TRY(arguments.texts("to"))) {
        targets.push_back(TRY(complete(host, target)).to_string());
    }
    const bool is_off = arguments.flag("off");
    if (is_off != targets.empty()) {
        return peer_error(ErrorCode::Invalid, "forwarding is either to somewhere or off");
    }
    Account account;
    TRY(change_store(host, [&](const store::Snapshot& snapshot) -> Result<store::Plan> {
        account = TRY(find(host, snapshot, login));
        account.forward_to = targets;
        account.forward_keeps = !is_off && arguments.flag("keep");
        return store::plan_change_account(snapshot, account);
    }));
    JsonWriter json;
    json.begin_object().field("address", account.name);
    write_texts(json.key("forward_to"), account.forward_to);
    json.field("forward_keep", account.forward_keeps).end_object();
    return std::move(json).take();
}

Result<std::string> allow_sender(const AdminHost& host, const AdminArguments& arguments) {
    const std::string login = TRY(arguments.text("address"));
    const std::string sender = TRY(read_sender(host, TRY(arguments.text("sender"))));
    TRY(change_store(host, [&](const store::Snapshot& snapshot) -> Result<store::Plan> {
        Account account = TRY(find(host, snapshot, login));
        for (const std::string& granted : account.send_as) {
            if (is_same_sender(granted, sender)) {
                return peer_error(ErrorCode::AlreadyExists,
                                  "'" + account.name + "' may send as " + sender + " already");
            }
        }
        account.send_as.push_back(sender);
        return store::plan_change_account(snapshot, account);
    }));
    return one_field("sender", sender);
}

Result<std::string> deny_sender(const AdminHost& host, const AdminArguments& arguments) {
    const std::string login = TRY(arguments.text("address"));
    const std::string sender = TRY(read_sender(host, TRY(arguments.text("sender"))));
    TRY(change_store(host, [&](const store::Snapshot& snapshot) -> Result<store::Plan> {
        Account account = TRY(find(host, snapshot, login));
        if (std::erase_if(account.send_as, [&](const std::string& granted) {
                return is_same_sender(granted, sender);
            }) == 0) {
            return peer_error(ErrorCode::NotFound,
                              "'" + account.name + "' was not granted " + sender);
        }
        return store::plan_change_account(snapshot, account);
    }));
    return one_field("sender", sender);
}

Result<std::string> rotate_address_keys(const AdminHost& host, const AdminArguments& arguments) {
    const store::AddressKey key{.secret = host.random->bytes(store::address_key_size),
                                .created_at = unix_seconds(host.clock->wall())};
    const auto old = arguments.flag("forget_old") ? store::OldKeys::Forget : store::OldKeys::Keep;
    TRY(change_store(host, [&](const store::Snapshot& snapshot) {
        return store::plan_new_address_key(snapshot, key, old);
    }));
    const auto kept = TRY(store::read_address_keys(*host.store->snapshot(), ReadTier::Disk));
    JsonWriter json;
    json.begin_object().field("keys", static_cast<std::uint64_t>(kept.keys.size())).end_object();
    return std::move(json).take();
}

}  // namespace godwit::serve
