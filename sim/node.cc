#include "sim/node.h"

#include "base/crypto.h"
#include "base/limits.h"
#include "serve/admin/api.h"
#include "sim/disk.h"
#include "sim/names.h"
#include "sim/schedule_watch.h"
#include "sim/slow_pool.h"
#include "sim/world.h"
#include "store/directory/directory.h"
#include "wire/sasl/scram.h"

namespace godwit::sim {

/// The node's own idea of the time: its wall clock may be wrong.
class NodeClock final : public Clock {
public:
    explicit NodeClock(Clock* true_time) : true_time_(true_time) {}
    [[nodiscard]] WallTime wall() const override { return true_time_->wall() + off_by_; }
    [[nodiscard]] MonoTime mono() const override { return true_time_->mono(); }
    void jump(Duration by) { off_by_ += by; }
    void put_right() { off_by_ = Duration{}; }

private:
    Clock* true_time_;
    Duration off_by_{};
};

namespace {

constexpr std::uint64_t kRoomy = std::uint64_t{1} << 40U;

template <class T>
T must(Result<T> result, const char* what) {
    if (!result) {
        std::fprintf(stderr, "sim: %s: %s\n", what, result.error().text.c_str());
    }
    check(result.has_value(), "the world is built without errors");
    if constexpr (!std::is_void_v<T>) {
        return std::move(*result);
    }
}

struct Listening {
    flow::Protocol protocol;
    std::uint16_t port;
};
constexpr auto kListening = std::to_array<Listening>({
    {flow::Protocol::Smtp, 25},
    {flow::Protocol::Submission, 587},
    {flow::Protocol::Submissions, 465},
    {flow::Protocol::Lmtp, 24},
    {flow::Protocol::Imap, 143},
    {flow::Protocol::Imaps, 993},
    {flow::Protocol::Pop3, 110},
    {flow::Protocol::Pop3s, 995},
});

constexpr auto kPeopleNames =
    std::to_array<std::string_view>({"ann", "ben", "cleo", "dora", "emil"});

// People log in all the time, and nobody steals the hashes: half of a world's cost.
void ease(store::ScramKeys& keys, const std::string& password) {
    constexpr std::uint32_t kIterations = 16;
    const sasl::ScramKeys made = sasl::scram_keys(password, keys.salt, kIterations);
    keys.iterations = made.iterations;
    keys.stored_key = made.stored_key;
    keys.server_key = made.server_key;
}

// The same in all worlds: made once, for a key of a password takes longer than an hour of a world.
const store::Credentials& credentials_of(const std::string& password) {
    static std::map<std::string, store::Credentials> made;
    const auto known = made.find(password);
    if (known != made.end()) {
        return known->second;
    }
    Dice dice(std::hash<std::string>{}(password));
    store::Credentials fresh = must(
        store::make_credentials(password, dice.random(), {.memory_kib = 64, .passes = 1}),
        "credentials");
    ease(fresh.scram, password);
    return made.emplace(password, std::move(fresh)).first->second;
}

}  // namespace

Node::Node(World* world, unsigned number, unsigned first_shard, unsigned count)
    : world_(world),
      number_(number),
      dice_(world->dice("node" + std::to_string(number))),
      first_shard_(first_shard),
      domain_("node" + std::to_string(number) + ".test"),
      hostname_("mx." + domain_),
      address_(*net::IpAddress::parse("11.21." + std::to_string(number) + ".1")),
      clock_(std::make_unique<NodeClock>(&world->loop().clock())) {
    for (unsigned i = 0; i < count; ++i) {
        shards_.push_back(&world->loop().shard(first_shard + i));
    }
    for (unsigned i = 0; i < world->swarm().accounts; ++i) {
        const std::string name(kPeopleNames.at(i));
        accounts_.push_back({.name = name + "@" + domain_, .password = name});
    }
    world->internet().settle(number, shards_);
    disk_ = std::make_unique<Disk>(world, this);
    schedule_ = std::make_unique<ScheduleWatch>(world, this);
}

Node::~Node() {
    is_frozen_ = true;
    tear_down();
}

net::Endpoint Node::door(flow::Protocol protocol) const {
    for (const Listening& row : kListening) {
        if (row.protocol == protocol) {
            return {address_, row.port};
        }
    }
    check(false, "a node listens for every protocol that is asked for");
    return {};
}

WallTime Node::wall() const {
    return clock_->wall();
}

Clock* Node::clock() const {
    return clock_.get();
}

bool Node::owns(const net::Shard* shard) const {
    return std::ranges::find(shards_, shard) != shards_.end();
}

flow::Settings Node::make_settings() const {
    flow::Settings settings;
    settings.hostname = hostname_;
    settings.default_domain = domain_;
    settings.data_folder = "/data";
    settings.is_development = true;
    settings.allow_plaintext_login = true;
    settings.argon2 = {.memory_kib = 64, .passes = 1};
    settings.log_level = "error";
    settings.retry.lifetime =
        std::chrono::duration_cast<std::chrono::seconds>(world_->swarm().retry_lifetime);
    settings.limits.connections_per_address = settings.limits.connections;
    settings.limits.login_attempts_per_minute = 1'000'000;
    settings.limits.unknown_recipients_per_minute = 1'000'000;
    for (const Listening& row : kListening) {
        settings.listeners.push_back({.protocol = row.protocol,
                                      .address = net::Endpoint(address_, row.port).to_string(),
                                      .reject_bare_newline = false});
    }
    return settings;
}

Result<> Node::open_store() {
    store::StoreOptions options;
    disk_->offer(options);
    options.drive = store::CommitDrive::Manual;
    options.on_pending = [this] {
        if (household_ != nullptr) {
            plan_commit();
        }
    };
    options.on_fatal = [this](const Error& error) { fail(error); };
    store_ = TRY(store::Store::open(std::move(options), clock_.get(), &dice_.random()));
    return {};
}

void Node::found() {
    must(open_store(), "store");
    store::Domain domain;
    domain.name = domain_;
    const auto commit = [this](Result<store::Plan> plan) {
        check(commit_now(must(std::move(plan), "plan")).has_value(), "the founding is committed");
    };
    commit(store::plan_add_domain(*store_->snapshot(), domain));
    for (const NodeAccount& wanted : accounts_) {
        store::Account account;
        account.name = wanted.name;
        account.credentials = credentials_of(wanted.password);
        commit(store::plan_add_account(*store_->snapshot(), account));
    }
    aliases_["all@" + domain_] = {};
    for (const NodeAccount& account : accounts_) {
        aliases_["all@" + domain_].push_back(account.name);
    }
    aliases_["abroad@" + domain_] = {"user0@peer1.test"};
    aliases_["both@" + domain_] = {accounts_.front().name, "user1@peer1.test"};
    aliases_["postmaster@" + domain_] = {accounts_.front().name};
    for (const auto& [address, targets] : aliases_) {
        store::Alias alias;
        alias.address = address;
        alias.targets = targets;
        commit(store::plan_add_alias(*store_->snapshot(), alias));
    }
    store_->stop();
    store_.reset();
    disk_->set_reliable(false);
}

void Node::start() {
    if (household_ != nullptr) {
        return;
    }
    const World::Acting acting(world_, this);
    world_->trace().note(domain_, "starts");
    ++lives_;
    pool_ = std::make_unique<SlowPool>(world_, this);
    if (const Result<> opened = open_house(); !opened) {
        world_->trace().note(domain_, "does not start: " + opened.error().text);
        world_->count("starts that failed");
        is_frozen_ = true;
        tear_down();
        is_frozen_ = false;
        start_later(std::chrono::seconds(5));
        return;
    }
    if (!world_->is_calm() && dice_.chance(world_->swarm().crash_in_start)) {
        freeze("just started");
    }
}

Result<> Node::open_house() {
    TRY(open_store());
    TRY(schedule_->begin(store_.get()));
    world_->internet().thaw(number_);
    app::Ground ground;
    ground.store = store_.get();
    ground.network = &world_->internet().from(number_, address_);
    ground.resolver = &world_->names().for_node(number_);
    ground.offload = pool_.get();
    ground.passwords = pool_.get();
    ground.tls_client = world_->tls_client();
    ground.certificates = &world_->certificates();
    ground.clock = clock_.get();
    ground.random = &dice_.random();
    ground.shards = shards_;
    ground.files = disk_->files();
    ground.in_hand_file = "/data/in-hand";
    ground.machine = domain_ + " " + std::to_string(boots_);
    auto settings = std::make_shared<const flow::Settings>(make_settings());
    household_ = TRY(app::Household::create(std::move(ground), settings));
    TRY(household_->start());
    TRY(household_->doors().open(settings->listeners));
    plan_commit();
    return {};
}

// What waits is committed one sync later, with all that came meanwhile.
void Node::plan_commit() {
    const Swarm& swarm = world_->swarm();
    const Duration sync =
        world_->is_calm() ? swarm.sync_least : dice_.between(swarm.sync_least, swarm.sync_most);
    commit_timer_ = world_->outside().call_after(sync, [this] {
        const World::Acting acting(world_, this);
        store_->committer().run_once();
    });
}

void Node::fail(const Error& error) {
    world_->trace().note(domain_, "fatal: " + error.text);
    world_->count("fatal errors");
    // The process ends itself soon; until then it refuses.
    end_timer_ = world_->outside().call_after(dice_.between({}, std::chrono::seconds(2)),
                                              [this] { crash(Crash::Kill); });
}

void Node::freeze(const std::string& why) {
    if (is_frozen_ || household_ == nullptr) {
        return;
    }
    is_frozen_ = true;
    world_->trace().note(domain_, "crashes: " + why);
    world_->internet().freeze(number_);
    world_->afterwards([this] {
        if (is_frozen_) {
            crash(dice_.chance(world_->swarm().power_cut) ? Crash::Power : Crash::Kill);
        }
    });
}

void Node::crash(Crash how) {
    if (household_ == nullptr) {
        return;
    }
    world_->trace().note(domain_, how == Crash::Power ? "loses power" : "is killed");
    world_->count(how == Crash::Power ? "power cuts" : "kills");
    world_->ledger().crashed(hostname_, world_->now());
    is_frozen_ = true;
    world_->internet().cut(number_,
                           how == Crash::Power ? Internet::End::Silence : Internet::End::Reset);
    tear_down();
    if (how == Crash::Power) {
        disk_->lose_unsynced();
        ++boots_;
    }
    is_frozen_ = false;
    start_later(
        dice_.about(world_->is_calm() ? std::chrono::seconds(10) : world_->swarm().down_for));
}

// Frozen: nothing of what the parts still do in dying reaches disk or network.
void Node::tear_down() {
    const World::Acting acting(world_, this);
    commit_timer_.cancel();
    end_timer_.cancel();
    const auto drop = [this] {
        for (unsigned i = 0; i < shards_.size(); ++i) {
            world_->loop().drop_shard(first_shard_ + i);
        }
    };
    drop();
    pool_.reset();
    drop();
    visit_.reset();
    household_.reset();
    store_.reset();
    drop();
}

void Node::start_later(Duration after) {
    start_timer_ = world_->outside().call_after(after, [this] { start(); });
}

net::Task<void> Node::stop_in_order() {
    world_->trace().note(domain_, "stops");
    world_->count("orderly stops");
    const std::uint64_t life = lives_;
    household_->begin_to_close();
    const MonoTime until = world_->now() + limits::shutdown_grace;
    for (bool is_idle = false; !is_idle && world_->now() < until;) {
        co_await net::sleep_for(std::chrono::milliseconds(20));
        if (household_ == nullptr || lives_ != life) {
            co_return;  // It crashed meanwhile.
        }
        // Asked on its own shard; the answer is there at the next look.
        is_idle = true;
        for (std::size_t i = 0; i < shards_.size(); ++i) {
            is_idle = is_idle && idle_shards_.contains(i);
            shards_[i]->post([this, i] {
                if (household_->is_empty_here()) {
                    idle_shards_.insert(i);
                } else {
                    idle_shards_.erase(i);
                }
            });
        }
    }
    idle_shards_.clear();
    if (is_frozen_) {
        co_return;
    }
    world_->internet().cut(number_, Internet::End::Reset);
    const World::Acting acting(world_, this);
    commit_timer_.cancel();
    end_timer_.cancel();
    const auto drop = [this] {
        for (unsigned i = 0; i < shards_.size(); ++i) {
            world_->loop().drop_shard(first_shard_ + i);
        }
    };
    drop();
    pool_->stop();
    drop();
    visit_.reset();
    household_.reset();
    store_->stop();
    if (!is_frozen_) {
        is_frozen_ = true;  // What is left has nothing to say.
        tear_down();
    }
    is_frozen_ = false;
    start_later(dice_.about(std::chrono::minutes(1)));
}

std::vector<std::string> Node::task_names() const {
    std::vector<std::string> names;
    for (const net::Shard* shard : shards_) {
        std::ranges::move(shard->task_names(), std::back_inserter(names));
    }
    return names;
}

net::Task<void> Node::crash_by_chance() {
    while (!world_->is_calm()) {
        co_await net::sleep_for(dice_.about(world_->swarm().crash_every));
        if (is_up() && !world_->is_calm()) {
            world_->afterwards([this] {
                crash(dice_.chance(world_->swarm().power_cut) ? Crash::Power : Crash::Kill);
            });
        }
    }
}

net::Task<void> Node::stop_by_chance() {
    while (!world_->is_calm()) {
        co_await net::sleep_for(dice_.about(world_->swarm().orderly_stop_every));
        if (is_up() && !world_->is_calm()) {
            co_await stop_in_order();
        }
    }
}

net::Task<void> Node::jump_by_chance() {
    while (!world_->is_calm()) {
        co_await net::sleep_for(dice_.about(world_->swarm().clock_jump_every));
        if (!world_->is_calm()) {
            const Duration by = dice_.between(-kClockJumpMost, kClockJumpMost);
            world_->trace().note(domain_, "clock jumps");
            world_->count("clock jumps");
            if (dice_.chance(0.5)) {
                clock_->jump(by);
            } else {
                clock_->put_right();
            }
        }
    }
}

net::Task<void> Node::fill_by_chance() {
    constexpr std::uint64_t kLow = 128ULL * 1024 * 1024;
    while (!world_->is_calm()) {
        co_await net::sleep_for(dice_.about(world_->swarm().full_every));
        if (!world_->is_calm()) {
            world_->count("full disks");
            disk_->set_free_space(dice_.chance(0.5) ? kLow : 0);
            co_await net::sleep_for(dice_.about(std::chrono::hours(1)));
            disk_->set_free_space(kRoomy);
        }
    }
}

void Node::begin_misfortunes() {
    const Swarm& swarm = world_->swarm();
    net::Shard& outside = world_->outside();
    if (swarm.crash_every.count() != 0) {
        net::spawn(outside, "sim.crashes", crash_by_chance());
    }
    if (swarm.orderly_stop_every.count() != 0) {
        net::spawn(outside, "sim.stops", stop_by_chance());
    }
    if (swarm.clock_jump_every.count() != 0) {
        net::spawn(outside, "sim.clocks", jump_by_chance());
    }
    if (swarm.full_every.count() != 0) {
        net::spawn(outside, "sim.full", fill_by_chance());
    }
}

void Node::become_calm() {
    disk_->set_reliable(true);
    disk_->set_free_space(kRoomy);
    clock_->put_right();
    if (household_ == nullptr) {
        start_later(std::chrono::seconds(1));
    }
}

}  // namespace godwit::sim
