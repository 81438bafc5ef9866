// Domains that live elsewhere and whose mail we take from anybody: as their backup MX, or to keep
// it until they ask for it. RFC 5321 5.1 (whose preference), RFC 1985 (ETRN), RFC 2645 (ATRN).
// Pure.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "flow/settings.h"
#include "mail/address/address.h"
#include "net/io/endpoint.h"

namespace godwit::flow {

/// Recipients that one relay domain may list: each RCPT looks through them, some 200 microseconds
/// for as many. More are better verified where they live.
inline constexpr std::size_t relay_recipients_max = 20'000;

/// held_reason of what waits for somebody to ask for it.
inline constexpr std::string_view held_for_request = "until it is asked for";

/// The entry that says most of `domain`: its name, else the longest "*.x"; null when there is none.
/// Lives as long as `settings`.
const RelayDomainSettings* find_relay_domain(const Settings& settings, std::string_view domain);

/// Its recipients are asked for at the server they live on.
bool is_asked_downstream(const Settings& settings, std::string_view domain);

/// Mail for the domain waits to be asked for.
bool is_kept_for_request(const Settings& settings, std::string_view domain);

/// Whether the address may exist, as far as it is known here. The postmaster does (RFC 5321 4.5.1).
bool may_exist(const RelayDomainSettings& relay, const mail::Address& address);

/// Who asks for mail that waits.
struct MailAsker {
    net::Endpoint peer;
    std::string account;  ///< Login name; empty: not logged in.
    /// ATRN: the mail goes to whoever asks, and not where DNS and routes say, so that only the
    /// account counts.
    bool takes_it = false;
    AccountId id{};                ///< Of the account; asked again as the turn goes on (T46).
    std::uint64_t auth_epoch = 0;  ///< As it logged in.
    /// For logs, traces and budgets: the account, else the address.
    [[nodiscard]] std::string name() const;
};
/// Whether mail of this domain is theirs.
bool may_ask_for(const Settings& settings, const RelayDomainSettings& relay,
                 const MailAsker& asker);
/// Whether somebody from there may ask for anything without a login.
bool may_ask_from(const Settings& settings, const net::Endpoint& peer);
/// Whether anybody may ask for anything with a login.
bool may_users_ask(const Settings& settings);

/// For how long mail to the domain is tried or kept.
std::chrono::seconds lifetime_of(const Settings& settings, std::string_view domain);

}  // namespace godwit::flow
