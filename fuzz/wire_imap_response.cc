// What an IMAP server says: the same tokens however it comes, literals as long as was said.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/imap/response.h"

using namespace godwit;
using namespace godwit::imap;

namespace {

struct Outcome {
    std::vector<ResponseToken> tokens;
    bool has_failed = false;
    bool operator==(const Outcome&) const = default;
};

// Pieces of a literal are joined: where they are cut is nobody's business.
Outcome read(std::string_view input, std::size_t piece) {
    ResponseReader reader;
    Outcome outcome;
    for (;;) {
        auto token = reader.next();
        if (!token) {
            outcome.has_failed = true;
            return outcome;
        }
        if (!*token && input.empty()) {
            return outcome;
        }
        if (!*token) {
            reader.feed(input.substr(0, piece));
            input.remove_prefix(std::min(piece, input.size()));
            continue;
        }
        const bool is_more = (*token)->kind == ResponseToken::Kind::Octets &&
                             !outcome.tokens.empty() &&
                             outcome.tokens.back().kind == ResponseToken::Kind::Octets;
        if (is_more) {
            outcome.tokens.back().text.append((*token)->text);
        } else {
            outcome.tokens.push_back(*std::move(*token));
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const Outcome whole = read(input, size + 1);
    check(read(input, 1) == whole, "splitting changes nothing");
    std::uint64_t due = 0;
    for (const ResponseToken& token : whole.tokens) {
        if (token.kind == ResponseToken::Kind::LiteralBegin) {
            due = token.size;
        } else if (token.kind == ResponseToken::Kind::Octets) {
            check(token.text.size() <= due, "a literal has no more octets than it said");
            due -= token.text.size();
        } else if (token.kind == ResponseToken::Kind::LiteralEnd) {
            check(due == 0, "a literal has as many octets as it said");
        }
    }
    return 0;
}
