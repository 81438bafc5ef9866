#include "app/household.h"

#include "app/indexer.h"
#include "base/log.h"
#include "base/random.h"
#include "flow/outbound/sts.h"

namespace godwit::app {

Household::Household(Ground ground, flow::SettingsPtr settings)
    : ground_(std::move(ground)),
      bell_(ground_.shards.front()),
      login_guard_(ground_.random->bytes(32)),
      // By the index of a shard in its loop, which the simulator shares between houses.
      roll_call_(ground_.shards.back()->index() + 1) {
    cell_.store(std::move(settings));
    services_.store = ground_.store;
    services_.network = ground_.network;
    services_.resolver = ground_.resolver;
    services_.offload = ground_.offload;
    services_.passwords = ground_.passwords;
    services_.tls_client = ground_.tls_client;
    services_.clock = ground_.clock;
    services_.random = ground_.random;
    services_.login_guard = &login_guard_;
    services_.tokens = &token_desk_;
    services_.connection_guard = &connection_guard_;
    services_.recipient_guard = &recipient_guard_;
    services_.sender_domains = &sender_domains_;
    services_.peer_quirks = &peer_quirks_;
    services_.read_secret = ground_.read_secret;
    services_.request_guard = &request_guard_;
    services_.roll_call = &roll_call_;
    services_.outbound_tls = &outbound_tls_;
    services_.tls_tally = &tls_tally_;
    services_.current_settings = &cell_;
    services_.decoy_secret = ground_.random->bytes(32);
    services_.shards = ground_.shards;
    operators_ = std::make_unique<flow::OperatorDesk>(&services_);
    services_.operators = operators_.get();
    refusals_ = std::make_unique<flow::RefusalTrail>(&services_);
    services_.refusals = refusals_.get();
    scheduler_ = std::make_unique<flow::OutboundScheduler>(&services_, ground_.shards);
    services_.scheduler = scheduler_.get();
    tls_reporter_ = std::make_unique<flow::TlsReporter>(&services_);
    verifier_ = std::make_unique<flow::RecipientVerifier>(&services_);
    services_.recipient_verifier = verifier_.get();
    doors_ = std::make_unique<Doors>(&services_, ground_.certificates);
}

Household::~Household() = default;

Result<std::unique_ptr<Household>> Household::create(Ground ground, flow::SettingsPtr settings) {
    std::unique_ptr<Household> household(new Household(std::move(ground), std::move(settings)));
    TRY(household->doors_->prepare());
    return household;
}

// What the last process had in hand is counted before anything is tried again.
Result<> Household::start_queue() {
    if (ground_.files == nullptr) {
        return scheduler_->start();
    }
    flow::InHandLeft left =
        flow::InHand::read_left(*ground_.files, ground_.in_hand_file, ground_.machine);
    if (!left.entries.empty()) {
        net::spawn(*ground_.shards.front(), "queue.after_crash",
                   start_after_crash(std::move(left)));
        return {};
    }
    name_what_is_in_hand();
    return scheduler_->start();
}

// Without the register a message that ends the process is not told apart, and mail flows.
void Household::name_what_is_in_hand() {
    auto made = flow::InHand::create(ground_.files, ground_.in_hand_file, ground_.machine,
                                     ground_.random->u64());
    if (!made) {
        log::warn("queue.in_hand_not_kept", {{"error", made.error().text}});
        return;
    }
    in_hand_ = *std::move(made);
    services_.in_hand = in_hand_.get();
}

net::Task<void> Household::start_after_crash(flow::InHandLeft left) {
    // No delivery is tried before: a message that ends the process would never be counted.
    constexpr std::chrono::seconds kAgain(5);
    for (;;) {
        Result<> done = co_await flow::count_crashes(&services_, left);
        if (done) {
            name_what_is_in_hand();
            done = scheduler_->start();
        }
        if (done) {
            co_return;
        }
        log::error("queue.start_failed", {{"error", done.error().text}});
        co_await net::sleep_for(kAgain);
    }
}

Result<> Household::start() {
    TRY(operators_->start());
    TRY(start_queue());
    net::spawn(*ground_.shards.front(), "caretaker", take_care(&services_, &bell_));
    net::spawn(*ground_.shards.front(), "indexer", keep_indexes(&services_));
    net::spawn(*ground_.shards.front(), "sts", flow::keep_sts_fresh(&services_));
    net::spawn(*ground_.shards.front(), "tls-reports", tls_reporter_->run());
    return {};
}

void Household::change_settings(flow::SettingsPtr settings) {
    cell_.store(std::move(settings));
    bell_.ring_for_settings();
}

void Household::begin_to_close() {
    doors_->close();
    begin_to_end();
}

void Household::begin_to_end() {
    scheduler_->stop();
    tls_reporter_->end(ground_.shards.front());
    for (net::Shard* shard : ground_.shards) {
        shard->post([this] { roll_call_.close_here(); });
    }
}

bool Household::is_empty_here() const {
    const bool is_reporting =
        &net::Shard::here() == ground_.shards.front() && !tls_reporter_->is_done();
    return roll_call_.is_empty_here() && scheduler_->is_idle_here() && !is_reporting;
}

}  // namespace godwit::app
