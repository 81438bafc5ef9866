#include "sim/internet.h"

#include <cerrno>
#include <deque>

#include "net/io/channel_stream.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

constexpr std::size_t kWindow = 64 * 1024;  // Octets on their way or unread, per direction.
// A connection that goes silent is noticed by whoever has something to say and no answer.
constexpr Duration kRetransmitLatest = std::chrono::hours(1);

}  // namespace

struct Internet::State {
    struct Door {
        std::uint64_t id = 0;
        PlaceNumber place = 0;
        net::AcceptHandler handler;
    };
    struct Place {
        std::vector<net::Shard*> shards;
        std::size_t next_shard = 0;
        bool is_frozen = false;
        std::optional<End> gone;
    };
    class Link;

    explicit State(World* with) : world(with), dice(with->dice("internet")) {}

    World* world;
    Dice dice;
    std::map<net::Endpoint, Door> doors;
    std::map<PlaceNumber, Place> places;
    std::map<net::IpAddress, bool> dead;
    std::set<Link*, bool (*)(const Link*, const Link*)> links{older};
    std::uint64_t next_id = 1;
    std::uint16_t next_port = 20000;
    std::map<std::pair<PlaceNumber, net::IpAddress>, std::unique_ptr<net::Network>> views;

    static bool older(const Link* a, const Link* b);
    [[nodiscard]] bool is_calm() const { return world->is_calm(); }
    [[nodiscard]] bool has_bad_luck(double probability) {
        return probability > 0 && !is_calm() && dice.chance(probability);
    }
    Duration latency() {
        const Swarm& swarm = world->swarm();
        return is_calm() ? swarm.latency_least
                         : dice.between(swarm.latency_least, swarm.latency_most);
    }
    [[nodiscard]] bool is_dead(const net::IpAddress& address) const {
        const auto found = dead.find(address);
        return found != dead.end() && found->second;
    }
};

/// One connection. Its two channels own it; the state only lists it.
class Internet::State::Link {
public:
    Link(std::shared_ptr<State> state, std::array<PlaceNumber, 2> places,
         std::array<net::Endpoint, 2> ends, std::array<net::Shard*, 2> shards)
        : state_(std::move(state)),
          id_(state_->next_id++),
          places_(places),
          ends_(std::move(ends)),
          shards_(shards) {
        state_->links.insert(this);
    }
    ~Link() { state_->links.erase(this); }
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    [[nodiscard]] std::uint64_t id() const { return id_; }
    [[nodiscard]] bool has_end_at(PlaceNumber place) const {
        return places_[0] == place || places_[1] == place;
    }
    [[nodiscard]] bool has_end_at(const net::IpAddress& address) const {
        return (!ends_[0].is_unix() && ends_[0].address() == address) ||
               (!ends_[1].is_unix() && ends_[1].address() == address);
    }
    [[nodiscard]] const net::Endpoint& end(unsigned which) const { return ends_[which]; }

