// A PROXY header of random octets, in two sizes of pieces: the same outcome, no octet too many, and
// an end after a bounded number of them.
#include <algorithm>
#include <cstdint>
#include <optional>

#include "wire/proxy/header.h"

using namespace godwit;

namespace {
struct Outcome {
    std::optional<proxy::Header> header;
    std::size_t taken = 0;
};

Outcome read(std::string_view bytes, std::size_t piece) {
    proxy::HeaderReader reader;
    Outcome outcome;
    while (!reader.is_done()) {
        const std::size_t size = std::min({piece, reader.wanted(), bytes.size() - outcome.taken});
        if (size == 0) {
            return outcome;
        }
        if (!reader.feed(bytes.substr(outcome.taken, size))) {
            outcome.taken = 0;  // Where it is noticed depends on the pieces.
            return outcome;
        }
        outcome.taken += size;
        check(outcome.taken <= 16 + proxy::header_rest_size_max, "a header has an end");
    }
    outcome.header = reader.header();
    return outcome;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const Outcome whole = read(bytes, SIZE_MAX);
    const Outcome bytewise = read(bytes, 1);
    check(whole.header == bytewise.header, "pieces do not matter");
    if (whole.header) {
        check(whole.taken == bytewise.taken, "nor for where it ends");
        for (const auto& side : {whole.header->client, whole.header->server}) {
            check(!side || side->address.size() == 4 || side->address.size() == 16,
                  "an address has one of two sizes");
        }
    }
    return 0;
}
