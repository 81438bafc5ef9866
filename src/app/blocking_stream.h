// A connection to another server for the command line: net/'s stream, waited for by its caller.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/tls/context.h"

namespace godwit::app {

/// One thread uses it; another turns its loop.
class BlockingStream {
public:
    /// Asks the machine's resolver, tries one address after the other.
    static Result<std::unique_ptr<BlockingStream>> connect(const std::string& host,
                                                           std::uint16_t port,
                                                           std::chrono::seconds patience);
    ~BlockingStream();
    BlockingStream(const BlockingStream&) = delete;
    BlockingStream& operator=(const BlockingStream&) = delete;

    /// `context` outlives it.
    Result<> start_tls(const net::TlsClientContext* context, net::TlsClientOptions options);
    /// SHA-256 of the server's certificate; empty without TLS.
    [[nodiscard]] std::string certificate_hash() const;
    Result<> write(std::string_view octets);
    /// What came; none at the end.
    Result<std::string> read();

private:
    friend struct BlockingStreamTasks;
    struct Inner;
    explicit BlockingStream(std::unique_ptr<Inner> inner);
    std::unique_ptr<Inner> inner_;
};

}  // namespace godwit::app
