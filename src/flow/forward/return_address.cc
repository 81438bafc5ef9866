#include "flow/forward/return_address.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/read.h"
#include "mail/address/batv.h"
#include "store/directory/address_keys.h"

namespace godwit::flow {

namespace {

Result<Returned> undo_srs(const store::Snapshot& snapshot, store::ReadTier tier,
                          const mail::Address& address, const ReturnContext& context) {
    const store::AddressKeys keys = TRY(store::read_address_keys(snapshot, tier));
    Returned returned{.recipient = {}, .address = address, .fault = {}};
    auto sender = mail::srs_reverse(address, keys.secrets(), context.now);
    if (!sender) {
        returned.fault = sender.error();
        returned.recipient.verdict = store::RecipientVerdict::NoSuchUser;
        return returned;
    }
    returned.address = *std::move(sender);
    returned.recipient =
        TRY(store::resolve_recipient(snapshot, tier, returned.address, context.default_domain));
    if (returned.recipient.verdict == store::RecipientVerdict::NotLocal) {
        returned.recipient.verdict = store::RecipientVerdict::Local;
        returned.recipient.targets = {
            store::RemoteTarget{.address = returned.address, .is_forwarded = true}};
    }
    return returned;
}

}  // namespace

const std::string& srs_domain(const Settings& settings) {
    return settings.forwarding.srs_domain.empty() ? settings.default_domain
                                                  : settings.forwarding.srs_domain;
}

ReturnContext return_context(const Services* services) {
    const SettingsPtr settings = services->settings();
    return {.default_domain = settings->default_domain,
            .srs_domain = srs_domain(*settings),
            .now = unix_seconds(services->clock->wall())};
}

Result<Returned> resolve_returned(const store::Snapshot& snapshot, store::ReadTier tier,
                                  const mail::Address& address, const ReturnContext& context) {
    const std::string name = address.domain.empty() ? context.default_domain : address.domain;
    const auto domain = TRY(store::answering_domain(snapshot, tier, name));
    if (mail::is_srs(address.local) && (domain || name == context.srs_domain)) {
        return undo_srs(snapshot, tier, address, context);
    }
    Returned returned{.recipient = {}, .address = address, .fault = {}};
    const auto plain = domain ? mail::batv_untag(address) : std::nullopt;
    if (plain) {
        returned.address = *plain;
    }
    returned.recipient =
        TRY(store::resolve_recipient(snapshot, tier, returned.address, context.default_domain));
    if (!domain || !domain->tags_senders || store::is_role(returned.address.local)) {
        return returned;
    }
    mail::Address canonical = returned.address;
    canonical.domain = domain->name;
    if (TRY(store::find_alias(snapshot, tier, mail::account_key(canonical)))) {
        return returned;
    }
    const store::AddressKeys keys = TRY(store::read_address_keys(snapshot, tier));
    returned.lacks_tag = !plain || !mail::batv_holds(address, keys.secrets(), context.now);
    return returned;
}

net::Task<Result<std::string>> signing_secret(const Services* services) {
    for (std::size_t turn = 0; turn <= limits::commit_replans_max; ++turn) {
        store::AddressKeys keys = CO_TRY(
            co_await read(services, [](const store::Snapshot& snapshot, store::ReadTier tier) {
                return store::read_address_keys(snapshot, tier);
            }));
        if (!keys.keys.empty()) {
            co_return keys.signing();
        }
        probe<"forward.first_key_drawn">();
        const store::AddressKey key{.secret = services->random->bytes(store::address_key_size),
                                    .created_at = unix_seconds(services->clock->wall())};
        store::Plan plan = store::plan_first_address_key(key);
        const store::CommitResult done = co_await commit(services->store, std::move(plan));
        if (done) {
            log::info("forward.key_drawn", {});
            co_return key.secret;
        }
        if (done.error().error.code != ErrorCode::Stale) {
            co_return std::unexpected(done.error().error);
        }
    }
    co_return temporary_error(ErrorCode::Stale, "the key of return addresses is being changed");
}

}  // namespace godwit::flow
