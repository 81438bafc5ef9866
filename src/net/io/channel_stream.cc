// One watchdog a stream: a timer that is armed only while something waits, and looks at one time
// point when it fires, so that moving the deadline costs nothing.
#include "net/io/channel_stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/limits.h"
#include "base/metrics.h"
#include "net/tls/layer.h"

namespace godwit::net {

Error io_error(std::string_view doing, int error_number) {
    bool is_closed = error_number == ECONNRESET || error_number == EPIPE ||
                     error_number == ECONNABORTED || error_number == ENOTCONN;
    return Error{ErrorKind::Temporary, is_closed ? ErrorCode::Closed : ErrorCode::Io,
                 std::string(doing) + ": " + strerrordesc_np(error_number)};
}

namespace {

class ChannelStream final : public Stream {
public:
    ChannelStream(std::unique_ptr<Channel> channel, Shard& shard)
        : channel_(std::move(channel)), shard_(&shard) {}

    Task<Result<Readiness>> wait_readable() override;
    void interrupt() override;
    Task<Result<std::size_t>> read_some(std::span<char> buffer) override;
    Task<Result<>> write_all(std::string_view bytes) override;
    Result<bool> has_input() override;
    void set_deadline(MonoTime at) override;
    Task<Result<>> start_tls_server(const TlsServerContext* context) override;
    Task<Result<>> start_tls_client(const TlsClientContext* context,
                                    TlsClientOptions options) override;
    const TlsSession* tls() const override { return is_secured_ ? tls_.get() : nullptr; }
    Task<Result<>> shutdown_write() override;
    Task<void> close() override;
    void abort() override;
    const Endpoint& peer() const override { return channel_->peer(); }
    const Endpoint& local() const override { return channel_->local(); }
    std::optional<PeerCredentials> credentials() const override { return channel_->credentials(); }
    Task<Result<>> move_to(Shard* target) override;
    Shard& shard() const override { return *shard_; }

private:
    /// Suspends until the channel may be ready, the deadline comes, or somebody wakes the stream.
    class Wait {
    public:
        Wait(ChannelStream* stream, Direction direction) : stream_(stream), direction_(direction) {}
        Wait(const Wait&) = delete;
        Wait& operator=(const Wait&) = delete;
        ~Wait() { leave(); }
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> handle) {
            waiter_.handle = handle;
            is_waiting_ = true;
            ++stream_->waits_;
            stream_->channel_->wait(direction_, waiter_);
            stream_->arm_watchdog();
        }
        void await_resume() { leave(); }

    private:
        void leave() {
            if (is_waiting_) {
                is_waiting_ = false;
                --stream_->waits_;
            }
        }
        ChannelStream* stream_;
        Direction direction_;
        bool is_waiting_ = false;
        Waiter waiter_;
    };

    /// That wait_readable() waits, and not an operation that has begun.
    class AwaitingInput {
    public:
        explicit AwaitingInput(bool* flag) : flag_(flag) { *flag_ = true; }
        AwaitingInput(const AwaitingInput&) = delete;
        AwaitingInput& operator=(const AwaitingInput&) = delete;
        ~AwaitingInput() { *flag_ = false; }

    private:
        bool* flag_;
    };

    [[nodiscard]] bool is_overdue() const {
        return deadline_ != kNever && shard_->now() >= deadline_;
    }
    static Error overdue() {
        return Error{ErrorKind::Temporary, ErrorCode::Timeout, "the deadline passed"};
    }
    Result<> usable();
    void arm_watchdog();
    void watchdog_fired();
    std::unexpected<Error> die(Error error);
    std::unexpected<Error> step_failed(std::string_view doing, const IoStep& step);
    Task<Result<>> handshake();
    Task<void> linger();
    IoStep read_step(std::span<char> buffer) {
        return tls_ ? tls_->read(buffer) : channel_->read(buffer);
    }
    IoStep peek_step() { return tls_ ? tls_->peek() : channel_->peek(); }
    IoStep write_step(std::string_view bytes) {
        return tls_ ? tls_->write(bytes) : channel_->write(bytes);
    }

