#include "sim/peers/peer.h"

#include "sim/internet.h"
#include "sim/names.h"
#include "sim/peers/office.h"
#include "sim/peers/sender.h"
#include "sim/peers/session.h"
#include "sim/peers/traits.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

constexpr std::uint16_t kSmtpPort = 25;

net::Task<void> serve(Office* office, std::unique_ptr<net::Stream> stream, std::uint64_t seed) {
    Session session(office, std::move(stream), Dice(seed));
    co_await session.run();
}

}  // namespace

Peer::Peer(World* world, unsigned number)
    : world_(world),
      number_(number),
      dice_(world->dice("peer" + std::to_string(number))),
      domain_("peer" + std::to_string(number) + ".test"),
      nobody_("nobody@" + domain_) {
    // Somebody must be there whom mail can reach.
    traits_ = std::make_unique<Traits>(Traits::draw(dice_, world->swarm().peer_trait, number > 1));
    const std::size_t count = 1 + dice_.below(4);
    for (std::size_t i = 0; i < count; ++i) {
        users_.push_back("user" + std::to_string(i) + "@" + domain_);
    }
    office_ = std::make_unique<Office>(world, domain_, users_, *traits_);
    settle_hosts();
    const std::size_t senders = 1 + dice_.below(2);
    for (std::size_t i = 0; i < senders; ++i) {
        senders_.push_back(std::make_unique<Sender>(
            world,
            SenderOptions{.name = "peer" + std::to_string(number) + ".sender" + std::to_string(i),
                          .domain = domain_,
                          .users = users_,
                          .address = address(0, false, 0)}));
    }
}

Peer::~Peer() = default;

bool Peer::refuses_all() const {
    return traits_->has(Trait::RefusesAll) || traits_->has(Trait::NullMx);
}

std::string Peer::describe() const {
    return traits_->describe();
}

bool Peer::is_idle() const {
    for (const std::unique_ptr<Sender>& sender : senders_) {
        if (sender->is_busy()) {
            return false;
        }
    }
    return true;
}

void Peer::settle_hosts() {
    std::size_t count = 1 + dice_.below(2);
    if (traits_->has(Trait::ManyMx)) {
        count = 6;
    } else if (traits_->has(Trait::EqualMx) || traits_->has(Trait::LastMxAlive)) {
        count = 3;
    }
    for (std::size_t i = 0; i < count; ++i) {
        Host host;
        host.name = "mx" + std::to_string(i) + "." + domain_;
        host.preference = traits_->has(Trait::EqualMx) ? 10 : static_cast<unsigned>(10 * (i + 1));
        host.has_six = traits_->has(Trait::SixOnly) || dice_.chance(0.2);
        host.has_four = !traits_->has(Trait::SixOnly);
        if (traits_->has(Trait::ManyMx)) {
            // The fifth is the last that is tried in one attempt (F9).
            host.is_alive = i == 4;
        } else if (traits_->has(Trait::LastMxAlive)) {
            host.is_alive = i + 1 == count;
        }
        hosts_.push_back(std::move(host));
    }
}

net::IpAddress Peer::address(std::size_t host, bool is_six, unsigned place) const {
    const auto low = static_cast<std::uint8_t>(number_ * 8 + host);
    const auto third = static_cast<std::uint8_t>(33 + place % 200);
    if (!is_six) {
        return net::IpAddress::v4({11, 22, third, low});
    }
    return net::IpAddress::v6({0x26, 0x00, 0x00, 0x05, 0, 0, 0, 0, 0, 0, 0, third, 0, 0, 0, low});
}

std::vector<net::IpAddress> Peer::addresses(std::size_t host, unsigned place) const {
    std::vector<net::IpAddress> all;
    if (hosts_[host].has_six) {
        all.push_back(address(host, true, place));
    }
    if (hosts_[host].has_four) {
        all.push_back(address(host, false, place));
    }
    return all;
}