    net::IoStep read(unsigned me, std::span<char> buffer) {
        const net::IoStep step = peek(me);
        if (step.outcome != net::IoStep::Outcome::Done) {
            return step;
        }
        Pipe& in = pipes_[1 - me];
        const std::size_t count = std::min(buffer.size(), in.arrived.size());
        std::copy_n(in.arrived.data(), count, buffer.data());
        in.arrived.erase(0, count);
        in.octets -= count;
        if (count != 0) {
            wake(in.writers, 1 - me);
        }
        return net::IoStep::done(count);
    }
    net::IoStep peek(unsigned me) {
        const Pipe& in = pipes_[1 - me];
        if (is_closed_[me]) {
            return net::IoStep::failed(ECONNRESET);
        }
        if (!in.arrived.empty()) {
            return net::IoStep::done(1);
        }
        if (in.is_reset) {
            return net::IoStep::failed(ECONNRESET);
        }
        return in.is_ended ? net::IoStep::done(0) : net::IoStep::would_block(net::Direction::Read);
    }
    net::IoStep write(unsigned me, std::string_view bytes) {
        Pipe& out = pipes_[me];
        if (is_closed_[me] || pipes_[1 - me].is_reset) {
            return net::IoStep::failed(ECONNRESET);
        }
        if (out.is_ended_here) {
            return net::IoStep::failed(EPIPE);
        }
        if (state_->places[places_[me]].is_frozen) {
            return net::IoStep::done(bytes.size());
        }
        const std::size_t room = kWindow - std::min(out.octets, kWindow);
        if (room == 0) {
            return net::IoStep::would_block(net::Direction::Write);
        }
        if (state_->has_bad_luck(state_->world->swarm().reset)) {
            state_->world->count("connections broken");
            break_here(me);
            return net::IoStep::failed(ECONNRESET);
        }
        const std::size_t count = std::min(room, bytes.size());
        if (!is_silent_) {
            send(me, {.at = {}, .bytes = std::string(bytes.substr(0, count))});
        }
        out.octets += count;
        return net::IoStep::done(count);
    }
    void wait(unsigned me, net::Direction direction, net::Waiter& waiter) {
        if (direction == net::Direction::Read &&
            peek(me).outcome != net::IoStep::Outcome::WouldBlock) {
            shards_[me]->ready(waiter);
            return;
        }
        (direction == net::Direction::Read ? pipes_[1 - me].readers : pipes_[me].writers)
            .push_back(waiter);
    }
    void wake_end(unsigned me) {
        wake(pipes_[1 - me].readers, me);
        wake(pipes_[me].writers, me);
    }
    void shutdown_write(unsigned me) {
        Pipe& out = pipes_[me];
        if (!out.is_ended_here) {
            out.is_ended_here = true;
            if (!is_silent_ && !state_->places[places_[me]].is_frozen) {
                send(me, {.at = {}, .bytes = "", .is_end = true});
            }
        }
    }
    void close(unsigned me) {
        if (!is_closed_[me]) {
            shutdown_write(me);
            is_closed_[me] = true;
            wake_end(me);
        }
    }
    void reset(unsigned me) {
        if (!is_closed_[me]) {
            is_closed_[me] = true;
            pipes_[me].is_ended_here = true;
            if (!is_silent_ && !state_->places[places_[me]].is_frozen) {
                send(me, {.at = {}, .bytes = "", .is_end = true, .is_reset = true});
            }
            wake_end(me);
        }
    }
    void move(unsigned me, net::Shard* shard) { shards_[me] = shard; }

    /// The place at one end is gone: what it had sent is on its way still, after a power cut only
    /// some of it.
    void lose(PlaceNumber place, End how) {
        for (const unsigned me : {0U, 1U}) {
            if (places_[me] != place) {
                continue;
            }
            is_closed_[me] = true;
            Pipe& out = pipes_[me];
            if (how == End::Silence) {
                is_silent_ = true;
                while (!out.in_flight.empty() && state_->dice.chance(0.5)) {
                    out.in_flight.pop_back();
                }
            } else if (!out.is_ended_here) {
                send(me,
                     {.at = {}, .bytes = "", .is_end = true, .is_reset = state_->dice.chance(0.5)});
            }
            out.is_ended_here = true;
        }
    }
    void go_silent() { is_silent_ = true; }

private:
    struct Packet {
        MonoTime at{};
        std::string bytes;
        bool is_end = false;
        bool is_reset = false;
    };
    struct Pipe {
        std::deque<Packet> in_flight;
        MonoTime last{};
        net::Timer timer;
        std::string arrived;
        std::size_t octets = 0;  // In flight and arrived.
        bool is_ended_here = false;
        bool is_ended = false;  // As the reader sees it.
        bool is_reset = false;
        net::List<net::Waiter> readers;
        net::List<net::Waiter> writers;
    };

    void wake(net::List<net::Waiter>& queue, unsigned end) {
        while (net::Waiter* waiter = queue.pop_front()) {
            shards_[end]->ready(*waiter);
        }
    }
    void send(unsigned me, Packet packet) {
        Pipe& out = pipes_[me];
        packet.at = std::max(state_->world->now() + state_->latency(), out.last);
        if (state_->has_bad_luck(state_->world->swarm().stall)) {
            state_->world->count("connections stalled");
            packet.at += state_->dice.between(Duration{}, kRetransmitLatest);
        }
        out.last = packet.at;
        out.in_flight.push_back(std::move(packet));
        if (out.in_flight.size() == 1) {
            arm(me);
        }
    }
    void arm(unsigned me) {
        Pipe& out = pipes_[me];
        out.timer =
            state_->world->outside().call_at(out.in_flight.front().at, [this, me] { arrive(me); });
    }
    void arrive(unsigned me) {
        Pipe& out = pipes_[me];
        const MonoTime now = state_->world->now();
        while (!out.in_flight.empty() && out.in_flight.front().at <= now) {
            Packet packet = std::move(out.in_flight.front());
            out.in_flight.pop_front();
            out.arrived += packet.bytes;
            out.is_ended = out.is_ended || packet.is_end;
            out.is_reset = out.is_reset || packet.is_reset;
        }
        if (!out.in_flight.empty()) {
            arm(me);
        }
        if (!is_closed_[1 - me]) {
            wake(out.readers, 1 - me);
            wake(pipes_[1 - me].writers, 1 - me);
        }
    }
    void break_here(unsigned me) {
        is_closed_[me] = true;
        pipes_[me].is_ended_here = true;
        // Some of what was on its way may still come.
        while (!pipes_[me].in_flight.empty() && state_->dice.chance(0.3)) {
            pipes_[me].in_flight.pop_back();
        }
        send(me, {.at = {}, .bytes = "", .is_end = true, .is_reset = true});
        wake_end(me);
    }

