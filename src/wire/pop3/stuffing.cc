#include "wire/pop3/stuffing.h"

#include <algorithm>

namespace godwit::pop3 {

// Cuts off what TOP does not want and counts down what it still does.
std::string_view MessageStuffer::take_within_limit(std::string_view bytes) {
    const std::size_t header =
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), limit_.header_size));
    limit_.header_size -= header;
    std::size_t at = header;
    while (at < bytes.size() && limit_.lines > 0) {
        const std::size_t newline = bytes.find('\n', at);
        if (newline == std::string_view::npos) {
            return bytes;
        }
        at = newline + 1;
        --limit_.lines;
    }
    return bytes.substr(0, at);
}

bool MessageStuffer::add(std::string_view bytes, std::string& out) {
    if (is_limited_) {
        bytes = take_within_limit(bytes);
    }
    put(bytes, out);
    return !is_limited_ || limit_.header_size > 0 || limit_.lines > 0;
}

void MessageStuffer::put(std::string_view bytes, std::string& out) {
    while (!bytes.empty()) {
        if (at_line_start_ && bytes.front() == '.') {
            out.push_back('.');
        }
        const std::size_t newline = bytes.find('\n');
        at_line_start_ = newline != std::string_view::npos;
        const std::string_view line = at_line_start_ ? bytes.substr(0, newline + 1) : bytes;
        out.append(line);
        before_last_ = line.size() > 1 ? line[line.size() - 2] : last_;
        last_ = line.back();
        bytes.remove_prefix(line.size());
    }
}

void MessageStuffer::finish(std::string& out) {
    if (before_last_ != '\r' || last_ != '\n') {
        out.append("\r\n");
    }
    out.append(".\r\n");
}

}  // namespace godwit::pop3
