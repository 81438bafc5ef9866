#include "mail/text/keyed_hash.h"

#include <bit>

namespace godwit::mail {

namespace {

struct State {
    std::uint64_t a, b, c, d;

    void round() {
        a += b;
        b = std::rotl(b, 13) ^ a;
        a = std::rotl(a, 32);
        c += d;
        d = std::rotl(d, 16) ^ c;
        a += d;
        d = std::rotl(d, 21) ^ a;
        c += b;
        b = std::rotl(b, 17) ^ c;
        c = std::rotl(c, 32);
    }
    void take(std::uint64_t word) {
        d ^= word;
        round();
        round();
        a ^= word;
    }
};

// Little endian; the octets that are not there are 0.
std::uint64_t word_of(std::string_view octets) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < octets.size(); ++i) {
        word |= std::uint64_t{static_cast<std::uint8_t>(octets[i])} << (8 * i);
    }
    return word;
}

}  // namespace

std::uint64_t keyed_hash(HashKey key, std::string_view text) {
    constexpr std::size_t kWord = sizeof(std::uint64_t);
    State state{.a = key.first ^ 0x736f6d6570736575U,
                .b = key.second ^ 0x646f72616e646f6dU,
                .c = key.first ^ 0x6c7967656e657261U,
                .d = key.second ^ 0x7465646279746573U};
    const std::uint64_t size = text.size();
    while (text.size() >= kWord) {
        state.take(word_of(text.substr(0, kWord)));
        text.remove_prefix(kWord);
    }
    state.take(word_of(text) | size << 56U);
    state.c ^= 0xff;
    for (int i = 0; i < 4; ++i) {
        state.round();
    }
    return state.a ^ state.b ^ state.c ^ state.d;
}

}  // namespace godwit::mail
