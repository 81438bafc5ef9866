#include "wire/proxy/header.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/ascii.h"

namespace godwit::proxy {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kSignature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::string_view kWord = "PROXY ";
constexpr std::size_t kFixedSize = 16;
// "PROXY UNKNOWN" and CRLF: nothing is shorter, of either version.
constexpr std::size_t kShortest = 15;

std::unexpected<Error> refuse(std::string text) {
    return peer_error(ErrorCode::Invalid, "PROXY header: " + std::move(text));
}

std::uint16_t number16(std::string_view bytes) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[0]) << 8U |
                                      static_cast<unsigned char>(bytes[1]));
}

// Without leading zeros, as the specification has it.
std::optional<std::uint16_t> read_number(std::string_view text, std::uint64_t max) {
    const auto number = parse_u64(text);
    if (!number || *number > max || (text.size() > 1 && text.front() == '0')) {
        return std::nullopt;
    }
    return static_cast<std::uint16_t>(*number);
}

std::optional<std::string> read_v4(std::string_view text) {
    const auto parts = split(text, '.');
    std::string bytes;
    for (const std::string_view part : parts) {
        const auto number = read_number(part, 255);
        if (!number || bytes.size() == 4) {
            return std::nullopt;
        }
        bytes += static_cast<char>(*number);
    }
    return bytes.size() == 4 ? std::optional(bytes) : std::nullopt;
}

// Groups of hex digits, in network order; nullopt when one is none.
std::optional<std::string> read_groups(std::string_view text) {
    std::string bytes;
    if (text.empty()) {
        return bytes;
    }
    for (const std::string_view group : split(text, ':')) {
        std::uint32_t value = 0;
        if (group.empty() || group.size() > 4 || bytes.size() == 16) {
            return std::nullopt;
        }
        for (const char c : group) {
            if (!is_hexdig(c)) {
                return std::nullopt;
            }
            const char lower = to_lower(c);
            value =
                value * 16 + static_cast<std::uint32_t>(is_digit(c) ? c - '0' : lower - 'a' + 10);
        }
        bytes += static_cast<char>(value >> 8U);
        bytes += static_cast<char>(value & 0xFFU);
    }
    return bytes;
}

// RFC 4291 2.2, forms 1 and 2; with the dotted end of form 3.
std::optional<std::string> read_v6(std::string_view text) {
    std::string tail;
    const std::size_t colon = text.rfind(':');
    if (text.find('.') != std::string_view::npos) {
        const auto v4 =
            colon == std::string_view::npos ? std::nullopt : read_v4(text.substr(colon + 1));
        if (!v4) {
            return std::nullopt;
        }
        tail = *v4;
        // "::1.2.3.4" keeps both of its colons.
        text = text.substr(0, colon > 0 && text[colon - 1] == ':' ? colon + 1 : colon);
    }
    const std::size_t gap = text.find("::");
    if (gap == std::string_view::npos) {
        const auto whole = read_groups(text);
        return whole && whole->size() + tail.size() == 16 ? std::optional(*whole + tail)
                                                          : std::nullopt;
    }
    const auto head = read_groups(text.substr(0, gap));
    const auto end = read_groups(text.substr(gap + 2));
    if (!head || !end || head->size() + end->size() + tail.size() > 14) {
        return std::nullopt;
    }
    return *head + std::string(16 - head->size() - end->size() - tail.size(), '\0') + *end + tail;
}

}  // namespace

std::size_t HeaderReader::wanted() const {
    if (is_done_) {
        return 0;
    }
    if (bytes_.size() < kShortest) {
        return kShortest - bytes_.size();
    }
    if (bytes_.starts_with(kWord)) {
        // Whatever comes before the line's end is the header's; its end is one octet or two away.
        return bytes_.ends_with('\r') ? 1 : 2;
    }
    if (bytes_.size() < kFixedSize) {
        return kFixedSize - bytes_.size();
    }
    return kFixedSize + number16(std::string_view(bytes_).substr(14)) - bytes_.size();
}

Result<> HeaderReader::feed(std::string_view bytes) {
    check(bytes.size() <= wanted(), "no more than was asked for");
    bytes_ += bytes;
    const std::string_view start = std::string_view(bytes_).substr(0, kSignature.size());
    if (start == kSignature.substr(0, start.size())) {
        return finish_binary();
    }
    if (start.substr(0, kWord.size()) != kWord.substr(0, std::min(start.size(), kWord.size()))) {
        return refuse("neither version 1 nor version 2");
    }
    return finish_line();
}

Result<> HeaderReader::finish_line() {
    const std::size_t end = bytes_.find('\n');
    if (end == std::string::npos) {
        return bytes_.size() < header_line_size_max ? Result<>() : refuse("line too long");
    }
    if (end + 1 != bytes_.size() || !bytes_.ends_with("\r\n") ||
        bytes_.size() > header_line_size_max) {
        return refuse("the line does not end with CRLF");
    }
    const std::string_view line =
        std::string_view(bytes_).substr(kWord.size(), bytes_.size() - kWord.size() - 2);
    if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) {
        is_done_ = true;
        return {};
    }
    const auto words = split(line, ' ');
    if (words.size() != 5 || (words[0] != "TCP4" && words[0] != "TCP6")) {
        return refuse("expected TCP4, TCP6 or UNKNOWN, two addresses and two ports");
    }
    auto* const read = words[0] == "TCP4" ? read_v4 : read_v6;
    const auto from = read(words[1]);
    const auto to = read(words[2]);
    const auto from_port = read_number(words[3], 65535);
    const auto to_port = read_number(words[4], 65535);
    if (!from || !to || !from_port || !to_port) {
        return refuse("an address or a port is malformed");
    }
    header_ = {.client = Side{*from, *from_port}, .server = Side{*to, *to_port}};
    is_done_ = true;
    return {};
}

Result<> HeaderReader::finish_binary() {
    if (bytes_.size() < kFixedSize) {
        return {};
    }
    const std::string_view bytes = bytes_;
    const auto version_and_command = static_cast<unsigned char>(bytes[12]);
    const auto family = static_cast<unsigned char>(bytes[13]);
    const std::size_t size = number16(bytes.substr(14));
    if (version_and_command != 0x20 && version_and_command != 0x21) {
        return refuse("unknown version or command");
    }
    if (size > header_rest_size_max) {
        return refuse("longer than " + std::to_string(header_rest_size_max) + " octets");
    }
    if (bytes.size() < kFixedSize + size) {
        return {};
    }
    is_done_ = true;
    const bool is_proxied = version_and_command == 0x21;
    if (!is_proxied || family == 0x00 || family == 0x31) {
        return {};  // LOCAL, UNSPEC and UNIX streams: the connection's own addresses hold.
    }
    // 0x11 is TCP over IPv4, 0x21 over IPv6; datagrams cannot be what came here.
    if (family != 0x11 && family != 0x21) {
        return refuse("a family that is not TCP");
    }
    const std::size_t length = family == 0x11 ? 4 : 16;
    if (size < 2 * length + 4) {
        return refuse("addresses are cut short");
    }
    const std::string_view rest = bytes.substr(kFixedSize);
    header_.client = Side{std::string(rest.substr(0, length)), number16(rest.substr(2 * length))};
    header_.server =
        Side{std::string(rest.substr(length, length)), number16(rest.substr(2 * length + 2))};
    return {};
}

}  // namespace godwit::proxy
