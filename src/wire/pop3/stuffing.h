// The body of a POP3 multi-line response: dots doubled, the end marked. RFC 1939 3.
// A line begins after any LF, so that octets stored with bare LF can never forge the end; nothing
// else is changed. Works on pieces of any size.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace godwit::pop3 {

/// How much of the text TOP wants; without a limit all of it.
struct TopLimit {
    std::uint64_t header_size = 0;  ///< Octets of the header with its blank line: always sent.
    std::uint64_t lines = 0;        ///< Lines of the body after it.
};

/// One message on its way out. Appends to a string given with each call.
class MessageStuffer {
public:
    MessageStuffer() = default;
    explicit MessageStuffer(TopLimit limit) : is_limited_(true), limit_(limit) {}

    /// Adds the next octets of the message. False once nothing more is wanted: stop reading.
    bool add(std::string_view bytes, std::string& out);
    /// Adds ".CRLF", before it a CRLF where the text did not end with one.
    void finish(std::string& out);

private:
    void put(std::string_view bytes, std::string& out);
    std::string_view take_within_limit(std::string_view bytes);

    bool is_limited_ = false;
    TopLimit limit_;
    bool at_line_start_ = true;
    char before_last_ = '\r';
    char last_ = '\n';
};

}  // namespace godwit::pop3
