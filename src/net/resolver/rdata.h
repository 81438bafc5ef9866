// Record data in wire form, to and from plain values. RFC 1035 3.1 names without compression (RFC
// 3597 forbids it for newer types; the resolver expands it for the old ones).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "net/resolver/resolver.h"

namespace godwit::net {

/// Lower case, no trailing dot; "" is the root. nullopt when malformed, over 253 characters, or
/// when a label has anything but letters, digits, "-" and "_" (no host is called so).
std::optional<std::string> name_from_wire(std::string_view wire);
/// The reverse; nullopt when a label is empty or over 63 or the whole over 255 bytes.
std::optional<std::string> name_to_wire(std::string_view name);
/// A name as it is asked and compared: lower case, no trailing dot.
std::string plain_name(std::string_view name);

std::optional<MxHost> mx_from_wire(std::string_view rdata);
std::optional<SrvHost> srv_from_wire(std::string_view rdata);
std::optional<std::string> text_from_wire(std::string_view rdata);
std::optional<TlsaRecord> tlsa_from_wire(std::string_view rdata);

std::string mx_to_wire(std::uint16_t preference, std::string_view name_wire);
std::string srv_to_wire(const SrvHost& host, std::string_view name_wire);
std::string text_to_wire(std::string_view text);

}  // namespace godwit::net
