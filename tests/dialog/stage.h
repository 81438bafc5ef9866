// The whole house on a stage: memory network, virtual time, a store in memory or in a folder. What
// dialog scripts play on. ARCHITECTURE.md "What makes it testable".
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "flow/inbound/refusal_trail.h"
#include "flow/oauth/token_desk.h"
#include "flow/outbound/mail_request.h"
#include "flow/outbound/operator_desk.h"
#include "flow/outbound/outbound_tls.h"
#include "flow/outbound/peer_quirks.h"
#include "flow/outbound/scheduler.h"
#include "flow/outbound/survey.h"
#include "flow/outbound/verify.h"
#include "flow/policy/connection_guard.h"
#include "flow/policy/login_guard.h"
#include "flow/policy/recipient_guard.h"
#include "flow/policy/sender_domains.h"
#include "flow/report/tls_reporter.h"
#include "flow/roll_call.h"
#include "flow/services.h"
#include "net/io/memory_network.h"
#include "net/io/test_loop.h"
#include "net/resolver/scripted_resolver.h"
#include "net/tls/context.h"
#include "serve/connection.h"
#include "store/directory/directory.h"
#include "store/store.h"

namespace godwit::dialog {

/// One thread. Accounts alice/alice and bob/bob of example.test are there, and what a script adds.
class Stage {
public:
    /// `folder` empty: the store is in memory.
    explicit Stage(std::string folder = "");
    ~Stage();
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    /// Builds and starts the house; settings may be changed before through settings().
    void start();
    /// Graceful: sessions are told, the store is closed. start() may follow.
    void stop();
    flow::Settings& settings() { return settings_; }
    net::MemoryNetwork& network() { return *network_; }
    net::ScriptedResolver& resolver() { return resolver_; }
    store::Store& store() { return *store_; }
    net::TestLoop& loop() { return loop_; }
    /// After start().
    flow::Services& services() { return services_; }
    /// Runs tasks and commits in turn until nothing moves.
    void settle();
    /// Virtual time goes on, with all that falls due on the way.
    void advance(Duration by);
    /// Each job of the offload pool takes that long from now on.
    void slow_pool(Duration job_takes);
    void add_account(const std::string& name, const std::string& password, std::uint64_t quota = 0);
    /// Octets that the store is told are free on its disk; looked at a second later at the
    /// earliest.
    void set_free_space(std::uint64_t octets) { free_space_ = octets; }
    /// By an administrator, beside the sessions.
    void change_password(const std::string& name, const std::string& password);
    /// As an account that was made before there were SCRAM-SHA-1 keys.
    void forget_sha1_keys(const std::string& name);
    void disable_account(const std::string& name);
    store::Account account(const std::string& name);
    void remove_account(const std::string& name);
    /// Puts `count` small messages into a mailbox of the account, with the Subject "number N".
    void fill(const std::string& name, const std::string& mailbox, std::size_t count,
              const std::string& unique_id = {});
    /// Overwrites the `number`-th row (from 1) of a family; false when there is none.
    bool damage(char family, std::uint64_t number);
    /// `godwit queue VERB` of an operator, with the call's arguments as JSON (without any: --all);
    /// the answer. Starts with {"ok":true} when it was carried out.
    std::string order(const std::string& verb, const std::string& arguments);
    /// route.test "waits for a peer" until that has answered; asked again, it tells what was found.
    /// An administrator's call (serve/admin/api.h) with a JSON object of arguments: the answer.
    std::string administer(const std::string& call, const std::string& arguments);
    void add_alias(const std::string& address, const std::vector<std::string>& targets);
    void commit(store::Plan plan);
    /// Where a protocol listens: "smtp", "submission", "imap" ...
    static net::Endpoint door(std::string_view name);
    /// For peers: a certificate of mx.example.com, mx2.example.com and mta-sts.example.com that the
    /// house trusts; or one of the same names that it does not.
    enum class PeerCertificate : std::uint8_t { Trusted, SelfSigned };
    const net::TlsServerContext* peer_tls(PeerCertificate kind);
    /// SHA-256 of the trusted one, in hex: for TLSA records "3 0 1".
    static std::string peer_certificate_digest();
    const net::TlsClientContext* client_trust() const { return tls_client_.get(); }
    /// The same, with a certificate of one address that a CA has signed which our doors trust, or
    /// do not.
    const net::TlsClientContext* client_trust(const std::string& address, bool is_trusted);
    /// One line a queued delivery: "ID from=<..> to=<..> state attempts=N reason".
    std::vector<std::string> queue_lines();

private:
    store::Credentials credentials(const std::string& password);
    static net::Task<void> welcome(Stage* stage, const void* door, const net::TlsServerContext* tls,
                                   std::unique_ptr<net::Stream> stream);
    void build_store();
    std::uint64_t free_space_ = std::uint64_t{1} << 40U;
    std::string folder_;
    net::TestLoop loop_;
    SeededRandom random_{7};
    flow::Settings settings_;
    net::ScriptedResolver resolver_;
    std::unique_ptr<net::MemoryNetwork> network_;
    std::unique_ptr<store::Store> store_;
    net::TlsCertificates certificates_;
    std::map<std::string, std::unique_ptr<net::TlsServerContext>> tls_;
    std::unique_ptr<net::TlsClientContext> tls_client_;
    std::map<std::pair<std::string, bool>, std::unique_ptr<net::TlsClientContext>> client_contexts_;
    struct PeerTls;
    std::map<PeerCertificate, std::unique_ptr<PeerTls>> peer_tls_;
    std::unique_ptr<net::OffloadPool> pool_;
    std::unique_ptr<net::OffloadPool> slow_pool_;
    std::unique_ptr<flow::LoginGuard> login_guard_;
    flow::TokenDesk token_desk_;
    std::unique_ptr<flow::ConnectionGuard> connection_guard_;
    std::unique_ptr<flow::RecipientGuard> recipient_guard_;
    std::unique_ptr<flow::SenderDomains> sender_domains_;
    flow::PeerQuirks peer_quirks_;
    std::unique_ptr<flow::RequestGuard> request_guard_;
    std::unique_ptr<flow::RecipientVerifier> verifier_;
    std::unique_ptr<flow::RollCall> roll_call_;
    flow::OutboundTls outbound_tls_;
    std::optional<flow::TlsTally> tls_tally_;  ///< Dies with the process: anew at each start.
    std::unique_ptr<flow::OperatorDesk> operators_;
    std::unique_ptr<flow::RefusalTrail> refusals_;
    std::unique_ptr<flow::OutboundScheduler> scheduler_;
    std::unique_ptr<flow::TlsReporter> tls_reporter_;
    net::SwapCell<flow::Settings> cell_;
    flow::Services services_;
    std::vector<std::unique_ptr<net::Listener>> listeners_;
    /// What `test-route` asked and has not told yet: a peer may have to answer it first.
    std::unique_ptr<std::optional<Result<flow::Survey>>> survey_;
};

}  // namespace godwit::dialog
