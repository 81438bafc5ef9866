// The Sender Rewriting Scheme: the reverse-path of forwarded mail as an address of our own, from
// which a report finds its way back to the first sender. There is no RFC; this is the form of
// libsrs2 and postsrsd: SRS0=HHHHHH=TT=domain=local and SRS1=HHHHHH=host==HHHH=TT=domain=local.
// Pure. SMTP-BEHAVIOUR.md G10.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mail/address/address.h"

namespace godwit::mail {

/// How long after the forwarding a report may come, in days: our own queue and a patient next hop
/// hold mail five days each, and mailing lists retry longer; libsrs2 takes 21.
inline constexpr std::int64_t srs_days_max = 21;
/// Base32 digits of the MAC: 30 bits, which unknown_recipients_per_minute keeps from being tried
/// out. The original local part must still fit: many hosts refuse more than 64 octets.
inline constexpr std::size_t srs_mac_size = 6;

/// "SRS0" or "SRS1" in any case, then "=", "+" or "-".
bool is_srs(std::string_view local);

/// `sender` as an address of `domain`, signed with `secret` at `now` (unix seconds): SRS0, or SRS1
/// when another forwarder has rewritten it already, so that chains stay short. nullopt when it
/// would be longer than limits::local_part_size_max.
std::optional<Address> srs_rewrite(const Address& sender, std::string_view domain,
                                   std::string_view secret, std::int64_t now);

enum class SrsFault : std::uint8_t {
    Malformed,
    WrongMac,  ///< Not signed by any of the secrets.
    Expired,   ///< Older than srs_days_max, or of the future.
};
/// Who gets what is sent to `address`: the first sender, or the SRS0 address at the first
/// forwarder. Compares without case, as hosts on the way change it. Domains of `address` are not
/// looked at.
std::expected<Address, SrsFault> srs_reverse(const Address& address,
                                             std::span<const std::string> secrets,
                                             std::int64_t now);

}  // namespace godwit::mail
