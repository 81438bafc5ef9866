#include "net/tls/session_store.h"

#include <utility>

namespace godwit::net {

void SessionStore::remove(const std::string& key) {
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
        by_age_.erase(found->second.number);
        by_key_.erase(found);
    }
}

void SessionStore::put(const std::string& key, SslSessionPtr session) {
    remove(key);
    if (by_key_.size() >= tls_client_sessions_max) {
        const std::string oldest = by_age_.begin()->second;
        remove(oldest);
    }
    const std::uint64_t number = next_number_++;
    by_key_.emplace(key, Kept{std::move(session), number});
    by_age_.emplace(number, key);
}

SslSessionPtr SessionStore::take(const std::string& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) {
        return nullptr;
    }
    SSL_SESSION* const session = found->second.session.get();
    if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION) {
        SslSessionPtr taken = std::move(found->second.session);
        remove(key);
        return taken;
    }
    SSL_SESSION_up_ref(session);
    return SslSessionPtr(session);
}

void SharedSessions::put(const std::string& key, SslSessionPtr session) {
    store_.with([&](SessionStore& store) { store.put(key, std::move(session)); });
}
SslSessionPtr SharedSessions::take(const std::string& key) {
    return store_.with([&](SessionStore& store) { return store.take(key); });
}

}  // namespace godwit::net
