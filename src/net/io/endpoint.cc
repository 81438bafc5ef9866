#include "net/io/endpoint.h"

#include <arpa/inet.h>

#include <array>
#include <cstring>

#include "base/ascii.h"

namespace godwit::net {

IpAddress IpAddress::v4(std::array<std::uint8_t, 4> bytes) {
    IpAddress made;
    std::memcpy(made.bytes_.data(), bytes.data(), bytes.size());
    made.size_ = 4;
    return made;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) {
    static constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0,    0,
                                                             0, 0, 0, 0, 0xFF, 0xFF};
    if (std::memcmp(bytes.data(), kMapped.data(), kMapped.size()) == 0) {
        return v4({bytes[12], bytes[13], bytes[14], bytes[15]});
    }
    IpAddress made;
    made.bytes_ = bytes;
    made.size_ = 16;
    return made;
}

IpAddress IpAddress::loopback_v6() {
    std::array<std::uint8_t, 16> bytes{};
    bytes[15] = 1;
    return v6(bytes);
}

Result<IpAddress> IpAddress::from_bytes(std::string_view raw) {
    if (raw.size() == 4) {
        std::array<std::uint8_t, 4> bytes{};
        std::memcpy(bytes.data(), raw.data(), 4);
        return v4(bytes);
    }
    if (raw.size() == 16) {
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), raw.data(), 16);
        return v6(bytes);
    }
    return peer_error(ErrorCode::Invalid,
                      "an address is 4 or 16 bytes, not " + std::to_string(raw.size()));
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
    // inet_pton takes exactly the two forms, without zones, leading zeros or leftovers.
    if (text.size() < INET6_ADDRSTRLEN && text.find('\0') == std::string_view::npos) {
        std::string terminated(text);
        std::array<std::uint8_t, 4> four{};
        if (inet_pton(AF_INET, terminated.c_str(), four.data()) == 1) {
            return v4(four);
        }
        std::array<std::uint8_t, 16> sixteen{};
        if (inet_pton(AF_INET6, terminated.c_str(), sixteen.data()) == 1) {
            return v6(sixteen);
        }
    }
    return peer_error(ErrorCode::Invalid,
                      "not an IP address: \"" + std::string(text.substr(0, 64)) + "\"");
}

std::string IpAddress::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text.data(), text.size());
    return text.data();
}

bool IpAddress::is_loopback() const {
    return is_v4() ? bytes_[0] == 127 : *this == loopback_v6();
}

bool IpAddress::is_any() const {
    return std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t b) { return b == 0; });
}

IpAddress IpAddress::network(unsigned prefix_bits) const {
    IpAddress cut = *this;
    for (unsigned i = 0; i < size_; ++i) {
        unsigned before = i * 8;
        if (prefix_bits <= before) {
            cut.bytes_[i] = 0;
        } else if (prefix_bits < before + 8) {
            unsigned dropped = before + 8 - prefix_bits;
            cut.bytes_[i] = static_cast<std::uint8_t>((cut.bytes_[i] >> dropped) << dropped);
        }
    }
    return cut;
}

namespace {

struct Block {
    std::string_view network;
    unsigned prefix_bits;
};

// The IANA special-purpose registries (RFC 6890 and its updates) that are not globally reachable.
constexpr Block kNotGlobalV4[] = {
    {"0.0.0.0", 8},      {"10.0.0.0", 8},     {"100.64.0.0", 10}, {"127.0.0.0", 8},
    {"169.254.0.0", 16}, {"172.16.0.0", 12},  {"192.0.0.0", 24},  {"192.0.2.0", 24},
    {"192.88.99.0", 24}, {"192.168.0.0", 16}, {"198.18.0.0", 15}, {"198.51.100.0", 24},
    {"203.0.113.0", 24}, {"224.0.0.0", 4},    {"240.0.0.0", 4},
};
// Only 2000::/3 is assigned as global unicast; these are the exceptions within it.
constexpr Block kNotGlobalV6[] = {
    {"2001::", 23},
    {"2001:db8::", 32},
    {"3fff::", 20},
};

bool is_inside(const IpAddress& address, const Block& block) {
    auto network = IpAddress::parse(block.network);
    return network && address.network(block.prefix_bits) == *network;
}

bool is_inside_any(const IpAddress& address, std::span<const Block> blocks) {
    return std::any_of(blocks.begin(), blocks.end(),
                       [&](const Block& block) { return is_inside(address, block); });
}

}  // namespace

bool IpAddress::is_global() const {
    if (is_v4()) {
        return !is_inside_any(*this, kNotGlobalV4);
    }
    static constexpr Block kNat64 = {"64:ff9b::", 96};
    static constexpr Block k6to4 = {"2002::", 16};
    static constexpr Block kUnicast = {"2000::", 3};
    if (is_inside(*this, kNat64)) {
        return v4({bytes_[12], bytes_[13], bytes_[14], bytes_[15]}).is_global();
    }
    if (is_inside(*this, k6to4)) {
        return v4({bytes_[2], bytes_[3], bytes_[4], bytes_[5]}).is_global();
    }
    return is_inside(*this, kUnicast) && !is_inside_any(*this, kNotGlobalV6);
}

Endpoint Endpoint::unix_path(std::string path) {
    Endpoint made;
    made.is_unix_ = true;
    made.path_ = std::move(path);
    return made;
}

Result<Endpoint> Endpoint::parse(std::string_view text) {
    auto bad = [&](std::string_view expected) {
        return peer_error(ErrorCode::Invalid, "expected " + std::string(expected) + ", not \"" +
                                                  std::string(text.substr(0, 128)) + "\"");
    };
    if (text.starts_with("unix:")) {
        std::string_view path = text.substr(5);
        // sockaddr_un holds 108 bytes with the final NUL.
        if (path.empty() || path.size() > 107 || path.find('\0') != std::string_view::npos) {
            return bad("unix: and a path of 1 to 107 bytes");
        }
        return unix_path(std::string(path));
    }
    std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return bad("ADDRESS:PORT, [IPV6]:PORT or unix:PATH");
    }
    auto port = parse_u32(text.substr(colon + 1));
    std::string_view host = text.substr(0, colon);
    bool is_bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    auto address = IpAddress::parse(is_bracketed ? host.substr(1, host.size() - 2) : host);
    bool wrote_v6 = host.find(':') != std::string_view::npos;
    if (!address || wrote_v6 != is_bracketed || !port || *port > 65535) {
        return bad("ADDRESS:PORT, [IPV6]:PORT or unix:PATH");
    }
    return Endpoint(*address, static_cast<std::uint16_t>(*port));
}

std::string Endpoint::to_string() const {
    if (is_unix_) {
        return "unix:" + path_;
    }
    std::string host = address_.to_string();
    return (address_.is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(port_);
}

}  // namespace godwit::net
