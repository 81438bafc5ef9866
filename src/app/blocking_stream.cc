#include "app/blocking_stream.h"

#include <sys/socket.h>
#include <netdb.h>

#include <array>
#include <future>

#include "base/crypto.h"
#include "net/dial/dial.h"
#include "net/io/asio_network.h"

namespace godwit::app {

struct BlockingStream::Inner {
    net::ShardPool pool{1};
    net::AsioNetwork network{&pool};
    std::unique_ptr<net::Stream> stream;
    std::chrono::seconds patience{};

    net::Shard& shard() { return pool.shard(0); }
    [[nodiscard]] MonoTime deadline() { return shard().now() + patience; }
};

namespace {

/// Shared by the waiting thread and the task, either of which may be the last to let go.
using Answer = std::shared_ptr<std::promise<Result<std::string>>>;

Answer make_answer() {
    return std::make_shared<Answer::element_type>();
}

Result<std::vector<net::Endpoint>> endpoints_of(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (code != 0) {
        return temporary_error(ErrorCode::NotFound, host + ": " + ::gai_strerror(code));
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> held(found, ::freeaddrinfo);
    std::vector<net::Endpoint> endpoints;
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        std::array<char, NI_MAXHOST> text{};
        const int shown = ::getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(),
                                        nullptr, 0, NI_NUMERICHOST);
        const auto address =
            shown == 0 ? net::IpAddress::parse(text.data())
                       : Result<net::IpAddress>(peer_error(ErrorCode::Invalid, "no address"));
        if (address) {
            endpoints.emplace_back(*address, port);
        }
    }
    return endpoints;
}

}  // namespace

/// What runs on the shard; each sets the promise once.
struct BlockingStreamTasks {
    using Inner = BlockingStream::Inner;
    static net::Task<void> dial(Inner* inner, net::DialRequest request, Answer answer) {
        request.deadline = inner->deadline();
        auto dialed = co_await net::dial(&inner->network, nullptr, std::move(request));
        if (!dialed) {
            answer->set_value(std::unexpected(dialed.error()));
            co_return;
        }
        inner->stream = std::move(dialed->stream);
        answer->set_value(std::string());
    }
    static net::Task<void> secure(Inner* inner, const net::TlsClientContext* context,
                                  net::TlsClientOptions options, Answer answer) {
        inner->stream->set_deadline(inner->deadline());
        const auto done = co_await inner->stream->start_tls_client(context, std::move(options));
        answer->set_value(done ? Result<std::string>(std::string())
                               : std::unexpected(done.error()));
    }
    static net::Task<void> write(Inner* inner, std::string octets, Answer answer) {
        inner->stream->set_deadline(inner->deadline());
        const auto done = co_await inner->stream->write_all(octets);
        answer->set_value(done ? Result<std::string>(std::string())
                               : std::unexpected(done.error()));
    }
    static net::Task<void> read(Inner* inner, Answer answer) {
        inner->stream->set_deadline(inner->deadline());
        std::string block(std::size_t{64} * 1024, '\0');
        const auto count = co_await inner->stream->read_some(block);
        block.resize(count.value_or(0));
        answer->set_value(count ? Result<std::string>(std::move(block))
                                : std::unexpected(count.error()));
    }
};

Result<std::unique_ptr<BlockingStream>> BlockingStream::connect(const std::string& host,
                                                                std::uint16_t port,
                                                                std::chrono::seconds patience) {
    net::DialRequest request{.host = host, .port = port};
    request.endpoints = TRY(endpoints_of(host, port));
    if (request.endpoints.empty()) {
        return temporary_error(ErrorCode::NotFound, host + " has no address");
    }
    auto inner = std::make_unique<Inner>();
    inner->patience = patience;
    inner->pool.start();
    std::unique_ptr<BlockingStream> stream(new BlockingStream(std::move(inner)));
    const Answer answer = make_answer();
    auto done = answer->get_future();
    net::spawn(stream->inner_->shard(), "import.dial",
               BlockingStreamTasks::dial(stream->inner_.get(), std::move(request), answer));
    TRY(done.get());
    return stream;
}

BlockingStream::BlockingStream(std::unique_ptr<Inner> inner) : inner_(std::move(inner)) {}

BlockingStream::~BlockingStream() {
    inner_->pool.stop();
    inner_->pool.join();
}

Result<> BlockingStream::start_tls(const net::TlsClientContext* context,
                                   net::TlsClientOptions options) {
    const Answer answer = make_answer();
    auto done = answer->get_future();
    net::spawn(inner_->shard(), "import.tls",
               BlockingStreamTasks::secure(inner_.get(), context, std::move(options), answer));
    TRY(done.get());
    return {};
}

std::string BlockingStream::certificate_hash() const {
    const net::TlsSession* tls = inner_->stream->tls();
    const auto chain = tls != nullptr ? tls->peer_chain() : std::vector<std::string>();
    return chain.empty() ? std::string() : sha256_bytes(chain.front());
}

Result<> BlockingStream::write(std::string_view octets) {
    const Answer answer = make_answer();
    auto done = answer->get_future();
    net::spawn(inner_->shard(), "import.write",
               BlockingStreamTasks::write(inner_.get(), std::string(octets), answer));
    TRY(done.get());
    return {};
}

Result<std::string> BlockingStream::read() {
    const Answer answer = make_answer();
    auto done = answer->get_future();
    net::spawn(inner_->shard(), "import.read", BlockingStreamTasks::read(inner_.get(), answer));
    return done.get();
}

}  // namespace godwit::app