    std::shared_ptr<State> state_;  // Two lifetimes: connections may die after the Internet.
    std::uint64_t id_;
    std::array<PlaceNumber, 2> places_;
    std::array<net::Endpoint, 2> ends_;
    std::array<net::Shard*, 2> shards_;
    std::array<Pipe, 2> pipes_;  // pipes_[e] is what end e writes.
    std::array<bool, 2> is_closed_{};
    bool is_silent_ = false;
};

bool Internet::State::older(const Link* a, const Link* b) {
    return a->id() < b->id();
}

namespace {

using Link = Internet::State::Link;

class LinkChannel final : public net::Channel {
public:
    LinkChannel(std::shared_ptr<Link> link, unsigned me) : link_(std::move(link)), me_(me) {}
    ~LinkChannel() override { link_->close(me_); }
    LinkChannel(const LinkChannel&) = delete;
    LinkChannel& operator=(const LinkChannel&) = delete;

    net::IoStep read(std::span<char> buffer) override { return link_->read(me_, buffer); }
    net::IoStep peek() override { return link_->peek(me_); }
    net::IoStep write(std::string_view bytes) override { return link_->write(me_, bytes); }
    void wait(net::Direction direction, net::Waiter& waiter) override {
        link_->wait(me_, direction, waiter);
    }
    void wake() override { link_->wake_end(me_); }
    void shutdown_write() override { link_->shutdown_write(me_); }
    void close() override { link_->close(me_); }
    void reset() override { link_->reset(me_); }
    [[nodiscard]] bool needs_linger() const override { return true; }
    void detach() override {}
    Result<> attach(net::Shard& shard) override {
        link_->move(me_, &shard);
        return {};
    }
    [[nodiscard]] const net::Endpoint& local() const override { return link_->end(me_); }
    [[nodiscard]] const net::Endpoint& peer() const override { return link_->end(1 - me_); }
    [[nodiscard]] std::optional<net::PeerCredentials> credentials() const override {
        return std::nullopt;
    }

private:
    std::shared_ptr<Link> link_;  // Two lifetimes: the two ends.
    unsigned me_;
};

class OpenDoor final : public net::Listener {
public:
    OpenDoor(std::shared_ptr<Internet::State> state, net::Endpoint at, std::uint64_t id)
        : state_(std::move(state)), at_(std::move(at)), id_(id) {}
    ~OpenDoor() override { stop(); }
    OpenDoor(const OpenDoor&) = delete;
    OpenDoor& operator=(const OpenDoor&) = delete;
    [[nodiscard]] const net::Endpoint& local() const override { return at_; }
    void stop() override {
        const auto found = state_->doors.find(at_);
        if (found != state_->doors.end() && found->second.id == id_) {
            state_->doors.erase(found);
        }
    }

private:
    std::shared_ptr<Internet::State> state_;  // Two lifetimes: doors may close after the Internet.
    net::Endpoint at_;
    std::uint64_t id_;
};

std::unexpected<Error> not_connected(const net::Endpoint& to, ErrorCode code,
                                     std::string_view why) {
    return temporary_error(code, "connecting to " + to.to_string() + ": " + std::string(why));
}

class View final : public net::Network {
public:
    View(Internet::State* state, PlaceNumber place, net::IpAddress address)
        : state_(state), place_(place), address_(address) {}

