#include "net/io/proxied_stream.h"

namespace godwit::net {

namespace {

class ProxiedStream final : public Stream {
public:
    ProxiedStream(std::unique_ptr<Stream> inner, ProxiedEnds ends)
        : inner_(std::move(inner)), ends_(std::move(ends)) {}

    Task<Result<Readiness>> wait_readable() override { return inner_->wait_readable(); }
    void interrupt() override { inner_->interrupt(); }
    Task<Result<std::size_t>> read_some(std::span<char> buffer) override {
        return inner_->read_some(buffer);
    }
    Task<Result<>> write_all(std::string_view bytes) override { return inner_->write_all(bytes); }
    [[nodiscard]] Result<bool> has_input() override { return inner_->has_input(); }
    void set_deadline(MonoTime at) override { inner_->set_deadline(at); }
    Task<Result<>> start_tls_server(const TlsServerContext* context) override {
        return inner_->start_tls_server(context);
    }
    Task<Result<>> start_tls_client(const TlsClientContext* context,
                                    TlsClientOptions options) override {
        return inner_->start_tls_client(context, std::move(options));
    }
    [[nodiscard]] const TlsSession* tls() const override { return inner_->tls(); }
    Task<Result<>> shutdown_write() override { return inner_->shutdown_write(); }
    Task<void> close() override { return inner_->close(); }
    void abort() override { inner_->abort(); }
    [[nodiscard]] const Endpoint& peer() const override { return ends_.peer; }
    [[nodiscard]] const Endpoint& local() const override { return ends_.local; }
    // Of the process at the other end of a Unix socket: the balancer, not the client.
    [[nodiscard]] std::optional<PeerCredentials> credentials() const override {
        return std::nullopt;
    }
    Task<Result<>> move_to(Shard* target) override { return inner_->move_to(target); }
    [[nodiscard]] Shard& shard() const override { return inner_->shard(); }

private:
    std::unique_ptr<Stream> inner_;
    ProxiedEnds ends_;
};

}  // namespace

std::unique_ptr<Stream> make_proxied(std::unique_ptr<Stream> inner, ProxiedEnds ends) {
    return std::make_unique<ProxiedStream>(std::move(inner), std::move(ends));
}

}  // namespace godwit::net
