#include "sim/people/person.h"

#include "sim/internet.h"
#include "sim/people/imap_reader.h"
#include "sim/people/memory.h"
#include "sim/people/orders.h"
#include "sim/people/pop3_reader.h"
#include "sim/people/writer.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

// RFC 5321 4.5.3.2 asks for minutes; a world's network may take as long.
constexpr Duration kConnectPatience = std::chrono::minutes(2);
constexpr Duration kHandshakePatience = std::chrono::minutes(5);
// What a node does with a command it has, when the connection is gone.
constexpr Duration kCommandLatest = std::chrono::minutes(10);
// Packets of a connection may be late by an hour each, one behind the other.
constexpr Duration kPacketLatest = std::chrono::hours(3);

}  // namespace

std::string to_string(const Flags& flags) {
    std::string text = "(";
    for (const std::string& flag : flags) {
        text += (text.size() > 1 ? " " : "") + flag;
    }
    return text + ")";
}

Person::Person(World* world, Node* node, NodeAccount account)
    : world_(world), node_(node), account_(std::move(account)) {
    Dice dice = world_->dice(account_.name);
    address_ = net::IpAddress::v4({203, 0, static_cast<std::uint8_t>(node_->number()),
                                   static_cast<std::uint8_t>(1 + dice.below(250))});
    memory_ = std::make_unique<Memory>();
    memory_->is_pop3 = dice.chance(0.3);
    memory_->gives_orders =
        !node_->accounts().empty() && node_->accounts().front().name == account_.name;
}

Person::~Person() = default;

void Person::start() {
    net::Shard& outside = world_->outside();
    net::spawn(outside, "person.writes", write_letters(this));
    if (memory_->is_pop3) {
        net::spawn(outside, "person.reads_pop3", read_by_pop3(this));
    } else {
        net::spawn(outside, "person.reads_imap", read_by_imap(this));
        net::spawn(outside, "person.looks_on", look_on(this));
    }
    if (memory_->gives_orders) {
        net::spawn(outside, "person.orders", give_orders(this));
    }
}

bool Person::has_converged() const {
    return memory_->has_written && memory_->has_compared &&
           (memory_->has_released || !memory_->gives_orders);
}

std::string Person::state() const {
    return std::string(memory_->has_written ? "" : "is writing; ") +
           (memory_->has_compared ? "" : "is reading (" + memory_->doing + "); ") +
           (memory_->has_released || !memory_->gives_orders ? "" : "holds the queue");
}

Reach Person::choose_reach(Dice& dice) const {
    const double fraction = dice.fraction();
    // Handshakes are what costs a world most.
    return fraction < 0.75 ? Reach::Clear : fraction < 0.9 ? Reach::StartTls : Reach::Tls;
}

net::Task<Result<std::unique_ptr<net::Stream>>> Person::connect(flow::Protocol door, Reach reach) {
    // Programs of the node's own machine may say passwords in the clear; nobody else may.
    const net::IpAddress from =
        reach == Reach::Clear
            ? net::IpAddress::v4({127, 0, 0, static_cast<std::uint8_t>(node_->number())})
            : address_;
    net::ConnectRequest request;
    request.to = node_->door(door);
    request.deadline = world_->now() + kConnectPatience;
    net::Network* network = &world_->internet().from(0, from);
    std::unique_ptr<net::Stream> stream = CO_TRY(co_await network->connect(std::move(request)));
    if (reach == Reach::Tls) {
        stream->set_deadline(world_->now() + kHandshakePatience);
        net::TlsClientOptions options{
            .host = node_->hostname(), .verify = net::TlsVerify::Opportunistic, .alpn = {}};
        CO_TRY(co_await stream->start_tls_client(world_->tls_client(), std::move(options)));
    }
    co_return stream;
}

void Person::note(const std::string& what) {
    world_->trace().note(account_.name, what);
}

void Person::broken(const std::string& invariant, const std::string& what) {
    world_->ledger().broken(invariant, account_.name + ": " + what);
}

net::Task<void> Person::let_settle(MonoTime since) {
    const bool may_be_late = world_->swarm().stall > 0;
    const MonoTime until = world_->now() + (may_be_late ? kPacketLatest : kCommandLatest);
    while (world_->now() < until &&
           !world_->ledger().has_crashed(node_->hostname(), since, world_->now())) {
        co_await net::sleep_for(std::chrono::minutes(1));
    }
}

}  // namespace godwit::sim
