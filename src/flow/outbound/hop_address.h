// Where one connection goes and what TLS with it has to be: what tells one session from another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "flow/outbound/attempt_tls.h"
#include "flow/outbound/route.h"
#include "flow/outbound/tls_policy.h"
#include "flow/services.h"
#include "net/io/endpoint.h"
#include "net/io/task.h"
#include "store/queue/queue.h"

namespace godwit::flow {

/// Where a connection goes; equal keys may share one.
struct HopAddress {
    std::string host;
    std::uint16_t port = 25;
    bool is_lmtp = false;
    RouteSettings::Tls tls = RouteSettings::Tls::Opportunistic;
    std::string username{};
    std::string password{};
    std::string token_file{};                   ///< Instead of a password.
    std::optional<net::IpAddress> source_v4{};  ///< The local address to use, per family.
    std::optional<net::IpAddress> source_v6{};
    std::string hello{};  ///< The name said in EHLO; empty: the hostname.
    bool is_configured =
        false;             ///< By a route: private addresses are meant; loops are the admin's.
    std::string domain{};  ///< Of the recipients: whom sessions are reported to.
    /// Of a question that has little time: nothing waits longer, whatever the peer may take.
    std::optional<MonoTime> give_up_at{};
    /// Set by decide_hop_tls() before anything compares hops (F12); without it, as `tls` says.
    std::optional<TlsPolicy> policy{};
    /// But for `domain`: domains of one exchanger share its connections (F12).
    [[nodiscard]] bool operator==(const HopAddress& other) const;
};
/// REQUIRETLS and `TLS-Required: No` (RFC 8689). A message without a sender is never returned for
/// want of TLS: 4.2.1 exempts it.
TlsWish tls_wish(const store::QueueMessage& message);
/// Decides `hop->policy` for mail of `message` to `domain`. Before the hop is compared with that of
/// a kept connection.
net::Task<void> decide_hop_tls(const Services* services, HopAddress* hop, std::string domain,
                               TlsWish wish);

/// What TLS with the host had to be; nothing of a session.
AttemptTls wanted_tls(const HopAddress& hop);

}  // namespace godwit::flow