    std::unique_ptr<Channel> channel_;
    std::unique_ptr<TlsLayer> tls_;
    Shard* shard_;
    MonoTime deadline_ = kNever;
    MonoTime armed_at_ = kNever;
    Timer watchdog_;
    std::unique_ptr<Error> dead_;
    std::unique_ptr<Error> write_error_;  ///< Nothing more can be written; reading may go on.
    unsigned waits_ = 0;
    unsigned reads_without_wait_ = 0;
    bool is_drained_ = false;  ///< The last read took all that was there.
    bool is_interrupted_ = false;
    bool is_awaiting_input_ = false;
    bool is_secured_ = false;
    bool is_write_shut_ = false;
};

// --- deadline and death -----------------------------------------------------------------------

void ChannelStream::arm_watchdog() {
    if (deadline_ < armed_at_) {
        armed_at_ = deadline_;
        watchdog_ = shard_->call_at(deadline_, [this] { watchdog_fired(); });
    }
}

void ChannelStream::watchdog_fired() {
    armed_at_ = kNever;
    if (waits_ == 0) {
        return;  // The next wait arms it again.
    }
    if (shard_->now() < deadline_) {
        arm_watchdog();
        return;
    }
    if (is_awaiting_input_ && waits_ == 1) {
        channel_->wake();
        return;
    }
    (void)die(overdue());
}

void ChannelStream::set_deadline(MonoTime at) {
    deadline_ = at;
    if (waits_ > 0) {
        arm_watchdog();
    }
}

Result<> ChannelStream::usable() {
    if (dead_) {
        return std::unexpected(*dead_);
    }
    if (is_overdue()) {
        return die(overdue());
    }
    return {};
}

std::unexpected<Error> ChannelStream::die(Error error) {
    if (!dead_) {
        dead_ = std::make_unique<Error>(std::move(error));
        channel_->wake();
    }
    return std::unexpected(*dead_);
}

std::unexpected<Error> ChannelStream::step_failed(std::string_view doing, const IoStep& step) {
    if (tls_ && step.error == 0) {
        return die(tls_->failure(doing));
    }
    return die(io_error(doing, step.error));
}

// --- reading and writing ----------------------------------------------------------------------

Task<Result<std::size_t>> ChannelStream::read_some(std::span<char> buffer) {
    check(!buffer.empty(), "a read has room for a byte");
    for (;;) {
        CO_TRY(usable());
        IoStep step = read_step(buffer);
        if (step.outcome == IoStep::Outcome::Failed) {
            co_return step_failed("reading", step);
        }
        if (step.outcome == IoStep::Outcome::Done) {
            is_drained_ = tls_ == nullptr && step.count < buffer.size();
            // A peer that always has more must not keep the shard to itself.
            if (++reads_without_wait_ >= limits::stream_reads_in_turn_max) {
                reads_without_wait_ = 0;
                co_await yield_now{};
            }
            co_return step.count;
        }
        reads_without_wait_ = 0;
        co_await Wait(this, step.wait);
    }
}

Task<Result<Readiness>> ChannelStream::wait_readable() {
    const AwaitingInput awaiting(&is_awaiting_input_);
    for (;;) {
        if (!dead_ && is_overdue()) {
            co_return std::unexpected(overdue());
        }
        CO_TRY(usable());
        if (is_interrupted_) {
            is_interrupted_ = false;
            co_return Readiness::Interrupted;
        }
        // After a short read there is most likely nothing: the wait itself looks. After the wait it
        // must be looked at: readiness may be of octets that were read meanwhile.
        const IoStep step = is_drained_ ? IoStep::would_block(Direction::Read) : peek_step();
        is_drained_ = false;
        if (step.outcome == IoStep::Outcome::Failed) {
            co_return step_failed("reading", step);
        }
        if (step.outcome != IoStep::Outcome::WouldBlock) {
            co_return Readiness::Readable;
        }
        reads_without_wait_ = 0;
        co_await Wait(this, step.wait);
    }
}

void ChannelStream::interrupt() {
    is_interrupted_ = true;
    channel_->wake();
}

Result<bool> ChannelStream::has_input() {
    TRY(usable());
    IoStep step = peek_step();
    if (step.outcome == IoStep::Outcome::Failed) {
        return step_failed("reading", step);
    }
    return step.outcome == IoStep::Outcome::Done;
}

Task<Result<>> ChannelStream::write_all(std::string_view bytes) {
    check(!is_write_shut_, "nothing is written after shutdown_write");
    while (!bytes.empty()) {
        CO_TRY(usable());
        if (write_error_) {
            co_return std::unexpected(*write_error_);
        }
        IoStep step = write_step(bytes);
        if (step.outcome == IoStep::Outcome::Failed && tls_ == nullptr) {
            // What the peer said before it hung up is still there to be read.
            write_error_ = std::make_unique<Error>(io_error("writing", step.error));
            co_return std::unexpected(*write_error_);
        }
        if (step.outcome == IoStep::Outcome::Failed) {
            co_return step_failed("writing", step);
        }
        if (step.outcome == IoStep::Outcome::Done) {
            bytes.remove_prefix(step.count);
            continue;
        }
        co_await Wait(this, step.wait);
    }
    co_return Result<>();
}

// --- TLS --------------------------------------------------------------------------------------

Task<Result<>> ChannelStream::start_tls_server(const TlsServerContext* context) {
    CO_TRY(usable());
    check(tls_ == nullptr, "TLS starts once");
    tls_ = TlsLayer::server(*context, channel_.get());
    is_drained_ = false;
    co_return co_await handshake();
}

Task<Result<>> ChannelStream::start_tls_client(const TlsClientContext* context,
                                               TlsClientOptions options) {
    CO_TRY(usable());
    check(tls_ == nullptr, "TLS starts once");
    auto layer = TlsLayer::client(*context, options, channel_.get());
    if (!layer) {
        co_return die(std::move(layer).error());
    }
    tls_ = std::move(*layer);
    is_drained_ = false;
    co_return co_await handshake();
}

Task<Result<>> ChannelStream::handshake() {
    for (;;) {
        CO_TRY(usable());
        IoStep step = tls_->handshake();
        if (step.outcome == IoStep::Outcome::Done) {
            is_secured_ = true;
            count(Metric::TlsHandshakes);
            co_return Result<>();
        }
        if (step.outcome == IoStep::Outcome::Failed) {
            count(Metric::TlsHandshakeFailures);
            co_return step_failed("TLS handshake", step);
        }
        co_await Wait(this, step.wait);
    }
}

// --- ending -----------------------------------------------------------------------------------

Task<Result<>> ChannelStream::shutdown_write() {
    while (!is_write_shut_) {
        CO_TRY(usable());
        IoStep step = is_secured_ ? tls_->shutdown() : IoStep::done(0);
        if (step.outcome == IoStep::Outcome::Failed) {
            co_return step_failed("closing", step);
        }
        if (step.outcome == IoStep::Outcome::WouldBlock) {
            co_await Wait(this, step.wait);
            continue;
        }
        is_write_shut_ = true;
        channel_->shutdown_write();
    }
    co_return Result<>();
}

Task<void> ChannelStream::linger() {
    set_deadline(std::min(deadline_, shard_->now() + limits::linger_time));
    std::string dropped(limits::linger_read_size, '\0');
    std::size_t total = 0;
    // Below TLS: what is dropped need not be understood.
    while (usable() && total < limits::linger_bytes_max) {
        IoStep step = channel_->read(dropped);
        if (step.outcome == IoStep::Outcome::WouldBlock) {
            co_await Wait(this, Direction::Read);
        } else if (step.outcome == IoStep::Outcome::Failed || step.count == 0) {
            break;
        }
        total += step.count;
    }
}

Task<void> ChannelStream::close() {
    Result<> shut = co_await shutdown_write();
    if (shut && channel_->needs_linger()) {
        co_await linger();
    }
    (void)die(Error{ErrorKind::Temporary, ErrorCode::Closed, "the stream was closed"});
    channel_->close();
}

void ChannelStream::abort() {
    (void)die(Error{ErrorKind::Temporary, ErrorCode::Closed, "the stream was aborted"});
    channel_->reset();
}

Task<Result<>> ChannelStream::move_to(Shard* target) {
    CO_TRY(usable());
    check(waits_ == 0, "nothing waits on a stream that moves");
    if (target == shard_) {
        co_return Result<>();
    }
    watchdog_.cancel();
    armed_at_ = kNever;
    channel_->detach();
    shard_ = target;
    co_await switch_to(target);
    if (Result<> attached = channel_->attach(*target); !attached) {
        co_return die(std::move(attached).error());
    }
    co_return Result<>();
}

}  // namespace

std::unique_ptr<Stream> make_stream(std::unique_ptr<Channel> channel, Shard& shard) {
    return std::make_unique<ChannelStream>(std::move(channel), shard);
}

}  // namespace godwit::net
