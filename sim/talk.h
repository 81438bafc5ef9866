// Lines over a stream, as peers and people speak: with patience, and never a byte after a failure.
#pragma once

#include <memory>
#include <string>

#include "net/io/stream.h"
#include "net/tls/context.h"

namespace godwit::sim {

class Talk {
public:
    /// Each step ends after `patience` at the latest (Timeout).
    Talk(std::unique_ptr<net::Stream> stream, Duration patience);
    /// The next line without its CRLF; Closed at the end. Lines end with CRLF or LF.
    net::Task<Result<std::string>> line();
    net::Task<Result<std::string>> octets(std::size_t count);
    /// Waits for a whole line until `until`, leaving the stream alive when none came: false.
    net::Task<Result<bool>> has_line(MonoTime until);
    net::Task<Result<>> send(std::string bytes);
    /// What was read and not consumed is dropped.
    net::Task<Result<>> start_tls_server(const net::TlsServerContext* context);
    net::Task<Result<>> start_tls_client(const net::TlsClientContext* context, std::string host);
    [[nodiscard]] bool is_tls() const;
    net::Task<void> close();
    /// The other side sees a reset.
    void abort();
    [[nodiscard]] net::Stream& stream() { return *stream_; }
    void set_patience(Duration patience) { patience_ = patience; }

private:
    net::Task<Result<>> more();
    std::unique_ptr<net::Stream> stream_;
    Duration patience_;
    std::string heard_;
};

}  // namespace godwit::sim
