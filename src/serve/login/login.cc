#include "serve/login/login.h"

#include "base/ascii.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/oauth/token_desk.h"
#include "flow/policy/login_guard.h"
#include "flow/read.h"
#include "mail/address/address.h"
#include "store/directory/directory.h"
#include "store/store.h"
#include "wire/sasl/saslprep.h"
#include "wire/sasl/scram.h"

namespace godwit::serve {

namespace {

net::Task<Result<std::optional<store::Account>>> look_up(const flow::Services* services,
                                                         std::string login) {
    const std::string domain = services->settings()->default_domain;
    co_return co_await flow::read(
        services, [login, domain](const store::Snapshot& snapshot, store::ReadTier tier) {
            return store::find_account(snapshot, tier, login, domain);
        });
}

bool may_try(const flow::Services* services, std::string_view name, const net::Endpoint& peer) {
    return services->login_guard->may_try(name, peer,
                                          services->settings()->limits.login_attempts_per_minute,
                                          services->clock->mono());
}

// Clients send their login name as authzid too, complete or bare (mbsync, neomutt).
bool acts_as_itself(const store::Account& account, std::string_view authzid,
                    std::string_view authcid) {
    return authzid.empty() || equals_ignore_case(authzid, account.name) ||
           equals_ignore_case(authzid, authcid);
}

// The whole login name, or its local part in the default domain.
bool is_name_of(const flow::Services* services, const store::Account& account,
                std::string_view name) {
    const std::string whole = name.find('@') == std::string_view::npos
                                  ? std::string(name) + "@" + services->settings()->default_domain
                                  : std::string(name);
    const Result<mail::Address> address = mail::parse_address(whole);
    const Result<mail::Address> own = mail::parse_address(account.name);
    return address && own && mail::account_key(*address) == mail::account_key(*own);
}

LoginOutcome grant(const flow::Services* services, const store::Account& account,
                   const net::Endpoint& peer) {
    services->login_guard->succeeded(account.name, peer, services->clock->mono());
    count(Metric::LoginsDone);
    return {.verdict = sasl::Verdict::Granted,
            .who = LoggedIn{account.id, account.name, account.auth_epoch},
            .is_throttled = false};
}

LoginOutcome deny(const flow::Services* services, std::string_view name,
                  const net::Endpoint& peer) {
    note_failure(services, name, peer);
    return {};
}

LoginOutcome put_off(bool is_throttled) {
    return {.verdict = sasl::Verdict::Temporary, .who = std::nullopt, .is_throttled = is_throttled};
}

// True when what was proved against `mark` is still what the account goes by.
bool is_current(const std::optional<store::Account>& now, const CredentialMark& mark) {
    return now && !now->is_disabled && now->id == mark.account &&
           now->auth_epoch == mark.auth_epoch;
}

sasl::ScramKeys as_sasl(const store::ScramKeys& keys,
                        sasl::ScramHash hash = sasl::ScramHash::Sha256) {
    return {keys.salt, keys.iterations, keys.stored_key, keys.server_key, hash};
}

// What is shown, and worked through, for a name that nobody has: as costly as a real one, and the
// same for "nobody", "NOBODY" and "nobody@our.domain", as it would be for an account.
sasl::ScramKeys decoy_keys(const flow::Services* services, std::string_view authcid,
                           sasl::ScramHash hash = sasl::ScramHash::Sha256) {
    std::string login(authcid);
    if (login.find('@') == std::string::npos) {
        login += "@" + services->settings()->default_domain;
    }
    const Result<mail::Address> address = mail::parse_address(login);
    const std::string key = address ? mail::account_key(*address) : to_lower(login);
    return sasl::scram_decoy(
        services->decoy_secret, key,
        hash == sasl::ScramHash::Sha1 ? store::kScramSha1Iterations : store::kScramIterations,
        hash);
}

// Runs on the password pool. The cheap proof first; a wrong password always pays for both hashes,
// as an unknown name does, so that time tells nothing (T38).
bool is_right(const sasl::ScramKeys& keys, const store::Credentials& credentials,
              std::string_view password, Argon2Cost cost) {
    count(Metric::PasswordDerivations);
    if (sasl::scram_matches(keys, password)) {
        return true;
    }
    return store::verify_password(credentials, password, cost);
}

// A row of before SCRAM-SHA-1 gets its keys at the first login that shows the password itself (an
// app password is another secret). The login does not depend on it: the next one tries again.
net::Task<void> complete_keys(const flow::Services* services, store::Account account,
                              std::string password) {
    if (account.credentials.scram.stored_key.empty() ||
        !account.credentials.scram_sha1.stored_key.empty()) {
        co_return;
    }
    const std::string salt = services->random->bytes(store::kScramSaltSize);
    store::Store* store = services->store;
    const AccountId id = account.id;
    const std::uint64_t epoch = account.auth_epoch;
    using Planned = std::optional<Result<store::Plan>>;
    Result<Planned> planned = co_await net::offload(
        services->passwords,
        [store, id, epoch, password, salt, keys = as_sasl(account.credentials.scram)]() -> Planned {
            if (!sasl::scram_matches(keys, password)) {
                return std::nullopt;
            }
            return store::plan_complete_keys(*store->snapshot(), id, epoch,
                                             store::make_scram_sha1(password, salt));
        });
    if (!planned || !*planned) {
        co_return;
    }
    Result<> done = (*planned)->has_value()
                        ? co_await flow::commit_all(services->store, ***std::move(planned))
                        : Result<>(std::unexpected((*planned)->error()));
    if (!done) {
        log::warn("login.keys_not_completed",
                  {{"user", account.name}, {"error", done.error().text}});
    }
}

}  // namespace

void note_failure(const flow::Services* services, std::string_view authcid,
                  const net::Endpoint& peer) {
    count(Metric::LoginsFailed);
    services->login_guard->failed(authcid, peer,
                                  services->settings()->limits.login_attempts_per_minute,
                                  services->clock->mono());
}

net::Task<LoginOutcome> verify_password(const flow::Services* services, std::string authzid,
                                        std::string authcid, std::string password,
                                        net::Endpoint peer) {
    if (!may_try(services, authcid, peer)) {
        log::warn("login.throttled", {{"user", authcid}, {"peer", peer.to_string()}});
        co_return put_off(true);
    }
    const auto prepared = sasl::prepare_password(password, sasl::Preparation::Query);
    if (!prepared) {
        co_return deny(services, authcid, peer);
    }
    Result<std::optional<store::Account>> found = co_await look_up(services, authcid);
    if (!found) {
        log::error("login.lookup_failed", {{"user", authcid}, {"error", found.error().text}});
        co_return put_off(false);
    }
    const std::optional<store::Account> account = std::move(*found);
    const bool is_usable =
        account && !account->is_disabled && acts_as_itself(*account, authzid, authcid);
    if (is_usable && services->login_guard->remembers(account->id, account->auth_epoch, *prepared,
                                                      services->clock->mono())) {
        probe<"login.password_remembered">();
        co_return grant(services, *account, peer);
    }
    const store::Credentials credentials = is_usable ? account->credentials : store::Credentials{};
    const sasl::ScramKeys keys = credentials.scram.stored_key.empty()
                                     ? decoy_keys(services, authcid)
                                     : as_sasl(credentials.scram);
    const Argon2Cost cost = services->settings()->argon2;
    const Result<bool> right =
        co_await net::offload(services->passwords, [keys, credentials, secret = *prepared, cost] {
            return is_right(keys, credentials, secret, cost);
        });
    if (!right) {
        co_return put_off(false);
    }
    if (!*right || !is_usable) {
        log::info("login.failed", {{"user", authcid}, {"peer", peer.to_string()}});
        co_return deny(services, authcid, peer);
    }
    // The hash took its time, and the line before it too: the password may have been changed (T46).
    Result<std::optional<store::Account>> now = co_await look_up(services, authcid);
    if (!now) {
        log::error("login.lookup_failed", {{"user", authcid}, {"error", now.error().text}});
        co_return put_off(false);
    }
    if (!is_current(*now, {account->id, account->auth_epoch})) {
        log::info("login.changed_meanwhile", {{"user", authcid}, {"peer", peer.to_string()}});
        co_return deny(services, authcid, peer);
    }
    co_await complete_keys(services, **now, *prepared);
    services->login_guard->remember(account->id, account->auth_epoch, *prepared,
                                    services->clock->mono());
    co_return grant(services, *account, peer);
}

net::Task<LoginOutcome> admit_certificate(const flow::Services* services,
                                          std::vector<std::string> addresses, std::string authzid,
                                          net::Endpoint peer) {
    const std::string name = authzid.empty() && !addresses.empty() ? addresses.front() : authzid;
    if (!may_try(services, name, peer)) {
        log::warn("login.throttled", {{"user", name}, {"peer", peer.to_string()}});
        co_return put_off(true);
    }
    std::optional<store::Account> meant;
    bool is_ambiguous = false;
    for (std::string& address : addresses) {
        Result<std::optional<store::Account>> found =
            co_await look_up(services, std::move(address));
        if (!found) {
            log::error("login.lookup_failed", {{"user", name}, {"error", found.error().text}});
            co_return put_off(false);
        }
        const std::optional<store::Account>& account = *found;
        if (!account || account->is_disabled || (meant && meant->id == account->id)) {
            continue;
        }
        const bool is_wanted = authzid.empty() || is_name_of(services, *account, authzid);
        is_ambiguous = is_ambiguous || (is_wanted && meant.has_value());
        if (is_wanted) {
            meant = account;
        }
    }
    if (!meant || is_ambiguous) {
        log::info("login.certificate_refused",
                  {{"user", name},
                   {"peer", peer.to_string()},
                   {"reason", is_ambiguous ? "names several accounts" : "names no such account"}});
        co_return deny(services, name, peer);
    }
    co_return grant(services, *meant, peer);
}

net::Task<LoginOutcome> admit_token(const flow::Services* services, std::string token,
                                    std::string authzid, net::Endpoint peer) {
    // Without a name its failures are the address's: nobody else is slowed down by them.
    const std::string name = authzid.empty() ? peer.address().to_string() : authzid;
    if (!may_try(services, name, peer)) {
        log::warn("login.throttled", {{"user", name}, {"peer", peer.to_string()}});
        co_return put_off(true);
    }
    if (services->tokens == nullptr) {
        co_return deny(services, name, peer);
    }
    const Result<std::string> named =
        co_await services->tokens->account_of(services, std::move(token));
    if (!named && named.error().kind != ErrorKind::Peer) {
        log::warn("login.token_not_checked",
                  {{"user", name}, {"peer", peer.to_string()}, {"error", named.error().text}});
        co_return put_off(false);
    }
    std::string reason = named ? "names no such account" : named.error().text;
    if (named) {
        Result<std::optional<store::Account>> found = co_await look_up(services, *named);
        if (!found) {
            log::error("login.lookup_failed", {{"user", *named}, {"error", found.error().text}});
            co_return put_off(false);
        }
        const std::optional<store::Account> account = std::move(*found);
        const bool is_meant =
            account && (authzid.empty() || is_name_of(services, *account, authzid));
        if (account && !account->is_disabled && is_meant) {
            co_return grant(services, *account, peer);
        }
        reason = account && account->is_disabled ? "the account is disabled"
                 : account                       ? "it is of another account"
                                                 : reason;
    }
    log::info("login.token_refused",
              {{"user", name}, {"peer", peer.to_string()}, {"reason", reason}});
    co_return deny(services, name, peer);
}

net::Task<Result<ScramLookup>> find_scram_keys(const flow::Services* services, std::string authcid,
                                               sasl::ScramHash hash, net::Endpoint peer) {
    if (!may_try(services, authcid, peer)) {
        co_return temporary_error(ErrorCode::LimitExceeded, "too many failed logins");
    }
    const std::optional<store::Account> account = CO_TRY(co_await look_up(services, authcid));
    const store::Credentials credentials = account ? account->credentials : store::Credentials{};
    const store::ScramKeys& keys =
        hash == sasl::ScramHash::Sha1 ? credentials.scram_sha1 : credentials.scram;
    if (!account || account->is_disabled || keys.stored_key.empty()) {
        co_return ScramLookup{decoy_keys(services, authcid, hash), std::nullopt};
    }
    co_return ScramLookup{as_sasl(keys, hash), CredentialMark{account->id, account->auth_epoch}};
}

net::Task<bool> is_still_valid(const flow::Services* services, LoggedIn who) {
    const Result<std::optional<store::Account>> now = co_await flow::read(
        services, [id = who.account](const store::Snapshot& snapshot, store::ReadTier tier) {
            return store::read_account(snapshot, tier, id);
        });
    if (!now) {
        log::error("login.recheck_failed", {{"user", who.name}, {"error", now.error().text}});
        co_return true;
    }
    co_return *now && !(*now)->is_disabled && (*now)->auth_epoch == who.auth_epoch;
}

net::Task<LoginOutcome> admit_proved(const flow::Services* services,
                                     std::optional<CredentialMark> mark, std::string authzid,
                                     std::string authcid, net::Endpoint peer) {
    Result<std::optional<store::Account>> found = co_await look_up(services, authcid);
    if (!found) {
        co_return put_off(false);
    }
    const std::optional<store::Account> account = std::move(*found);
    if (!mark || !is_current(account, *mark) || !acts_as_itself(*account, authzid, authcid)) {
        co_return deny(services, authcid, peer);
    }
    co_return grant(services, *account, peer);
}

}  // namespace godwit::serve
