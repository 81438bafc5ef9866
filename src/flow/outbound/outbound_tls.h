// What the sending side remembers of TLS with others, shared by all shards.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/recent.h"
#include "flow/outbound/tls_policy.h"
#include "net/io/locked.h"

namespace godwit::flow {

/// How long a host whose TLS broke is spoken to in the clear without another try (C11).
inline constexpr std::chrono::hours tls_broken_memory{4};
/// Hosts remembered at most; one costs some 100 octets.
inline constexpr std::size_t tls_broken_hosts_max = 10'000;

/// Domains whose policy was fetched in vain, remembered at most.
inline constexpr std::size_t sts_pauses_max = 10'000;

/// Decisions remembered, and for how long: one costs four to six look-ups, and records live for
/// minutes at least where somebody means them to be used.
inline constexpr std::size_t tls_decisions_max = 4096;
inline constexpr std::chrono::seconds tls_decision_memory{30};

/// Any thread. Forgotten at a restart, except what is on disk.
class OutboundTls {
public:
    /// Opportunistic TLS with the host ("mx.example.com:25") failed.
    void note_broken(const std::string& host, WallTime now);
    [[nodiscard]] bool is_broken(const std::string& host, WallTime now);

    /// False when the domain's policy is being fetched, or was in vain a moment ago; else the
    /// caller fetches it, and says end_fetch().
    [[nodiscard]] bool begin_fetch(const std::string& domain, WallTime now);
    /// `not_before` after a failure.
    void end_fetch(const std::string& domain, std::optional<WallTime> not_before);
    [[nodiscard]] bool is_fetching(const std::string& domain);

    /// What decide_tls() came to a moment ago, for the next mail of a burst.
    void note_decision(const TlsQuestion& question, const TlsPolicy& policy, MonoTime now);
    [[nodiscard]] std::optional<TlsPolicy> decision(const TlsQuestion& question, MonoTime now);

private:
    struct Decision {
        TlsPolicy policy;
        MonoTime until{};
    };
    struct Fetches {
        std::set<std::string, std::less<>> under_way;  // Bounded by the deliveries under way.
        Recent<std::string, WallTime> not_before{sts_pauses_max};
    };
    net::Locked<Recent<std::string, WallTime>> broken_{tls_broken_hosts_max};
    net::Locked<Fetches> fetches_;
    net::Locked<Recent<std::string, Decision>> decisions_{tls_decisions_max};
};

}  // namespace godwit::flow
