// A blocking connection to one of the server's UNIX sockets, for the command line.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit::app {

class UnixClient {
public:
    /// Closed when nobody listens there (no such file, or refused); Denied when the file's mode
    /// keeps us out.
    static Result<UnixClient> connect(const std::string& path);
    UnixClient(UnixClient&& other) noexcept;
    UnixClient& operator=(UnixClient&&) = delete;
    ~UnixClient();

    Result<> write(std::string_view bytes);
    /// At least one octet, or none at the end. Timeout when nothing came in `patience`.
    Result<std::string> read_some(std::chrono::seconds patience);
    /// Up to and without the next LF. Closed when the server ends before it.
    Result<std::string> read_line(std::size_t size_max, std::chrono::seconds patience);
    /// Just as many octets, handed on in pieces. Closed when the server ends before them.
    Result<> read_octets(std::uint64_t count, std::chrono::seconds patience,
                         const std::function<Result<>(std::string_view)>& sink);
    /// No more will be written; reading goes on.
    void end_writing();
    /// For poll(2); still owned.
    [[nodiscard]] int descriptor() const { return fd_; }

private:
    explicit UnixClient(int fd) : fd_(fd) {}
    int fd_ = -1;
    std::string input_;
};

}  // namespace godwit::app
