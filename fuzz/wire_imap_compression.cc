// DEFLATE from a client: whole and split, it comes to the same, and never to more at once than one
// piece.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/imap/compression.h"

using namespace godwit;
using namespace godwit::imap;

namespace {

// What comes of it; nullopt when it is more than the bound, or no DEFLATE at some place.
std::optional<std::string> run(std::string_view input, std::size_t piece) {
    constexpr std::size_t kEnough = 256 * 1024;
    Compression compression;
    std::string out;
    for (std::size_t at = 0; at < input.size() && out.size() < kEnough; at += piece) {
        compression.feed(input.substr(at, piece));
        while (compression.has_pending() && out.size() < kEnough) {
            const Result<std::string> got = compression.expand();
            if (!got) {
                return std::nullopt;
            }
            check(got->size() <= compression_piece_max, "a piece is bounded");
            if (got->empty()) {
                break;
            }
            out += *got;
        }
    }
    return out.size() < kEnough ? std::optional(out) : std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::optional<std::string> whole = run(input, size == 0 ? 1 : size);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}}) {
        const std::optional<std::string> split = run(input, piece);
        check(!whole || !split || *whole == *split, "splitting changes nothing");
    }
    Compression drained;
    drained.feed(input);
    static_cast<void>(drained.drain());
    return 0;
}
