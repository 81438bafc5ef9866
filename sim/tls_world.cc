#include "sim/tls_world.h"

#include <openssl/rand.h>

#include <cstring>
#include <optional>

#include "sim/dice.h"

namespace godwit::sim {

namespace {

// A key that protects nothing: the world's servers show it to the world's clients, who trust
// anybody. Made beforehand, since the length of a certificate made at run time would differ; of
// Ed25519, since the length of an ECDSA signature is another for each transcript, and in the
// transcript is the age of a session ticket by the library's own clock, which is the machine's.
constexpr const char* kChain =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBfjCCATCgAwIBAgIUYnXHw2fOJdD0fx+7g/MIiUJQkgMwBQYDK2VwMBMxETAP\n"
    "BgNVBAMMCHNpbS50ZXN0MCAXDTI2MTEyMzAyNDUzMVoYDzIxMjYxMDMwMDI0NTMx\n"
    "WjATMREwDwYDVQQDDAhzaW0udGVzdDAqMAUGAytlcAMhALhehzA1uCEadnnmZYVD\n"
    "FJDPY5hpR4O1JTBah3GwlQGpo4GTMIGQMB0GA1UdDgQWBBSKJnKerKdXiYAuQ0rU\n"
    "Rx2WCL4lxDAfBgNVHSMEGDAWgBSKJnKerKdXiYAuQ0rURx2WCL4lxDAPBgNVHRMB\n"
    "Af8EBTADAQH/MD0GA1UdEQQ2MDSCCHNpbS50ZXN0ggwqLm5vZGUxLnRlc3SCDCou\n"
    "bm9kZTIudGVzdIIMKi5ub2RlMy50ZXN0MAUGAytlcANBAO28u/0JitZBwv/FeWMl\n"
    "y5KpbFfnSN9jXA8AUFyHPeCRpu++AWNRIqszHWtflC0vV2PxVhdJp52+hb+YcPqg\n"
    "Mgg=\n"
    "-----END CERTIFICATE-----\n";
constexpr const char* kKey =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJz3kutv8lTLUvALvCwkyeQf4dZzD6fU34JiZ5i4S7kw\n"
    "-----END PRIVATE KEY-----\n";

std::optional<SeededRandom> luck;

int give_bytes(unsigned char* to, int count) {
    if (!luck || count < 0) {
        return 0;
    }
    const std::string bytes = luck->bytes(static_cast<std::size_t>(count));
    std::memcpy(to, bytes.data(), bytes.size());
    return 1;
}
int take_seed(const void* /*from*/, int /*count*/) {
    return 1;
}
int take_entropy(const void* /*from*/, int /*count*/, double /*entropy*/) {
    return 1;
}
int is_ready() {
    return 1;
}

}  // namespace

void make_tls_deterministic(std::uint64_t seed) {
    // The one way to give the library's own random generator another source for every use of it.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
    static const RAND_METHOD method = {.seed = take_seed,
                                       .bytes = give_bytes,
                                       .cleanup = nullptr,
                                       .add = take_entropy,
                                       .pseudorand = give_bytes,
                                       .status = is_ready};
    luck.emplace(seed);
    RAND_set_rand_method(&method);
#pragma clang diagnostic pop
}

net::TlsCertificate world_certificate() {
    return {.chain_pem = kChain, .key_pem = kKey};
}

}  // namespace godwit::sim
