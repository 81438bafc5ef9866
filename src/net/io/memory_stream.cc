#include "net/io/memory_stream.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "net/io/channel_stream.h"

namespace godwit::net {

namespace {

/// Bytes on their way in one direction.
struct Pipe {
    std::string bytes;
    std::size_t taken = 0;  // Of `bytes`, already read.
    bool is_ended = false;
    List<Waiter> readers;
    List<Waiter> writers;

    [[nodiscard]] std::size_t waiting() const { return bytes.size() - taken; }
};

/// What the two ends share: each may die first.
struct Link {
    MemoryPairOptions options;
    std::array<Pipe, 2> pipes;  // pipes[e] is what end e writes.
    std::array<Shard*, 2> shards{};
    std::array<bool, 2> is_closed{};
    bool is_reset = false;

    void wake(List<Waiter>& queue, unsigned end) {
        while (Waiter* waiter = queue.pop_front()) {
            shards[end]->ready(*waiter);
        }
    }
    void wake_end(unsigned end) {
        wake(pipes[1 - end].readers, end);
        wake(pipes[end].writers, end);
    }
    void reset() {
        is_reset = true;
        wake_end(0);
        wake_end(1);
    }
};

class MemoryChannel final : public Channel {
public:
    MemoryChannel(std::shared_ptr<Link> link, unsigned end) : link_(std::move(link)), end_(end) {}
    ~MemoryChannel() override { close(); }

    IoStep read(std::span<char> buffer) override {
        Pipe& in = inward();
        IoStep step = peek();
        if (step.outcome != IoStep::Outcome::Done) {
            return step;
        }
        if (fault()) {
            return IoStep::failed(ECONNRESET);
        }
        std::size_t count = std::min({buffer.size(), in.waiting(), link_->options.chunk_max});
        std::copy_n(in.bytes.data() + in.taken, count, buffer.data());
        in.taken += count;
        if (in.waiting() == 0) {
            in.bytes.clear();
            in.taken = 0;
        }
        link_->wake(in.writers, 1 - end_);
        return IoStep::done(count);
    }
    IoStep peek() override {
        const Pipe& in = inward();
        if (is_closed() || link_->is_reset) {
            return IoStep::failed(ECONNRESET);
        }
        if (in.waiting() == 0 && !in.is_ended) {
            return IoStep::would_block(Direction::Read);
        }
        return IoStep::done(std::min<std::size_t>(in.waiting(), 1));
    }
    IoStep write(std::string_view bytes) override {
        Pipe& out = outward();
        if (is_closed() || link_->is_reset) {
            return IoStep::failed(ECONNRESET);
        }
        if (out.is_ended || link_->is_closed[1 - end_]) {
            return IoStep::failed(EPIPE);
        }
        std::size_t room =
            link_->options.buffer_size - std::min(out.waiting(), link_->options.buffer_size);
        std::size_t count = std::min({bytes.size(), room, link_->options.chunk_max});
        if (count == 0) {
            return IoStep::would_block(Direction::Write);
        }
        if (fault()) {
            return IoStep::failed(ECONNRESET);
        }
        out.bytes.erase(0, out.taken);
        out.taken = 0;
        out.bytes.append(bytes.substr(0, count));
        link_->wake(out.readers, 1 - end_);
        return IoStep::done(count);
    }
    void wait(Direction direction, Waiter& waiter) override {
        if (direction == Direction::Read && peek().outcome != IoStep::Outcome::WouldBlock) {
            link_->shards[end_]->ready(waiter);
            return;
        }
        (direction == Direction::Read ? inward().readers : outward().writers).push_back(waiter);
    }
    void wake() override { link_->wake_end(end_); }
    void shutdown_write() override {
        outward().is_ended = true;
        link_->wake(outward().readers, 1 - end_);
    }
    void close() override {
        if (!is_closed()) {
            link_->is_closed[end_] = true;
            shutdown_write();
            // The other end's writes fail from now on.
            link_->wake(inward().writers, 1 - end_);
        }
    }
    void reset() override {
        link_->reset();
        close();
    }
    bool needs_linger() const override { return false; }
    void detach() override {}
    Result<> attach(Shard& shard) override {
        link_->shards[end_] = &shard;
        return {};
    }
    const Endpoint& local() const override {
        return end_ == 0 ? link_->options.first : link_->options.second;
    }
    const Endpoint& peer() const override {
        return end_ == 0 ? link_->options.second : link_->options.first;
    }
    std::optional<PeerCredentials> credentials() const override {
        if (!link_->options.second.is_unix()) {
            return std::nullopt;
        }
        return PeerCredentials{};
    }

private:
    Pipe& inward() { return link_->pipes[1 - end_]; }
    Pipe& outward() { return link_->pipes[end_]; }
    [[nodiscard]] bool is_closed() const { return link_->is_closed[end_]; }
    bool fault() {
        if (link_->options.faults && link_->options.faults->step()) {
            link_->reset();
            return true;
        }
        return false;
    }
    std::shared_ptr<Link> link_;
    unsigned end_;
};

}  // namespace

std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> memory_stream_pair(
    Shard& a, Shard& b, MemoryPairOptions options) {
    auto link = std::make_shared<Link>();
    link->options = std::move(options);
    link->shards = {&a, &b};
    return {make_stream(std::make_unique<MemoryChannel>(link, 0U), a),
            make_stream(std::make_unique<MemoryChannel>(link, 1U), b)};
}

}  // namespace godwit::net
