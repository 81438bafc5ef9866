// TLS sessions of our client side, kept to be resumed. Private to net/tls.
// C14: what a session is kept under says all that it was checked for, so that none is resumed under
// another policy.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

#include "net/io/locked.h"
#include "net/tls/openssl.h"

namespace godwit::net {

using SslSessionPtr = std::unique_ptr<SSL_SESSION, FreeWith<SSL_SESSION_free>>;

/// Sessions kept at most. Each holds the peer's certificates: some 5 KiB.
inline constexpr std::size_t tls_client_sessions_max = 1000;

/// At most tls_client_sessions_max, the newest per key; the oldest goes first. Behind a lock.
class SessionStore {
public:
    void put(const std::string& key, SslSessionPtr session);
    /// Null when there is none. One of TLS 1.3 is handed out once (RFC 8446).
    SslSessionPtr take(const std::string& key);
    [[nodiscard]] std::size_t size() const { return by_key_.size(); }

private:
    struct Kept {
        SslSessionPtr session;
        std::uint64_t number = 0;
    };
    void remove(const std::string& key);
    std::unordered_map<std::string, Kept> by_key_;
    std::map<std::uint64_t, std::string> by_age_;
    std::uint64_t next_number_ = 0;
};

/// The same for all shards.
class SharedSessions {
public:
    void put(const std::string& key, SslSessionPtr session);
    SslSessionPtr take(const std::string& key);

private:
    Locked<SessionStore> store_;
};

}  // namespace godwit::net
