// Slows guessing down without locking people out, and remembers passwords that were right, so that
// most logins cost a MAC instead of an Argon2id hash. SECURITY.md T37-T39, T41, T46.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"
#include "flow/policy/recent_table.h"
#include "net/io/endpoint.h"
#include "net/io/locked.h"

namespace godwit::flow {

/// Any thread. Bounded tables; the oldest entries go first.
class LoginGuard {
public:
    /// `secret`: 32 random bytes of this process; keys the memory of right passwords.
    explicit LoginGuard(std::string secret) : secret_(std::move(secret)) {}

    /// May this peer try to log in as `name` now? `per_minute` failures are free per pair of name
    /// and address (then tokens come back one by one), three times as many per address, and ten
    /// times as many per name; an address that logged in to the name before is exempt from the
    /// last.
    bool may_try(std::string_view name, const net::Endpoint& peer, std::uint32_t per_minute,
                 MonoTime now);
    void failed(std::string_view name, const net::Endpoint& peer, std::uint32_t per_minute,
                MonoTime now);
    /// Clears what is held against the pair, and nothing else.
    void succeeded(std::string_view name, const net::Endpoint& peer, MonoTime now);

    /// RFC 2449 6.5 (LOGIN-DELAY): true, and remembered, when the account last got to its maildrop
    /// at least `delay` ago, whatever it came from.
    bool may_open_maildrop(AccountId account, Duration delay, MonoTime now);

    /// Was exactly this password right for the account at this epoch, not long ago?
    bool remembers(AccountId account, std::uint64_t auth_epoch, std::string_view password,
                   MonoTime now);
    void remember(AccountId account, std::uint64_t auth_epoch, std::string_view password,
                  MonoTime now);

private:
    struct Bucket {
        double failures = 0;
        MonoTime at{};
    };
    struct Tables {
        RecentTable<Bucket> buckets;
        RecentTable<MonoTime> known_pairs;
        RecentTable<MonoTime> passwords;
        RecentTable<MonoTime> maildrops;
    };
    [[nodiscard]] std::string password_key(AccountId account, std::uint64_t auth_epoch,
                                           std::string_view password) const;

    std::string secret_;
    net::Locked<Tables> tables_;
};

}  // namespace godwit::flow
