// Administrators' calls on domains and aliases.
#include <algorithm>

#include "base/limits.h"
#include "mail/address/address.h"
#include "mail/address/domain.h"
#include "serve/admin/calls.h"
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

Result<std::string> add_domain(const AdminHost& host, const AdminArguments& arguments) {
    store::Domain domain;
    domain.name = TRY(mail::normalize_domain(TRY(arguments.text("domain"))));
    domain.created_at = unix_seconds(host.clock->wall());
    if (arguments.has("catch_all")) {
        domain.catch_all = TRY(full_address(host, TRY(arguments.text("catch_all"))));
    }
    domain.subaddress_delimiter = arguments.text_or("subaddress_delimiter", "+");
    if (domain.subaddress_delimiter.size() > 1) {
        return peer_error(ErrorCode::Invalid, "the subaddress delimiter is one character or none");
    }
    TRY(change_store(host, [&](const store::Snapshot& snapshot) {
        return store::plan_add_domain(snapshot, domain);
    }));
    return one_field("domain", domain.name);
}

Result<std::string> list_domains(const AdminHost& host, const AdminArguments& arguments) {
    auto domains = TRY(store::list_domains(*host.store->snapshot(), ReadTier::Disk));
    std::ranges::sort(domains, {}, &store::Domain::name);
    Page page(arguments);
    for (const store::Domain& domain : domains) {
        if (page.admits(domain.name)) {
            page.json().begin_object().field("domain", domain.name);
            page.json().field("catch_all", domain.catch_all);
            page.json().field("subaddress_delimiter", domain.subaddress_delimiter);
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

Result<std::string> add_alias(const AdminHost& host, const AdminArguments& arguments) {
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
    TRY(change_store(host, [&](const store::Snapshot& snapshot) {
        return store::plan_add_alias(snapshot, alias);
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
            page.json().end_array().end_object();
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
