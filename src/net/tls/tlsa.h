// TLSA records as values, and which of them a mail client can use. Pure.
// RFC 6698 (fields), RFC 7671, RFC 7672.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::net {

struct TlsaRecord {
    std::uint8_t usage = 0;
    std::uint8_t selector = 0;
    std::uint8_t matching = 0;
    std::string data;
    auto operator<=>(const TlsaRecord&) const = default;
};

inline constexpr std::uint8_t kTlsaDaneTa = 2;
inline constexpr std::uint8_t kTlsaDaneEe = 3;

/// RFC 7672: SMTP takes DANE-TA(2) and DANE-EE(3); PKIX-TA(0) and PKIX-EE(1) are unusable. So is
/// what has an unknown selector or matching type, or a digest of the wrong size.
bool is_usable_for_smtp(const TlsaRecord& record);
/// "3 1 1 0123abcd", as in zone files.
std::string to_string(const TlsaRecord& record);
/// A record that the certificate (or key) with this SHA-256 matches, and no other.
TlsaRecord tlsa_of_certificate(std::string_view sha256);
TlsaRecord tlsa_of_key(std::string_view sha256);

}  // namespace godwit::net
