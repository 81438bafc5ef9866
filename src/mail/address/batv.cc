#include "mail/address/batv.h"

#include "base/ascii.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "base/limits.h"

namespace godwit::mail {

namespace {

constexpr std::string_view kPrefix = "prvs=";
// K, DDD, SSSSSS.
constexpr std::size_t kTagSize = 10;
constexpr std::size_t kDayEnd = 4;
constexpr std::int64_t kSecondsADay = 86400;
constexpr std::int64_t kDaysRound = 1000;

// The key's number and the day, then three octets over both and the address as it was.
std::string signature(std::string_view secret, std::string_view day, const Address& sender) {
    const std::string text =
        "batv\n" + std::string(day) + "\n" + to_lower(sender.local + "@" + sender.domain);
    return hex_encode(hmac_sha256(secret, text).substr(0, 3));
}

std::optional<std::string_view> tag_of(std::string_view local) {
    const bool is_tagged = local.size() > kPrefix.size() + kTagSize + 1 &&
                           equals_ignore_case(local.substr(0, kPrefix.size()), kPrefix) &&
                           local[kPrefix.size() + kTagSize] == '=';
    if (!is_tagged) {
        return std::nullopt;
    }
    const std::string_view tag = local.substr(kPrefix.size(), kTagSize);
    for (std::size_t i = 0; i < kDayEnd; ++i) {
        if (!is_digit(tag[i])) {
            return std::nullopt;
        }
    }
    return tag;
}

}  // namespace

std::optional<Address> batv_tag(const Address& sender, std::string_view secret, std::int64_t now) {
    // The last day on which it holds.
    const std::int64_t last = (now / kSecondsADay + batv_days_max) % kDaysRound;
    std::string day = std::to_string(last);
    day.insert(0, 4 - day.size(), '0');
    Address tagged = sender;
    tagged.local = std::string(kPrefix) + day + signature(secret, day, sender) + "=" + sender.local;
    if (tagged.local.size() > limits::local_part_size_max) {
        return std::nullopt;
    }
    return tagged;
}

std::optional<Address> batv_untag(const Address& address) {
    if (!tag_of(address.local)) {
        return std::nullopt;
    }
    Address plain = address;
    plain.local.erase(0, kPrefix.size() + kTagSize + 1);
    return plain;
}

bool batv_holds(const Address& address, std::span<const std::string> secrets, std::int64_t now) {
    const auto tag = tag_of(address.local);
    const auto plain = batv_untag(address);
    if (!tag || !plain) {
        return false;
    }
    const std::string_view day = tag->substr(0, kDayEnd);
    bool is_signed = false;
    for (const std::string& secret : secrets) {
        is_signed =
            constant_time_equal(to_lower(tag->substr(kDayEnd)), signature(secret, day, *plain)) ||
            is_signed;
    }
    const auto last = static_cast<std::int64_t>(parse_u32(day.substr(1)).value_or(0));
    const std::int64_t left = (last - now / kSecondsADay % kDaysRound + kDaysRound) % kDaysRound;
    return is_signed && left <= batv_days_max;
}

}  // namespace godwit::mail
