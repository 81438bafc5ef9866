#include "sim/talk.h"

namespace godwit::sim {

namespace {
constexpr std::size_t kReadSize = 16 * 1024;
}

Talk::Talk(std::unique_ptr<net::Stream> stream, Duration patience)
    : stream_(std::move(stream)), patience_(patience) {}

net::Task<Result<>> Talk::more() {
    stream_->set_deadline(stream_->shard().now() + patience_);
    std::string buffer(kReadSize, '\0');
    const std::size_t count = CO_TRY(co_await stream_->read_some(buffer));
    if (count == 0) {
        co_return temporary_error(ErrorCode::Closed, "the other side closed");
    }
    heard_.append(buffer, 0, count);
    co_return Result<>();
}

net::Task<Result<std::string>> Talk::line() {
    std::size_t looked = 0;
    for (;;) {
        const std::size_t end = heard_.find('\n', looked);
        if (end != std::string::npos) {
            std::string line =
                heard_.substr(0, end != 0 && heard_[end - 1] == '\r' ? end - 1 : end);
            heard_.erase(0, end + 1);
            co_return line;
        }
        looked = heard_.size();
        CO_TRY(co_await more());
    }
}

net::Task<Result<std::string>> Talk::octets(std::size_t count) {
    while (heard_.size() < count) {
        CO_TRY(co_await more());
    }
    std::string bytes = heard_.substr(0, count);
    heard_.erase(0, count);
    co_return bytes;
}

net::Task<Result<bool>> Talk::has_line(MonoTime until) {
    const net::Timer alarm =
        stream_->shard().call_at(until, [stream = stream_.get()] { stream->interrupt(); });
    while (!heard_.contains('\n')) {
        if (stream_->shard().now() >= until) {
            co_return false;
        }
        stream_->set_deadline(until + patience_);
        const net::Readiness ready = CO_TRY(co_await stream_->wait_readable());
        if (ready == net::Readiness::Readable) {
            CO_TRY(co_await more());
        }
    }
    co_return true;
}

net::Task<Result<>> Talk::send(std::string bytes) {
    stream_->set_deadline(stream_->shard().now() + patience_);
    co_return co_await stream_->write_all(bytes);
}

net::Task<Result<>> Talk::start_tls_server(const net::TlsServerContext* context) {
    heard_.clear();
    stream_->set_deadline(stream_->shard().now() + patience_);
    co_return co_await stream_->start_tls_server(context);
}

net::Task<Result<>> Talk::start_tls_client(const net::TlsClientContext* context, std::string host) {
    heard_.clear();
    stream_->set_deadline(stream_->shard().now() + patience_);
    net::TlsClientOptions options{
        .host = std::move(host), .verify = net::TlsVerify::Opportunistic, .alpn = {}};
    co_return co_await stream_->start_tls_client(context, std::move(options));
}

bool Talk::is_tls() const {
    return stream_->tls() != nullptr;
}

net::Task<void> Talk::close() {
    stream_->set_deadline(stream_->shard().now() + patience_);
    co_await stream_->close();
}

void Talk::abort() {
    stream_->abort();
}

}  // namespace godwit::sim
