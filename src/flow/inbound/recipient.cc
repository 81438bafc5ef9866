#include "flow/inbound/recipient.h"

#include <algorithm>

#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "flow/forward/return_address.h"
#include "flow/inbound/sender.h"
#include "flow/inbound/valid_since.h"
#include "flow/outbound/route.h"
#include "flow/outbound/verify.h"
#include "flow/policy/recipient_guard.h"
#include "flow/policy/relay_domains.h"
#include "flow/read.h"
#include "net/io/network.h"
#include "store/mailbox/mailbox.h"
#include "store/queue/queue.h"

namespace godwit::flow {

namespace {

RecipientAnswer refuse(std::uint16_t code, smtp::EnhancedStatus status, std::string text) {
    count(Metric::SmtpRecipientsRefused);
    return {.reply = smtp::make_reply(code, status, std::move(text)), .resolved = {}};
}

// True when every local place this address leads to is full already, so that the sender hears of it
// now and not by a report. Corrupt: an account that cannot take mail now; the others of the
// transaction shall not wait for it.
Result<bool> is_full(const store::Snapshot& snapshot, store::ReadTier tier,
                     const store::Recipient& resolved) {
    bool is_every_one = !resolved.targets.empty();
    for (const store::Target& target : resolved.targets) {
        const auto* local = std::get_if<store::LocalTarget>(&target);
        if (local == nullptr) {
            is_every_one = false;
            continue;
        }
        const auto quota = TRY(store::read_quota(snapshot, tier, local->account));
        if (quota.has_room({.bytes = 1, .messages = 1})) {
            is_every_one = false;
        }
    }
    return is_every_one;
}

// A route that says so makes its domain ours to relay, for everybody. Only by its own name: "*"
// never opens a relay.
bool opens_route(const Settings& settings, std::string_view domain) {
    return std::any_of(
        settings.routes.begin(), settings.routes.end(), [domain](const RouteSettings& route) {
            return route.accepts_from_outside && equals_ignore_case(route.domain, domain);
        });
}

struct Looked {
    mail::Address address;  ///< Whose it is.
    Returned returned;
    bool is_full = false;
};

// An address that we signed, or somebody says we did.
RecipientAnswer refuse_srs(mail::SrsFault fault, const std::string& name) {
    probe<"inbound.srs_refused">();
    return refuse(550,
                  {5, 1, fault == mail::SrsFault::Expired ? std::uint16_t{6} : std::uint16_t{1}},
                  fault == mail::SrsFault::Expired
                      ? "<" + name + "> has run out: the mail was forwarded too long ago"
                      : "<" + name + "> was not written here");
}

// Somebody who does not exist was named. Strangers have a budget of that (T34).
void count_miss(const Services* services, const Asker& asker) {
    if (asker.stranger) {
        services->recipient_guard->missed(
            *asker.stranger, services->settings()->limits.unknown_recipients_per_minute,
            services->clock->mono());
    }
}

// nullopt: mail for this address, which is not local, is taken.
net::Task<std::optional<RecipientAnswer>> refuse_relayed(const Services* services,
                                                         mail::Address address, Asker asker) {
    const SettingsPtr settings = services->settings();
    const std::string name = address.to_string();
    const RelayDomainSettings* relay = find_relay_domain(*settings, address.domain);
    if (!asker.may_relay && relay == nullptr && !opens_route(*settings, address.domain)) {
        probe<"inbound.relaying_refused">();
        co_return refuse(550, {5, 7, 1}, "Relaying to <" + name + "> is not allowed");
    }
    if (relay != nullptr && !may_exist(*relay, address)) {
        probe<"inbound.unknown_relay_recipient">();
        count_miss(services, asker);
        co_return refuse(550, {5, 1, 1}, "<" + name + "> is not known here");
    }
    if (relay == nullptr || !relay->verify || services->recipient_verifier == nullptr) {
        co_return std::nullopt;
    }
    const VerifyAnswer answer =
        co_await services->recipient_verifier->verify(address, asker.patience);
    if (answer.existence == Existence::Refused) {
        probe<"inbound.relay_recipient_refused">();
        count_miss(services, asker);
        co_return refuse(550, {5, 1, 1},
                         "<" + name + "> is not known, its server says: " + answer.words);
    }
    if (answer.existence == Existence::Undecided &&
        relay->unverified == RelayDomainSettings::Unverified::Defer) {
        probe<"inbound.relay_recipient_undecided">();
        co_return refuse(450, {4, 1, 1}, "<" + name + "> cannot be verified now: " + answer.words);
    }
    co_return std::nullopt;
}

// By its name, or by an address of its doors for mail from outside.
bool is_this_host(const Services* services, const std::string& domain) {
    const SettingsPtr settings = services->settings();
    const auto address = address_in_literal(domain);
    return address ? is_own_door(*settings, services->network->local_addresses(),
                                 net::Endpoint(*address, 25))
                   : equals_ignore_case(domain, settings->hostname);
}

}  // namespace

bool has_room_for(const std::vector<store::Recipient>& taken, const store::Recipient& next) {
    std::size_t targets = next.targets.size();
    for (const store::Recipient& each : taken) {
        targets += each.targets.size();
    }
    return targets <= store::queue_deliveries_max;
}

smtp::Reply too_many_behind_aliases() {
    probe<"inbound.too_many_behind_aliases">();
    count(Metric::SmtpRecipientsRefused);
    return smtp::make_reply(452, {4, 5, 3},
                            "Too many recipients behind aliases, send the rest anew");
}

net::Task<RecipientAnswer> check_recipient(const Services* services, smtp::Recipient recipient,
                                           Asker asker) {
    if (std::optional<smtp::Reply> refusal = fault_refusal(services)) {
        co_return RecipientAnswer{.reply = std::move(*refusal), .resolved = {}};
    }
    const std::uint32_t misses_max = services->settings()->limits.unknown_recipients_per_minute;
    const MonoTime now = services->clock->mono();
    if (asker.stranger && !services->recipient_guard->may_ask(*asker.stranger, misses_max, now)) {
        log::warn("smtp.recipients_put_off", {{"peer", asker.stranger->to_string()}});
        co_return refuse(450, {4, 7, 1},
                         "Too many unknown recipients from your address, try again later");
    }
    const std::string domain = services->settings()->default_domain;
    // <postmaster> alone, and the roles of this very host (F14: also by its address), are the
    // default domain's (RFC 5321 4.5.1): reports come from the mailer-daemon of the host, and some
    // answer them (G11).
    const bool is_hosts_role =
        store::is_role(recipient.address.local) && is_this_host(services, recipient.address.domain);
    if (recipient.is_bare_postmaster) {
        recipient.address.domain = domain;
    }
    const mail::Address named = recipient.address;
    const ReturnContext context = return_context(services);
    Result<Looked> found = co_await read(
        services,
        [named, is_hosts_role, context](const store::Snapshot& snapshot,
                                        store::ReadTier tier) -> Result<Looked> {
            Looked looked{.address = named, .returned = {}};
            // Where the host's name is a mail domain too, that has roles of its own.
            if (is_hosts_role && !TRY(store::answering_domain(snapshot, tier, named.domain))) {
                looked.address.domain = context.default_domain;
            }
            looked.returned = TRY(resolve_returned(snapshot, tier, looked.address, context));
            looked.is_full = TRY(is_full(snapshot, tier, looked.returned.recipient));
            return looked;
        });
    if (!found) {
        probe<"inbound.recipient_not_looked_up">();
        log::error("smtp.recipient_lookup_failed", {{"error", found.error().text}});
        co_return refuse(451, {4, 3, 0}, "Cannot look up recipients now, try again later");
    }
    const mail::Address address = std::move(found->address);
    const std::string name = address.to_string();
    store::Recipient& resolved = found->returned.recipient;
    if (found->returned.fault) {
        count_miss(services, asker);
        co_return refuse_srs(*found->returned.fault, name);
    }
    switch (resolved.verdict) {
        case store::RecipientVerdict::Local:
            if (found->is_full) {
                co_return refuse(452, {4, 2, 2}, "Mailbox of <" + name + "> is full");
            }
            if (found->returned.lacks_tag && asker.is_report && asker.stranger) {
                probe<"inbound.report_of_foreign_mail">();
                co_return refuse(550, {5, 7, 1},
                                 "<" + name + "> is no return address of mail sent from here");
            }
            if (const auto& since = recipient.parameters.valid_since) {
                if (auto refusal = refuse_changed_hands(resolved, address, since->at)) {
                    count(Metric::SmtpRecipientsRefused);
                    co_return RecipientAnswer{.reply = *std::move(refusal), .resolved = {}};
                }
            }
            break;
        case store::RecipientVerdict::NoSuchUser:
            probe<"inbound.unknown_recipient">();
            count_miss(services, asker);
            co_return refuse(550, {5, 1, 1}, "<" + name + "> is not known here");
        case store::RecipientVerdict::Disabled:
            co_return refuse(550, {5, 2, 1}, "Mailbox of <" + name + "> is disabled");
        case store::RecipientVerdict::Loop:
            co_return refuse(550, {5, 4, 6},
                             "Aliases of <" + name + "> lead in a circle or too far");
        case store::RecipientVerdict::NotLocal:
            if (auto refusal = co_await refuse_relayed(services, address, asker)) {
                co_return *std::move(refusal);
            }
            resolved.targets = {store::RemoteTarget{address}};
            break;
    }
    co_return RecipientAnswer{smtp::make_reply(250, {2, 1, 5}, "Recipient <" + name + "> ok"),
                              std::move(resolved)};
}

}  // namespace godwit::flow
