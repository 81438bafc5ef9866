#include "app/household.h"

#include "app/caretaker.h"
#include "base/random.h"

namespace godwit::app {

Household::Household(Ground ground, flow::SettingsPtr settings)
    : ground_(std::move(ground)),
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
    services_.connection_guard = &connection_guard_;
    services_.recipient_guard = &recipient_guard_;
    services_.roll_call = &roll_call_;
    services_.current_settings = &cell_;
    services_.decoy_secret = ground_.random->bytes(32);
    services_.shards = ground_.shards;
    scheduler_ = std::make_unique<flow::OutboundScheduler>(&services_, ground_.shards);
    services_.scheduler = scheduler_.get();
    doors_ = std::make_unique<Doors>(&services_, ground_.certificates);
}

Household::~Household() = default;

Result<std::unique_ptr<Household>> Household::create(Ground ground, flow::SettingsPtr settings) {
    std::unique_ptr<Household> household(new Household(std::move(ground), std::move(settings)));
    TRY(household->doors_->prepare());
    return household;
}

Result<> Household::start() {
    TRY(scheduler_->start());
    net::spawn(*ground_.shards.front(), "caretaker", take_care(&services_));
    return {};
}

void Household::begin_to_close() {
    doors_->close();
    begin_to_end();
}

void Household::begin_to_end() {
    scheduler_->stop();
    for (net::Shard* shard : ground_.shards) {
        shard->post([this] { roll_call_.close_here(); });
    }
}

bool Household::is_empty_here() const {
    return roll_call_.is_empty_here() && scheduler_->is_idle_here();
}

}  // namespace godwit::app
