#include "base/ids.h"

#include <cstring>

#include "base/encoding.h"

namespace godwit {

namespace {
constexpr std::string_view kCrockford = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::size_t kMailIdLength = 10;
}  // namespace

BlobId BlobId::from_bytes(std::string_view raw) {
    check(raw.size() == 32, "a blob id is 32 bytes");
    BlobId id;
    std::memcpy(id.hash.data(), raw.data(), raw.size());
    return id;
}

std::string BlobId::to_hex() const {
    return hex_encode(bytes());
}

std::string to_string(MailId id) {
    std::string text(kMailIdLength, '0');
    std::uint64_t rest = id.value();
    for (std::size_t i = kMailIdLength; i-- > 0;) {
        text[i] = kCrockford[rest & 31U];
        rest >>= 5U;
    }
    return text;
}

Result<MailId> parse_mail_id(std::string_view text) {
    if (text.size() != kMailIdLength) {
        return peer_error(ErrorCode::Invalid, "a message id has ten characters");
    }
    std::uint64_t value = 0;
    for (const char c : text) {
        const char lower = (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
        const std::size_t digit = kCrockford.find(lower);
        if (digit == std::string_view::npos) {
            return peer_error(ErrorCode::Invalid,
                              "a message id has only 0-9 and a-z without i, l, o, u");
        }
        value = (value << 5U) | digit;
    }
    return MailId(value);
}

}  // namespace godwit