void Peer::publish() {
    std::vector<std::string> lines;
    const auto add_addresses = [this, &lines](const std::string& name, std::size_t host) {
        for (const net::IpAddress& at : addresses(host, place_)) {
            lines.push_back(name + (at.is_v6() ? " AAAA " : " A ") + at.to_string());
        }
    };
    if (traits_->has(Trait::NullMx)) {
        lines.push_back(domain_ + " MX 0 .");
    } else if (traits_->has(Trait::NoMx)) {
        add_addresses(domain_, hosts_.size() - 1);
    } else {
        for (std::size_t i = 0; i < hosts_.size(); ++i) {
            const Host& host = hosts_[i];
            std::string name = host.name;
            if (traits_->has(Trait::AliasMx)) {
                name = "alias" + std::to_string(i) + "." + domain_;
                lines.push_back(name + " CNAME " + host.name);
            }
            lines.push_back(domain_ + " MX " + std::to_string(host.preference) + " " + name);
            add_addresses(host.name, i);
        }
    }
    world_->names().set(domain_, lines);
}

void Peer::open_door(const net::IpAddress& at) {
    if (doors_.contains(at)) {
        return;
    }
    Result<std::unique_ptr<net::Listener>> door = world_->internet().from(0, at).listen(
        net::Endpoint(at, kSmtpPort), {.name = domain_},
        [this](std::unique_ptr<net::Stream> stream) {
            net::Shard& shard = stream->shard();
            net::spawn(shard, domain_ + ".session",
                       serve(office_.get(), std::move(stream), dice_.u64()));
        });
    check(door.has_value(), "every host has an address of its own");
    doors_.emplace(at, std::move(*door));
}

void Peer::open_doors() {
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
        for (const net::IpAddress& at : addresses(i, place_)) {
            if (!hosts_[i].is_alive && !world_->is_calm()) {
                // A dead host refuses, or nobody hears from it.
                if (dice_.chance(0.5)) {
                    world_->internet().set_dead(at, true);
                    dead_[at] = true;
                }
                continue;
            }
            open_door(at);
        }
    }
}

void Peer::start() {
    world_->trace().note(domain_, describe());
    open_doors();
    publish();
    if (traits_->has(Trait::Dead)) {
        net::spawn(world_->outside(), domain_ + ".death", die_now_and_then());
    }
    for (const std::unique_ptr<Sender>& sender : senders_) {
        net::spawn(world_->outside(), domain_ + ".sender", sender->live());
    }
}

void Peer::shut(bool hangs) {
    is_down_ = true;
    for (const auto& [at, door] : doors_) {
        if (hangs) {
            world_->internet().set_dead(at, true);
            dead_[at] = true;
        }
    }
    if (!hangs) {
        doors_.clear();
    }
}

net::Task<void> Peer::die_now_and_then() {
    while (!world_->is_calm()) {
        co_await net::sleep_for(dice_.about(hours(12)));
        if (world_->is_calm()) {
            break;
        }
        const bool hangs = dice_.chance(0.5);
        world_->trace().note(domain_, hangs ? "hangs" : "refuses all connections");
        world_->count("peers: deaths");
        shut(hangs);
        co_await net::sleep_for(dice_.chance(0.8) ? dice_.about(hours(5)) : dice_.about(days(2)));
        if (is_down_) {
            become_calm();
            world_->trace().note(domain_, "is back");
        }
    }
}

// All that lives is open again.
void Peer::become_calm() {
    is_down_ = false;
    for (const auto& [at, is_dead] : dead_) {
        world_->internet().set_dead(at, false);
    }
    dead_.clear();
    open_doors();
    publish();
}

void Peer::move() {
    if (is_down_ || world_->is_calm()) {
        return;
    }
    world_->trace().note(domain_, "moves");
    world_->count("peers: moves");
    const unsigned before = place_++;
    open_doors();
    net::spawn(world_->outside(), domain_ + ".move", follow_with_names(before));
}

// For a while the names lead to the old place, where somebody answers still or nobody any more.
net::Task<void> Peer::follow_with_names(unsigned place) {
    const auto leave = [this, place] {
        for (std::size_t i = 0; i < hosts_.size(); ++i) {
            for (const net::IpAddress& at : addresses(i, place)) {
                doors_.erase(at);
            }
        }
    };
    const bool leaves_first = dice_.chance(0.5);
    if (leaves_first) {
        leave();
    }
    co_await net::sleep_for(dice_.between(minutes(1), hours(2)));
    publish();
    if (!leaves_first) {
        co_await net::sleep_for(dice_.between(minutes(1), hours(1)));
        leave();
    }
}

}  // namespace godwit::sim
