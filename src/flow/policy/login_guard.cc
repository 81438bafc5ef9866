#include "flow/policy/login_guard.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/bytes.h"
#include "base/crypto.h"
#include "base/limits.h"

namespace godwit::flow {

namespace {

constexpr double kAddressFactor = 3;
constexpr double kNameFactor = 10;

std::string pair_key(std::string_view name, const net::IpAddress& source) {
    return "p" + to_lower(name) + "\n" + std::string(source.bytes());
}
std::string address_key(const net::IpAddress& source) {
    return "a" + std::string(source.bytes());
}
std::string name_key(std::string_view name) {
    return "n" + to_lower(name);
}

}  // namespace

bool LoginGuard::may_try(std::string_view name, const net::Endpoint& peer, std::uint32_t per_minute,
                         MonoTime now) {
    const net::IpAddress source = peer.address().limit_class();
    return tables_.with([&](Tables& tables) {
        const auto is_within = [&](const std::string& key, double factor) {
            Bucket* bucket = tables.buckets.find(key);
            if (bucket == nullptr) {
                return true;
            }
            const double minutes =
                std::chrono::duration<double, std::ratio<60>>(now - bucket->at).count();
            const double left = bucket->failures - minutes * per_minute * factor;
            return left < per_minute * factor;
        };
        if (!is_within(pair_key(name, source), 1)) {
            return false;
        }
        if (!peer.is_loopback() && !is_within(address_key(source), kAddressFactor)) {
            return false;
        }
        return tables.known_pairs.find(pair_key(name, source)) != nullptr ||
               is_within(name_key(name), kNameFactor);
    });
}

void LoginGuard::failed(std::string_view name, const net::Endpoint& peer, std::uint32_t per_minute,
                        MonoTime now) {
    const net::IpAddress source = peer.address().limit_class();
    tables_.with([&](Tables& tables) {
        const auto add = [&](const std::string& key, double factor) {
            Bucket& bucket = tables.buckets.touch(key);
            const double minutes =
                std::chrono::duration<double, std::ratio<60>>(now - bucket.at).count();
            bucket.failures = std::max(0.0, bucket.failures - minutes * per_minute * factor) + 1;
            bucket.at = now;
        };
        add(pair_key(name, source), 1);
        add(address_key(source), kAddressFactor);
        add(name_key(name), kNameFactor);
    });
}

void LoginGuard::succeeded(std::string_view name, const net::Endpoint& peer, MonoTime now) {
    const std::string key = pair_key(name, peer.address().limit_class());
    tables_.with([&](Tables& tables) {
        tables.buckets.erase(key);
        tables.known_pairs.touch(key) = now;
    });
}

bool LoginGuard::may_open_maildrop(AccountId account, Duration delay, MonoTime now) {
    if (delay <= Duration::zero()) {
        return true;
    }
    const std::string key = std::to_string(account.value());
    return tables_.with([&](Tables& tables) {
        const MonoTime* last = tables.maildrops.find(key);
        const bool may = last == nullptr || now - *last >= delay;
        if (may) {
            tables.maildrops.touch(key) = now;
        }
        return may;
    });
}

std::string LoginGuard::password_key(AccountId account, std::uint64_t auth_epoch,
                                     std::string_view password) const {
    ByteWriter writer;
    writer.u32(account.value()).u64(auth_epoch).raw(password);
    return hmac_sha256(secret_, writer.view());
}

bool LoginGuard::remembers(AccountId account, std::uint64_t auth_epoch, std::string_view password,
                           MonoTime now) {
    const std::string key = password_key(account, auth_epoch, password);
    return tables_.with([&](Tables& tables) {
        const MonoTime* until = tables.passwords.find(key);
        return until != nullptr && now < *until;
    });
}

void LoginGuard::remember(AccountId account, std::uint64_t auth_epoch, std::string_view password,
                          MonoTime now) {
    const std::string key = password_key(account, auth_epoch, password);
    tables_.with(
        [&](Tables& tables) { tables.passwords.touch(key) = now + limits::password_memory_time; });
}

}  // namespace godwit::flow
