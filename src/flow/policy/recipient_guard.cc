#include "flow/policy/recipient_guard.h"

#include <algorithm>
#include <string>

namespace godwit::flow {

namespace {

bool is_exempt(const net::Endpoint& peer) {
    return peer.is_unix() || peer.is_loopback();
}

std::string key_of(const net::Endpoint& peer) {
    return std::string(peer.address().limit_class().bytes());
}

}  // namespace

double RecipientGuard::left(const Misses& misses, std::uint32_t per_minute, MonoTime now) {
    const double minutes = std::chrono::duration<double, std::ratio<60>>(now - misses.at).count();
    return std::max(0.0, misses.count - minutes * per_minute);
}

bool RecipientGuard::may_ask(const net::Endpoint& peer, std::uint32_t per_minute, MonoTime now) {
    if (is_exempt(peer)) {
        return true;
    }
    return table_.with([&](RecentTable<Misses>& table) {
        const Misses* misses = table.find(key_of(peer));
        return misses == nullptr || left(*misses, per_minute, now) + 1 <= per_minute;
    });
}

void RecipientGuard::missed(const net::Endpoint& peer, std::uint32_t per_minute, MonoTime now) {
    if (is_exempt(peer)) {
        return;
    }
    table_.with([&](RecentTable<Misses>& table) {
        Misses& misses = table.touch(key_of(peer));
        misses = {.count = left(misses, per_minute, now) + 1, .at = now};
    });
}

}  // namespace godwit::flow
