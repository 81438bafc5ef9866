// What XCLIENT and XFORWARD say about a client that is not the one at the other end: a proxy's or a
// content filter's. Postfix's XCLIENT_README and XFORWARD_README are the only specification; values
// are xtext (RFC 3461 4). Who may say such things is the caller's to decide.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "wire/smtp/reply.h"

namespace godwit::smtp {

/// Octets of one value after decoding: the two documents' own bound.
inline constexpr std::size_t client_fact_size_max = 255;

enum class ClientFact : std::uint8_t {
    Name,
    Address,
    Port,
    Protocol,
    Hello,
    Login,
    LocalAddress,
    LocalPort,
    Identity,
    Source,
};
inline constexpr std::size_t kClientFactCount = 10;

/// XCLIENT stands in for the client in all that follows; XFORWARD only tells logs and traces.
enum class ClientFactUse : std::uint8_t { StandIn, Forwarded };

class ClientFacts {
public:
    /// nullopt: nothing was said. Empty: it is not known ("[UNAVAILABLE]", "[TEMPUNAVAIL]").
    [[nodiscard]] const std::optional<std::string>& operator[](ClientFact fact) const {
        return values_[static_cast<std::size_t>(fact)];
    }
    std::optional<std::string>& operator[](ClientFact fact) {
        return values_[static_cast<std::size_t>(fact)];
    }
    /// The value, or "" when it is not known or nothing was said.
    [[nodiscard]] std::string text(ClientFact fact) const { return (*this)[fact].value_or(""); }
    /// What `later` says takes the place of what was said before.
    void update(const ClientFacts& later);
    bool operator==(const ClientFacts&) const = default;

private:
    std::array<std::optional<std::string>, kClientFactCount> values_{};
};

/// " NAME ADDR PORT ...": as EHLO announces them for this use.
std::string client_fact_names(ClientFactUse use);

/// "NAME=spike.example.org ADDR=192.0.2.1". Ports are numbers to 65535; an address of XCLIENT looks
/// like one (the caller reads it) and has lost its "IPV6:"; PROTO is SMTP or ESMTP in XCLIENT; no
/// value has controls, blanks, non-ASCII or what is special in header fields. Otherwise a 501.
std::expected<ClientFacts, Reply> parse_client_facts(std::string_view argument, ClientFactUse use);

}  // namespace godwit::smtp
