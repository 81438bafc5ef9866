#include "net/io/memory_network.h"

#include <utility>

namespace godwit::net {

struct MemoryNetwork::State {
    struct Door {
        std::uint64_t id;
        AcceptHandler handler;
    };
    TestLoop* loop;
    std::map<Endpoint, Door> doors;
    std::map<Endpoint, Behaviour> behaviours;
    IpAddress client_address = IpAddress::loopback_v4();
    MemoryPairOptions pair_options;
    std::shared_ptr<MemoryFaults> faults = std::make_shared<MemoryFaults>();
    std::uint64_t next_id = 1;
    std::uint16_t next_port = 40000;
    unsigned next_shard = 0;

    const Door* door_for(const Endpoint& to) const {
        auto exact = doors.find(to);
        if (exact != doors.end() || to.is_unix()) {
            return exact == doors.end() ? nullptr : &exact->second;
        }
        IpAddress any = to.address().network(0);
        auto wide = doors.find(Endpoint(any, to.port()));
        return wide == doors.end() ? nullptr : &wide->second;
    }
};

namespace {

class MemoryListener final : public Listener {
public:
    MemoryListener(Endpoint local, std::function<void()> stop)
        : local_(std::move(local)), stop_(std::move(stop)) {}
    ~MemoryListener() override { stop_(); }
    const Endpoint& local() const override { return local_; }
    void stop() override { stop_(); }

private:
    Endpoint local_;
    std::function<void()> stop_;
};

std::unexpected<Error> refused(const Endpoint& to, std::string_view why) {
    return temporary_error(ErrorCode::Unavailable,
                           "connecting to " + to.to_string() + ": " + std::string(why));
}

}  // namespace

MemoryNetwork::MemoryNetwork(TestLoop* loop) : state_(std::make_shared<State>()) {
    state_->loop = loop;
}
MemoryNetwork::~MemoryNetwork() = default;

void MemoryNetwork::set_behaviour(const Endpoint& at, Behaviour behaviour) {
    state_->behaviours[at] = behaviour;
}
void MemoryNetwork::set_client_address(IpAddress address) {
    state_->client_address = address;
}
void MemoryNetwork::set_pair_options(MemoryPairOptions options) {
    state_->pair_options = std::move(options);
}
MemoryFaults& MemoryNetwork::faults() {
    return *state_->faults;
}

Result<std::unique_ptr<Listener>> MemoryNetwork::listen(const Endpoint& at, ListenOptions options,
                                                        AcceptHandler handler) {
    Endpoint local = at;
    if (!at.is_unix() && at.port() == 0) {
        local = Endpoint(at.address(), state_->next_port++);
    }
    std::uint64_t id = state_->next_id++;
    auto [door, is_new] = state_->doors.try_emplace(local, State::Door{id, std::move(handler)});
    if (!is_new) {
        return internal_error(ErrorCode::AlreadyExists,
                              options.name + ": " + local.to_string() + " is in use");
    }
    auto stop = [state = state_, local, id] {
        auto found = state->doors.find(local);
        if (found != state->doors.end() && found->second.id == id) {
            state->doors.erase(found);
        }
    };
    return std::make_unique<MemoryListener>(local, std::move(stop));
}

Task<Result<std::unique_ptr<Stream>>> MemoryNetwork::connect(ConnectRequest request) {
    auto state = state_;
    auto configured = state->behaviours.find(request.to);
    Behaviour behaviour =
        configured == state->behaviours.end() ? Behaviour::Accept : configured->second;
    if (behaviour == Behaviour::Hang) {
        co_await sleep_until(request.deadline);
        co_return temporary_error(ErrorCode::Timeout,
                                  "connecting to " + request.to.to_string() + ": timed out");
    }
    if (state->faults->step() || behaviour == Behaviour::Unreachable) {
        co_return refused(request.to, "no route to host");
    }
    const State::Door* door = state->door_for(request.to);
    if (behaviour == Behaviour::Refuse || (door == nullptr && behaviour != Behaviour::Drop)) {
        co_return refused(request.to, "connection refused");
    }
    MemoryPairOptions options = state->pair_options;
    IpAddress from = request.source.value_or(state->client_address);
    options.first =
        request.to.is_unix() ? Endpoint::unix_path("") : Endpoint(from, state->next_port++);
    options.second = request.to;
    options.faults = state->faults;
    Shard& target = state->loop->shard(state->next_shard++ % state->loop->size());
    auto pair = memory_stream_pair(Shard::here(), target, std::move(options));
    if (behaviour == Behaviour::Accept) {
        target.post([handler = door->handler, stream = std::move(pair.second)]() mutable {
            handler(std::move(stream));
        });
    }
    co_return std::move(pair.first);
}

}  // namespace godwit::net