    net::Task<Result<std::unique_ptr<net::Stream>>> connect(net::ConnectRequest request) override {
        // Values of this frame only across the waits: the view lives as long as the world.
        const net::Endpoint to = request.to;
        const Swarm& swarm = state_->world->swarm();
        const bool hangs = state_->has_bad_luck(swarm.connect_hangs) || is_unreachable(to);
        const bool refuses = state_->has_bad_luck(swarm.connect_refused);
        co_await net::sleep_for(state_->latency());
        const auto door = state_->doors.find(to);
        if (hangs || (door != state_->doors.end() && is_gone_silently(door->second.place))) {
            co_await net::sleep_until(request.deadline);
            co_return not_connected(to, ErrorCode::Timeout, "timed out");
        }
        if (refuses || door == state_->doors.end() ||
            state_->places[door->second.place].gone.has_value() ||
            state_->places[door->second.place].is_frozen) {
            co_return not_connected(to, ErrorCode::Unavailable, "connection refused");
        }
        Internet::State::Place& there = state_->places[door->second.place];
        net::Shard* const target = there.shards[there.next_shard++ % there.shards.size()];
        const net::Endpoint from(request.source.value_or(address_), state_->next_port++);
        auto shared = door_state();
        auto link =
            std::make_shared<Link>(shared, std::array<PlaceNumber, 2>{place_, door->second.place},
                                   std::array<net::Endpoint, 2>{from, to},
                                   std::array<net::Shard*, 2>{&net::Shard::here(), target});
        target->post([handler = door->second.handler, link, target]() mutable {
            handler(net::make_stream(std::make_unique<LinkChannel>(std::move(link), 1U), *target));
        });
        co_return net::make_stream(std::make_unique<LinkChannel>(link, 0U), net::Shard::here());
    }
    Result<std::unique_ptr<net::Listener>> listen(const net::Endpoint& at,
                                                  net::ListenOptions options,
                                                  net::AcceptHandler handler) override {
        const std::uint64_t id = state_->next_id++;
        const auto [door, is_new] = state_->doors.try_emplace(
            at, Internet::State::Door{.id = id, .place = place_, .handler = std::move(handler)});
        if (!is_new) {
            return internal_error(ErrorCode::AlreadyExists,
                                  options.name + ": " + at.to_string() + " is in use");
        }
        return std::make_unique<OpenDoor>(door_state(), at, id);
    }
    void keep(std::weak_ptr<Internet::State> state) { shared_ = std::move(state); }

private:
    [[nodiscard]] std::shared_ptr<Internet::State> door_state() const { return shared_.lock(); }
    [[nodiscard]] bool is_unreachable(const net::Endpoint& to) const {
        return !to.is_unix() && state_->is_dead(to.address());
    }
    [[nodiscard]] bool is_gone_silently(PlaceNumber place) const {
        return state_->places[place].gone == Internet::End::Silence;
    }
    Internet::State* state_;
    std::weak_ptr<Internet::State> shared_;
    PlaceNumber place_;
    net::IpAddress address_;
};

}  // namespace

Internet::Internet(World* world) : state_(std::make_shared<State>(world)) {}
Internet::~Internet() = default;

void Internet::settle(PlaceNumber place, std::vector<net::Shard*> shards) {
    state_->places[place].shards = std::move(shards);
}

net::Network& Internet::from(PlaceNumber place, net::IpAddress address) {
    std::unique_ptr<net::Network>& view = state_->views[{place, address}];
    if (view == nullptr) {
        auto fresh = std::make_unique<View>(state_.get(), place, address);
        fresh->keep(state_);
        view = std::move(fresh);
    }
    return *view;
}

void Internet::freeze(PlaceNumber place) {
    state_->places[place].is_frozen = true;
}

void Internet::cut(PlaceNumber place, End end) {
    State::Place& there = state_->places[place];
    there.gone = end;
    for (State::Link* link : state_->links) {
        if (link->has_end_at(place)) {
            link->lose(place, end);
        }
    }
    std::erase_if(state_->doors, [&](const auto& door) {
        return door.second.place == place && end == End::Reset;
    });
}

void Internet::thaw(PlaceNumber place) {
    State::Place& there = state_->places[place];
    there.is_frozen = false;
    there.gone.reset();
    std::erase_if(state_->doors, [&](const auto& door) { return door.second.place == place; });
}

void Internet::set_dead(net::IpAddress address, bool is_dead) {
    state_->dead[address] = is_dead;
    if (is_dead) {
        for (State::Link* link : state_->links) {
            if (link->has_end_at(address)) {
                link->go_silent();
            }
        }
    }
}

}  // namespace godwit::sim
