// What web servers answer.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/dial/https_client.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    constexpr std::size_t kBodyMax = 512;
    const auto answer = godwit::net::parse_https_answer(
        std::string_view(reinterpret_cast<const char*>(bytes), size), kBodyMax);
    if (answer && answer->body.size() > kBodyMax) {
        std::abort();
    }
    return 0;
}
