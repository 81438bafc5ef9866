#include "sim/tls_world.h"

#include <openssl/rand.h>

#include <cstring>
#include <optional>

#include "sim/dice.h"

namespace godwit::sim {

namespace {

// A key that protects nothing: the world's servers show it to the world's clients, who trust
// anybody. Made beforehand, since the length of a certificate made at run time would differ.
constexpr const char* kChain =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBvjCCAWSgAwIBAgIUWQpCrT1IfqV502yFqj+RHFz/QAkwCgYIKoZIzj0EAwIw\n"
    "EzERMA8GA1UEAwwIc2ltLnRlc3QwIBcNMjYxMTIyMDkxNjQzWhgPMjEyNjEwMjkw\n"
    "OTE2NDNaMBMxETAPBgNVBAMMCHNpbS50ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0D\n"
    "AQcDQgAEAOW2buIy1hfNZA2yI8HkBypjM4xRlLk/lH5+jLg3f+rMpjKtXZSzJ2h+\n"
    "NSCvKj/W3mFDu23S8gZMkUk7+KV+EqOBkzCBkDAdBgNVHQ4EFgQUUwt0/Q4aGcwe\n"
    "axiiYGNbb8bNW7wwHwYDVR0jBBgwFoAUUwt0/Q4aGcweaxiiYGNbb8bNW7wwDwYD\n"
    "VR0TAQH/BAUwAwEB/zA9BgNVHREENjA0gghzaW0udGVzdIIMKi5ub2RlMS50ZXN0\n"
    "ggwqLm5vZGUyLnRlc3SCDCoubm9kZTMudGVzdDAKBggqhkjOPQQDAgNIADBFAiEA\n"
    "umOhuv2Vwxthw22KVw6IhUy7fHI5QRcg0PsMjPD1VtgCIFI+eRXi+i7ZVmuWG5tk\n"
    "dz86LiC/L58U/uiwJ2FJ+mUf\n"
    "-----END CERTIFICATE-----\n";
constexpr const char* kKey =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgGnFtlUTp6vQ1Lsn1\n"
    "7010dSjXp84DpQIg+ig5PRapv0mhRANCAAQA5bZu4jLWF81kDbIjweQHKmMzjFGU\n"
    "uT+Ufn6MuDd/6symMq1dlLMnaH41IK8qP9beYUO7bdLyBkyRSTv4pX4S\n"
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
