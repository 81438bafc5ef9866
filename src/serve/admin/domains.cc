// Administrators' calls on domains and aliases.
#include <algorithm>

#include "base/limits.h"
#include "mail/address/address.h"
#include "mail/address/domain.h"
#include "serve/admin/calls.h"
#include "serve/admin/quota.h"
#include "store/directory/directory.h"
#include "store/store.h"

namespace godwit::serve {
namespace {

using store::ReadTier;

Result<std::string> full_address(const AdminHost& host, std::string_view text) {
    mail::Address address = TRY(mail::parse_address(text, mail::Domainless::Allow));
    if (address.domain.empty()) {
        address.domain = host.default_domain;
    }
    if (address.domain.empty()) {
        return peer_error(ErrorCode::Invalid, "'" + std::string(text) + "' has no domain");
    }
    return address.to_string();
}

}  // namespace

namespace {
/// "yes", "no", true or false; `fallback` when absent.
Result<bool> yes_or_no(const AdminArguments& arguments, std::string_view name, bool fallback) {
    if (!arguments.has(name)) {
        return fallback;
    }
    const std::string word = arguments.text_or(name, arguments.flag(name) ? "yes" : "no");
    if (word != "yes" && word != "no") {
        return peer_error(ErrorCode::Invalid, "'" + std::string(name) + "' must be yes or no");
    }
    return word == "yes";
}

/// An address, empty to have none; `before` when absent.
Result<std::string> address_or(const AdminHost& host, const AdminArguments& arguments,
                               std::string_view name, std::string before) {
    if (!arguments.has(name)) {
        return before;
    }
    const std::string text = arguments.text_or(name, "");
    return text.empty() ? text : TRY(full_address(host, text));
}

/// The account whose mailboxes are the domain's shared ones: one of its own.
Result<std::string> sharing_account(const AdminHost& host, const AdminArguments& arguments,
                                    const store::Domain& domain) {
    const std::string address =
        TRY(address_or(host, arguments, "shared_mailboxes", domain.shared_mailboxes));
    if (address.empty() || address == domain.shared_mailboxes) {
        return address;
    }
    const auto account = TRY(
        store::find_account(*host.store->snapshot(), ReadTier::Disk, address, host.default_domain));
    if (!account || store::domain_of(account->name) != domain.name) {
        return peer_error(ErrorCode::NotFound,
                          "there is no account '" + address + "' in " + domain.name);
    }
    return account->name;
}

/// What the arguments say of a domain, over what it is.
Result<store::Domain> described(const AdminHost& host, const AdminArguments& arguments,
                                store::Domain domain) {
    domain.catch_all = TRY(address_or(host, arguments, "catch_all", domain.catch_all));
    domain.subaddress_delimiter =
        arguments.text_or("subaddress_delimiter", domain.subaddress_delimiter);
    domain.alias_of = arguments.text_or("alias_of", domain.alias_of);
    domain.rewrites_senders = TRY(yes_or_no(arguments, "rewrite_senders", domain.rewrites_senders));
    domain.archive_inbound =
        TRY(address_or(host, arguments, "archive_inbound", domain.archive_inbound));
    domain.archive_outbound =
        TRY(address_or(host, arguments, "archive_outbound", domain.archive_outbound));
    domain.account_quota = TRY(read_quota(arguments, "account_", domain.account_quota));
    domain.quota = TRY(read_quota(arguments, "", domain.quota));
    domain.shared_mailboxes = TRY(sharing_account(host, arguments, domain));
    domain.tags_senders = TRY(yes_or_no(arguments, "tag_senders", domain.tags_senders));
    if (domain.alias_of.empty() && !arguments.has("rewrite_senders")) {
        domain.rewrites_senders = false;
    }
    return domain;
}
}  // namespace

Result<std::string> add_domain(const AdminHost& host, const AdminArguments& arguments) {
    store::Domain fresh;
    fresh.name = TRY(mail::normalize_domain(TRY(arguments.text("domain"))));
    fresh.created_at = unix_seconds(host.clock->wall());
    const store::Domain domain = TRY(described(host, arguments, fresh));
    TRY(change_store(host, [&](const store::Snapshot& snapshot) {
        return store::plan_add_domain(snapshot, domain);
    }));
    return one_field("domain", domain.name);
}

Result<std::string> change_domain(const AdminHost& host, const AdminArguments& arguments) {
    const std::string name = TRY(mail::normalize_domain(TRY(arguments.text("domain"))));
    TRY(change_store(host, [&](const store::Snapshot& snapshot) -> Result<store::Plan> {
        auto domain = TRY(store::find_domain(snapshot, ReadTier::Disk, name));
        if (!domain) {
            return peer_error(ErrorCode::NotFound, "not a local domain: " + name);
        }
        return store::plan_change_domain(snapshot,
                                         TRY(described(host, arguments, *std::move(domain))));
    }));
    return one_field("domain", name);
}

Result<std::string> list_domains(const AdminHost& host, const AdminArguments& arguments) {
    const auto snapshot = host.store->snapshot();
    auto domains = TRY(store::list_domains(*snapshot, ReadTier::Disk));
    std::ranges::sort(domains, {}, &store::Domain::name);
    Page page(arguments);
    for (const store::Domain& domain : domains) {
        if (page.admits(domain.name)) {
            page.json().begin_object().field("domain", domain.name);
            page.json().field("catch_all", domain.catch_all);
            page.json().field("subaddress_delimiter", domain.subaddress_delimiter);
            page.json().field("alias_of", domain.alias_of);
            page.json().field("rewrite_senders", domain.rewrites_senders);
            page.json().field("archive_inbound", domain.archive_inbound);
            page.json().field("archive_outbound", domain.archive_outbound);
            page.json().field("tag_senders", domain.tags_senders);
            page.json().field("shared_mailboxes", domain.shared_mailboxes);
            page.json().field("account_quota", domain.account_quota.bytes);
            page.json().field("account_quota_messages", domain.account_quota.messages);
            page.json().field("account_quota_mailboxes", domain.account_quota.mailboxes);
            page.json().field("quota", domain.quota.bytes);
            page.json().field("quota_messages", domain.quota.messages);
            // One that is damaged costs its own figures, not the list.
            const auto use = store::read_domain_use(*snapshot, ReadTier::Disk, domain.name);
            if (use && *use) {
                page.json().field("bytes", (*use)->bytes).field("messages", (*use)->messages);
            } else {
                page.json().key("bytes").null().key("messages").null();
            }
            page.json().field("created_at", show_time(domain.created_at)).end_object();
        }
    }
    return page.finish();
}

Result<std::string> remove_domain(const AdminHost& host, const AdminArguments& arguments) {
    const std::string name = TRY(mail::normalize_domain(TRY(arguments.text("domain"))));
    TRY(change_store(host, [&](const store::Snapshot& snapshot) {
        return store::plan_remove_domain(snapshot, name);
    }));
    return one_field("domain", name);
}

namespace {
Result<store::Alias> read_alias(const AdminHost& host, const AdminArguments& arguments) {
    store::Alias alias;
    alias.address = TRY(full_address(host, TRY(arguments.text("address"))));
    for (const std::string& target : TRY(arguments.texts("target"))) {
        alias.targets.push_back(TRY(full_address(host, target)));
    }
    if (alias.targets.empty() || alias.targets.size() > limits::alias_expansion_max) {
        return peer_error(
            ErrorCode::Invalid,
            "an alias has from 1 to " + std::to_string(limits::alias_expansion_max) + " targets");
    }
    alias.owner = TRY(address_or(host, arguments, "owner", ""));
    return alias;
}
}  // namespace

Result<std::string> add_alias(const AdminHost& host, const AdminArguments& arguments) {
    const store::Alias alias = TRY(read_alias(host, arguments));
    TRY(change_store(host, [&](const store::Snapshot& snapshot) {
        return store::plan_add_alias(snapshot, alias);
    }));
    return one_field("address", alias.address);
}

Result<std::string> change_alias(const AdminHost& host, const AdminArguments& arguments) {
    const store::Alias alias = TRY(read_alias(host, arguments));
    TRY(change_store(host, [&](const store::Snapshot& snapshot) {
        return store::plan_change_alias(snapshot, alias);
    }));
    return one_field("address", alias.address);
}

Result<std::string> list_aliases(const AdminHost& host, const AdminArguments& arguments) {
    auto aliases = TRY(store::list_aliases(*host.store->snapshot(), ReadTier::Disk));
    std::ranges::sort(aliases, {}, &store::Alias::address);
    Page page(arguments);
    for (const store::Alias& alias : aliases) {
        if (page.admits(alias.address)) {
            page.json().begin_object().field("address", alias.address).key("targets").begin_array();
            for (const std::string& target : alias.targets) {
                page.json().string(target);
            }
            page.json().end_array().field("owner", alias.owner).end_object();
        }
    }
    return page.finish();
}

Result<std::string> remove_alias(const AdminHost& host, const AdminArguments& arguments) {
    const std::string address = TRY(full_address(host, TRY(arguments.text("address"))));
    TRY(change_store(host, [&](const store::Snapshot& snapshot) {
        return store::plan_remove_alias(snapshot, address);
    }));
    return one_field("address", address);
}

}  // namespace godwit::serve
