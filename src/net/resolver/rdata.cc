#include "net/resolver/rdata.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/bytes.h"

namespace godwit::net {

namespace {
constexpr std::size_t kLabelSizeMax = 63;       // RFC 1035 2.3.4
constexpr std::size_t kNameSizeMax = 255;       // RFC 1035 2.3.4, in wire form
constexpr std::size_t kTextPieceSizeMax = 255;  // RFC 1035 3.3

bool is_host_label(std::string_view label) {
    return std::all_of(label.begin(), label.end(),
                       [](char c) { return is_alnum(c) || c == '-' || c == '_'; });
}
}  // namespace

std::string plain_name(std::string_view name) {
    if (name.ends_with('.')) {
        name.remove_suffix(1);
    }
    return to_lower(name);
}

std::optional<std::string> name_from_wire(std::string_view wire) {
    if (wire.size() > kNameSizeMax) {
        return std::nullopt;
    }
    ByteReader in(wire);
    std::string name;
    for (;;) {
        std::size_t size = in.u8();
        if (!in.ok() || size > kLabelSizeMax) {
            return std::nullopt;
        }
        if (size == 0) {
            return in.at_end() ? std::optional(name) : std::nullopt;
        }
        std::string_view label = in.raw(size);
        if (!in.ok() || !is_host_label(label)) {
            return std::nullopt;
        }
        name += name.empty() ? "" : ".";
        name += to_lower(label);
    }
}

std::optional<std::string> name_to_wire(std::string_view name) {
    if (name.ends_with('.')) {
        name.remove_suffix(1);
    }
    std::string wire;
    if (!name.empty()) {
        for (std::string_view label : split(name, '.')) {
            if (label.empty() || label.size() > kLabelSizeMax) {
                return std::nullopt;
            }
            wire += static_cast<char>(label.size());
            wire += to_lower(label);
        }
    }
    wire += '\0';
    return wire.size() <= kNameSizeMax ? std::optional(wire) : std::nullopt;
}

std::optional<MxHost> mx_from_wire(std::string_view rdata) {
    // RFC 1035 3.3.9.
    ByteReader in(rdata);
    std::uint16_t preference = in.u16();
    if (!in.ok()) {
        return std::nullopt;
    }
    auto host = name_from_wire(in.raw(in.remaining()));
    if (!host) {
        return std::nullopt;
    }
    return MxHost{preference, std::move(*host)};
}

std::optional<SrvHost> srv_from_wire(std::string_view rdata) {
    // RFC 2782: priority, weight, port, target.
    ByteReader in(rdata);
    SrvHost srv;
    srv.priority = in.u16();
    srv.weight = in.u16();
    srv.port = in.u16();
    if (!in.ok()) {
        return std::nullopt;
    }
    auto host = name_from_wire(in.raw(in.remaining()));
    if (!host) {
        return std::nullopt;
    }
    srv.host = std::move(*host);
    return srv;
}

std::optional<std::string> text_from_wire(std::string_view rdata) {
    // RFC 1035 3.3.14: one or more character strings, joined as SPF and DKIM want it.
    ByteReader in(rdata);
    std::string text;
    while (!in.at_end()) {
        text += in.raw(in.u8());
        if (!in.ok()) {
            return std::nullopt;
        }
    }
    return rdata.empty() ? std::nullopt : std::optional(text);
}

std::optional<TlsaRecord> tlsa_from_wire(std::string_view rdata) {
    ByteReader in(rdata);
    TlsaRecord record;
    record.usage = in.u8();
    record.selector = in.u8();
    record.matching = in.u8();
    if (!in.ok() || in.at_end()) {
        return std::nullopt;
    }
    record.data = in.raw(in.remaining());
    return record;
}

std::string mx_to_wire(std::uint16_t preference, std::string_view name_wire) {
    ByteWriter out;
    out.u16(preference).raw(name_wire);
    return std::move(out).take();
}

std::string srv_to_wire(const SrvHost& host, std::string_view name_wire) {
    ByteWriter out;
    out.u16(host.priority).u16(host.weight).u16(host.port).raw(name_wire);
    return std::move(out).take();
}

std::string text_to_wire(std::string_view text) {
    std::string wire;
    do {
        std::string_view piece = text.substr(0, kTextPieceSizeMax);
        wire += static_cast<char>(piece.size());
        wire += piece;
        text.remove_prefix(piece.size());
    } while (!text.empty());
    return wire;
}

}  // namespace godwit::net
