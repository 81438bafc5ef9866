#include "net/tls/tlsa.h"

#include "base/encoding.h"

namespace godwit::net {

namespace {
// RFC 6698.
constexpr std::uint8_t kWholeCertificate = 0;
constexpr std::uint8_t kPublicKey = 1;
constexpr std::uint8_t kExact = 0;
constexpr std::uint8_t kSha256 = 1;
constexpr std::uint8_t kSha512 = 2;
}  // namespace

bool is_usable_for_smtp(const TlsaRecord& record) {
    if (record.usage != kTlsaDaneTa && record.usage != kTlsaDaneEe) {
        return false;
    }
    if (record.selector > kPublicKey) {
        return false;
    }
    switch (record.matching) {
        case kExact: return !record.data.empty();
        case kSha256: return record.data.size() == 32;
        case kSha512: return record.data.size() == 64;
        default: return false;
    }
}

std::string to_string(const TlsaRecord& record) {
    return std::to_string(record.usage) + " " + std::to_string(record.selector) + " " +
           std::to_string(record.matching) + " " + hex_encode(record.data);
}

TlsaRecord tlsa_of_certificate(std::string_view sha256) {
    return {kTlsaDaneEe, kWholeCertificate, kSha256, std::string(sha256)};
}
TlsaRecord tlsa_of_key(std::string_view sha256) {
    return {kTlsaDaneEe, kPublicKey, kSha256, std::string(sha256)};
}

}  // namespace godwit::net
