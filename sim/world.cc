#include "sim/world.h"

#include <cstdio>

#include "base/encoding.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/probe.h"
#include "sim/audit.h"
#include "sim/internet.h"
#include "sim/names.h"
#include "sim/node.h"
#include "sim/peers/peer.h"
#include "sim/people/person.h"
#include "sim/places.h"
#include "sim/tls_world.h"
#include "store/queue/queue.h"

namespace godwit::sim {

namespace {

// More works than this at one instant, and nothing waits for time any more: it turns in a circle.
constexpr std::uint64_t kWorksAtOnce = 3'000'000;
constexpr Duration kInspectEvery = std::chrono::hours(12);
// Calm, and letters are still written: what was late comes, what was held is let go.
constexpr Duration kCalmBefore = std::chrono::hours(5);
// Past the last retry of what failed, and everybody's last look.
constexpr Duration kDrainMargin = std::chrono::hours(8);
// Longer than any session that nobody speaks to is kept.
constexpr Duration kQuiet = std::chrono::hours(2);

World* the_world = nullptr;  // Whom the watch of places tells.

Swarm draw_swarm(const WorldOptions& options) {
    Dice dice(options.seed);
    Swarm swarm = Swarm::draw(dice);
    for (const std::string& kind : options.without) {
        swarm.leave_out(kind);
    }
    return swarm;
}

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

}  // namespace

World::World(WorldOptions options)
    : options_(std::move(options)),
      swarm_(draw_swarm(options_)),
      loop_(std::make_unique<net::TestLoop>(1 + swarm_.nodes * swarm_.shards_per_node)),
      trace_(&loop_->clock(), options_.is_shown),
      ledger_(this) {
    check(the_world == nullptr, "one world at a time");
    the_world = this;
    log::set_level(log::Level::Error);
    log::set_clock(&loop_->clock());
    if (options_.is_shown) {
        log::set_level(log::Level::Info);
    }
    log::set_sink(
        [](void* context, std::string_view line) {
            static_cast<World*>(context)->trace_.note("log", line.substr(0, line.size() - 1));
        },
        this);
    make_tls_deterministic(options_.seed);
    must(certificates_.replace({world_certificate()}), "certificates");
    tls_client_ = must(net::TlsClientContext::create({.ca_file = "", .use_system_store = false}),
                       "client trust");
    tls_server_ = must(
        net::TlsServerContext::create(&certificates_, {.service = "smtp", .alpn = {}}), "server");
    internet_ = std::make_unique<Internet>(this);
    internet_->settle(0, {&outside()});
    names_ = std::make_unique<Names>(this);
}

World::~World() {
    watch_places(nullptr);
    // Tasks first: they use all the rest.
    loop_->cancel_tasks();
    people_.clear();
    nodes_.clear();
    peers_.clear();
    loop_->cancel_tasks();
    names_.reset();
    internet_.reset();
    loop_.reset();
    log::set_sink(nullptr, nullptr);
    log::set_clock(nullptr);
    the_world = nullptr;
}

Dice World::dice(std::string_view name) const {
    // FNV-1a over the name, begun with the seed: stable on every machine.
    std::uint64_t hash = 0xcbf29ce484222325ULL ^ (options_.seed * 0x9E3779B97F4A7C15ULL);
    for (const char c : name) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    return Dice(hash);
}

net::Shard& World::outside() {
    return loop_->shard(0);
}

MonoTime World::now() {
    return loop_->clock().mono();
}

WallTime World::wall() {
    return loop_->clock().wall();
}

Node* World::acting() const {
    if (acting_ != nullptr) {
        return acting_;
    }
    const net::Shard* const here = net::Shard::current();
    for (const std::unique_ptr<Node>& node : nodes_) {
        if (here != nullptr && node->owns(here)) {
            return node.get();
        }
    }
    return nullptr;
}

void World::pass(const Place& place) {
    World& world = *the_world;
    ++world.places_[std::string(place.name())];
    const bool is_probe = place.kind() == PlaceKind::Probe;
    if (is_probe && standing_of(place.name(), is_probe) == Standing::Forbidden) {
        world.ledger_.broken("I20", "damage where nothing damages: " + std::string(place.name()));
    }
    if (place.name() == "outbound.recalled" && world.swarm_.clock_jump_every.count() == 0) {
        world.ledger_.broken("I6", "mail was due too late, and no clock has jumped");
    }
    if (place.kind() != PlaceKind::CrashPoint || world.is_calm_) {
        return;
    }
    Node* const node = world.acting();
    if (node != nullptr && node->is_up() && node->dice().chance(world.swarm_.crash_at_point)) {
        node->freeze("at " + std::string(place.name()));
    }
}

void World::build() {
    watch_places(&World::pass);
    // Its own luck decides who is next of those who could run.
    loop_->set_tie_break(
        [dice = dice("order")](std::uint64_t count) mutable { return dice.below(count); });
    loop_->set_idle_work([] { return false; });
    for (unsigned i = 0; i < swarm_.nodes; ++i) {
        nodes_.push_back(std::make_unique<Node>(this, i + 1, 1 + i * swarm_.shards_per_node,
                                                swarm_.shards_per_node));
        Node& node = *nodes_.back();
        node.found();
        names_->set(node.domain(), {node.domain() + " MX 10 " + node.hostname(),
                                    node.hostname() + " A " + node.address().to_string()});
    }
    for (unsigned i = 0; i < swarm_.peers; ++i) {
        peers_.push_back(std::make_unique<Peer>(this, i + 1));
        peers_.back()->start();
    }
    for (const std::unique_ptr<Node>& node : nodes_) {
        node->start();
        for (const NodeAccount& account : node->accounts()) {
            people_.push_back(std::make_unique<Person>(this, node.get(), account));
            people_.back()->start();
        }
        node->begin_misfortunes();
    }
    names_->start();
}

// Events, and in between what has to happen while nothing runs.
void World::settle() {
    std::uint64_t works = 0;
    for (;;) {
        while (!afterwards_.empty()) {
            std::vector<net::Work> now = std::exchange(afterwards_, {});
            for (net::Work& work : now) {
                work();
            }
        }
        if (!loop_->step() && afterwards_.empty()) {
            return;
        }
        if (++works == kWorksAtOnce) {
            ledger_.broken("L3", "it turns in a circle: " + std::to_string(works) +
                                     " works and the time stands still");
            return;
        }
    }
}

void World::run_for(Duration time) {
    const MonoTime end = now() + time;
    MonoTime inspect_at = now() + kInspectEvery;
    for (settle(); ledger_.findings().empty(); settle()) {
        const MonoTime next = std::min({loop_->next_timer(), end, inspect_at});
        if (now() >= end) {
            return;
        }
        loop_->clock().advance_to(next);
        if (now() >= inspect_at) {
            inspect_at = now() + kInspectEvery;
            inspect();
        }
    }
}

void World::inspect() {
    for (const std::unique_ptr<Node>& node : nodes_) {
        if (node->is_up()) {
            count("inspections");
            for (const std::string& wrong : node->inspect()) {
                ledger_.broken("fsck", node->domain() + ": " + wrong);
            }
        }
    }
}

void World::become_calm() {
    trace_.note("world", "faults stop");
    is_calm_ = true;
    for (const std::unique_ptr<Peer>& peer : peers_) {
        peer->become_calm();
    }
    for (const std::unique_ptr<Node>& node : nodes_) {
        node->become_calm();
    }
}

bool World::is_drained() {
    for (const std::unique_ptr<Node>& node : nodes_) {
        if (!node->is_up()) {
            return false;
        }
        const auto waiting =
            store::list_queue(*node->store().snapshot(), store::ReadTier::Disk, MailId(0), 1);
        if (!waiting || !waiting->empty()) {
            return false;
        }
    }
    return std::ranges::all_of(
               people_,
               [](const std::unique_ptr<Person>& person) { return person->has_converged(); }) &&
           std::ranges::all_of(peers_,
                               [](const std::unique_ptr<Peer>& peer) { return peer->is_idle(); });
}

// L1-L3: what is left at the end of everybody's patience.
void World::drain() {
    run_for(kCalmBefore);
    for (const std::unique_ptr<Node>& node : nodes_) {
        static_cast<void>(node->order(R"({"call":"queue.release","arguments":{"all":true}})"));
    }
    is_ending_ = true;
    const MonoTime until = now() + swarm_.retry_lifetime + kDrainMargin;
    while (ledger_.findings().empty() && now() < until && !is_drained()) {
        run_for(std::chrono::minutes(30));
    }
    if (!ledger_.findings().empty()) {
        return;
    }
    if (!is_drained()) {
        for (const std::unique_ptr<Node>& node : nodes_) {
            if (!node->is_up()) {
                ledger_.broken("L4", node->domain() + " is not up though all is calm");
                continue;
            }
            ledger_.broken("L1", node->domain() + ": queue after the end: " +
                                     node->order(R"({"call":"queue.list","arguments":{}})"));
        }
        for (const std::unique_ptr<Person>& person : people_) {
            if (!person->has_converged()) {
                ledger_.broken("L2", person->account().name + " does not agree with its server");
            }
        }
        return;
    }
    run_for(kQuiet);
    for (const std::unique_ptr<Node>& node : nodes_) {
        for (const std::string& name : node->task_names()) {
            if (name != "caretaker" && name != "scrubber" && name != "router" && name != "sts" &&
                name != "tls-reports" && name != "indexer") {
                ledger_.broken("L3", node->domain() + ": a task is left: " + name);
            }
        }
    }
}

Verdict World::live() {
    build();
    const MonoTime begin = now();
    run_for(options_.faults_for);
    if (ledger_.findings().empty()) {
        become_calm();
        drain();
    }
    if (ledger_.findings().empty()) {
        inspect();
        audit(*this);
        ledger_.check();
    }
    Verdict verdict;
    verdict.findings = ledger_.findings();
    verdict.hash = trace_.hash();
    verdict.events = trace_.events();
    verdict.lived = now() - begin;
    verdict.counts = counts_;
    verdict.places = places_;
    if (!verdict.findings.empty()) {
        verdict.tail = trace_.tail();
    }
    return verdict;
}

}  // namespace godwit::sim
