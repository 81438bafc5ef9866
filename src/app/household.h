// What lives in a house, whatever ground it stands on: guards, scheduler, desks, doors, caretaker.
// The ground is the machine's (house.cc), a dialog's stage or the simulator's world. Nothing here
// touches a socket, a file, a thread or the time by itself.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/caretaker.h"
#include "app/doors.h"
#include "flow/inbound/refusal_trail.h"
#include "flow/oauth/token_desk.h"
#include "flow/outbound/mail_request.h"
#include "flow/outbound/operator_desk.h"
#include "flow/outbound/outbound_tls.h"
#include "flow/outbound/peer_quirks.h"
#include "flow/outbound/quarantine.h"
#include "flow/outbound/scheduler.h"
#include "flow/outbound/verify.h"
#include "flow/policy/connection_guard.h"
#include "flow/policy/login_guard.h"
#include "flow/policy/recipient_guard.h"
#include "flow/policy/sender_domains.h"
#include "flow/report/tls_reporter.h"
#include "flow/roll_call.h"
#include "flow/services.h"

namespace godwit::app {

/// All outlive the household, and it outlives the shards' last step.
/// Octets of a route's token_file; providers' tokens have some 2,000.
inline constexpr std::size_t token_size_max = 16 * 1024;

struct Ground {
    store::Store* store = nullptr;
    net::Network* network = nullptr;
    net::Resolver* resolver = nullptr;  ///< Null: no look-ups.
    net::OffloadPool* offload = nullptr;
    net::OffloadPool* passwords = nullptr;
    net::TlsClientContext* tls_client = nullptr;
    const net::TlsCertificates* certificates = nullptr;
    Clock* clock = nullptr;
    Random* random = nullptr;
    std::vector<net::Shard*> shards;
    /// Where deliveries in hand are named (flow/outbound/in_hand.h); null: nowhere.
    store::FileSystem* files = nullptr;
    std::string in_hand_file;
    std::string machine;  ///< Names this start of the machine.
    /// As in Services; null: no files are read.
    std::function<Result<std::string>(const std::string& path)> read_secret{};
};

class Household {
public:
    static Result<std::unique_ptr<Household>> create(Ground ground, flow::SettingsPtr settings);
    ~Household();
    Household(const Household&) = delete;
    Household& operator=(const Household&) = delete;

    [[nodiscard]] flow::Services& services() { return services_; }
    [[nodiscard]] Doors& doors() { return *doors_; }
    [[nodiscard]] flow::ConnectionGuard& connections() { return connection_guard_; }
    [[nodiscard]] flow::SettingsPtr settings() const { return cell_.load(); }
    void change_settings(flow::SettingsPtr settings);
    [[nodiscard]] CareBell& bell() { return bell_; }

    /// Has the queue worked on and the caretaker begin; before the doors open.
    Result<> start();
    /// No new deliveries; sessions, also those to come, are told that the server ends. For a server
    /// whose disk has failed: its doors stay open to say so.
    void begin_to_end();
    /// No new connections, no new deliveries; sessions end at their next command boundary. Then
    /// ask is_empty_here() on each shard.
    void begin_to_close();
    /// Nobody is served on this shard and no delivery is under way there.
    [[nodiscard]] bool is_empty_here() const;

private:
    Household(Ground ground, flow::SettingsPtr settings);
    Result<> start_queue();
    void name_what_is_in_hand();
    net::Task<void> start_after_crash(flow::InHandLeft left);

    Ground ground_;
    net::SwapCell<flow::Settings> cell_;
    CareBell bell_;
    flow::LoginGuard login_guard_;
    flow::TokenDesk token_desk_;
    flow::ConnectionGuard connection_guard_;
    flow::RecipientGuard recipient_guard_;
    flow::SenderDomains sender_domains_;
    flow::PeerQuirks peer_quirks_;
    flow::RollCall roll_call_;
    flow::OutboundTls outbound_tls_;
    flow::TlsTally tls_tally_;
    flow::RequestGuard request_guard_;
    std::unique_ptr<flow::InHand> in_hand_;
    flow::Services services_;
    std::unique_ptr<flow::OperatorDesk> operators_;
    std::unique_ptr<flow::RefusalTrail> refusals_;
    std::unique_ptr<flow::OutboundScheduler> scheduler_;
    std::unique_ptr<flow::TlsReporter> tls_reporter_;
    std::unique_ptr<flow::RecipientVerifier> verifier_;
    std::unique_ptr<Doors> doors_;
};

}  // namespace godwit::app
