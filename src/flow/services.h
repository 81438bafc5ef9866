// What every desk and every work may use: the cellars, the street, time, settings. Built once by
// app/house and outlives every session. Shared by all shards; each part says its own thread rule.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "flow/settings.h"
#include "net/io/offload.h"
#include "net/io/swap_cell.h"

namespace godwit::store {
class Store;
}
namespace godwit::net {
class Network;
class Resolver;
class Shard;
class TlsClientContext;
}  // namespace godwit::net

namespace godwit::flow {

class LoginGuard;
class TokenDesk;
class ConnectionGuard;
class RecipientGuard;
class SenderDomains;
class RollCall;
class OutboundScheduler;
class InHand;
class OutboundTls;
class PeerQuirks;
class OperatorDesk;
class RefusalTrail;
class TlsTally;
class RequestGuard;
class RecipientVerifier;

/// Pointers are never null unless said; all outlive the sessions.
struct Services {
    store::Store* store = nullptr;
    net::Network* network = nullptr;
    net::Resolver* resolver = nullptr;      ///< Null when look-ups are off.
    net::OffloadPool* offload = nullptr;    ///< Cold disk reads, spooling, signatures.
    net::OffloadPool* passwords = nullptr;  ///< Argon2id only, so that mail never waits for it.
    net::TlsClientContext* tls_client = nullptr;  ///< Trust for sessions to next hops.
    Clock* clock = nullptr;
    Random* random = nullptr;
    LoginGuard* login_guard = nullptr;
    TokenDesk* tokens = nullptr;  ///< Null: nobody logs in with access tokens.
    ConnectionGuard* connection_guard = nullptr;
    RecipientGuard* recipient_guard = nullptr;
    SenderDomains* sender_domains = nullptr;  ///< Null: senders' domains are not looked up.
    RollCall* roll_call = nullptr;
    OutboundScheduler* scheduler = nullptr;  ///< Null in tools that only look.
    InHand* in_hand = nullptr;            ///< Null: crashes are not told apart by what was in hand.
    OutboundTls* outbound_tls = nullptr;  ///< Null: nothing is remembered of TLS with others.
    PeerQuirks* peer_quirks = nullptr;    ///< Null: all are spoken to in full.
    OperatorDesk* operators = nullptr;    ///< Null: nobody gives orders, nothing is suspended.
    RefusalTrail* refusals = nullptr;     ///< Null: what is refused is not noted.
    TlsTally* tls_tally = nullptr;        ///< Null: sessions are not counted for TLS reports.
    RequestGuard* request_guard = nullptr;  ///< Null where nobody asks: tools.
    RecipientVerifier* recipient_verifier =
        nullptr;  ///< Null: relayed recipients are not asked for.
    /// Reads a file that the administrator named, off the shards; null: there are no files here.
    std::function<Result<std::string>(const std::string& path)> read_secret{};
    net::SwapCell<Settings>* current_settings = nullptr;
    std::vector<net::Shard*> shards;  ///< An account's home is shards[id % size].
    std::string
        decoy_secret;  ///< 32 random bytes of this process: SCRAM answers for unknown names.

    /// The settings as of now; keep the pointer for one command, not for a session.
    [[nodiscard]] SettingsPtr settings() const { return current_settings->load(); }
};

}  // namespace godwit::flow
