#include "mail/address/srs.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/crypto.h"
#include "base/limits.h"

namespace godwit::mail {

namespace {

// RFC 4648 section 6: no two letters that differ in case only, so that a changed case harms
// nothing.
constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::int64_t kSecondsADay = 86400;
// Two digits of days: they come round after 1024.
constexpr std::int64_t kDaysRound = 1024;

bool is_separator(char c) {
    return c == '=' || c == '+' || c == '-';
}

std::string mac(std::string_view secret, std::string_view kind, std::string_view signed_text) {
    const std::string digest =
        hmac_sha256(secret, to_lower(std::string(kind) + "\n" + std::string(signed_text)));
    std::string out;
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        bits = bits << 8U | static_cast<std::uint8_t>(digest[i]);
    }
    for (std::size_t i = 0; i < srs_mac_size; ++i) {
        out += kBase32[bits >> 59U];
        bits <<= 5U;
    }
    return out;
}

bool is_signed(std::string_view given, std::string_view kind, std::string_view signed_text,
               std::span<const std::string> secrets) {
    const std::string folded = to_lower(given);
    bool is_right = false;
    for (const std::string& secret : secrets) {
        is_right =
            constant_time_equal(folded, to_lower(mac(secret, kind, signed_text))) || is_right;
    }
    return is_right;
}

std::string stamp(std::int64_t now) {
    const auto day = static_cast<std::size_t>(now / kSecondsADay % kDaysRound);
    return {kBase32[day >> 5U], kBase32[day & 31U]};
}

// Days since the stamp, as far as two digits tell; nullopt when it is none.
std::optional<std::int64_t> age(std::string_view stamped, std::int64_t now) {
    if (stamped.size() != 2) {
        return std::nullopt;
    }
    std::int64_t day = 0;
    for (const char c : stamped) {
        const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        const std::size_t digit = kBase32.find(upper);
        if (digit == std::string_view::npos) {
            return std::nullopt;
        }
        day = day * 32 + static_cast<std::int64_t>(digit);
    }
    return (now / kSecondsADay % kDaysRound - day + kDaysRound) % kDaysRound;
}

// The text before the next "=", which is taken off `rest` with it.
std::optional<std::string_view> take_part(std::string_view& rest) {
    const std::size_t end = rest.find('=');
    if (end == std::string_view::npos || end == 0) {
        return std::nullopt;
    }
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return part;
}

std::optional<Address> fitting(std::string local, std::string_view domain) {
    if (local.size() > limits::local_part_size_max) {
        return std::nullopt;
    }
    return Address{.local = std::move(local), .domain = std::string(domain)};
}

std::optional<Address> rewrite_again(std::string_view host, std::string_view opaque,
                                     std::string_view domain, std::string_view secret) {
    const std::string text = std::string(host) + "=" + std::string(opaque);
    return fitting("SRS1=" + mac(secret, "srs1", text) + "=" + text, domain);
}

std::expected<Address, SrsFault> reverse_first(std::string_view rest,
                                               std::span<const std::string> secrets,
                                               std::int64_t now) {
    const auto given = take_part(rest);
    const std::string_view signed_text = rest;
    const auto stamped = take_part(rest);
    const auto domain = take_part(rest);
    if (!given || !stamped || !domain || rest.empty()) {
        return std::unexpected(SrsFault::Malformed);
    }
    if (!is_signed(*given, "srs0", signed_text, secrets)) {
        return std::unexpected(SrsFault::WrongMac);
    }
    const auto days = age(*stamped, now);
    // A day ahead: clocks of two hosts of ours may differ around midnight.
    if (!days || (*days > srs_days_max && *days != kDaysRound - 1)) {
        return std::unexpected(SrsFault::Expired);
    }
    auto sender = make_address(rest, *domain);
    return sender ? std::expected<Address, SrsFault>(*std::move(sender))
                  : std::unexpected(SrsFault::Malformed);
}

std::expected<Address, SrsFault> reverse_again(std::string_view rest,
                                               std::span<const std::string> secrets) {
    const auto given = take_part(rest);
    const std::string_view signed_text = rest;
    const auto host = take_part(rest);
    // What is left begins with the separator that followed "SRS0" at the first forwarder.
    if (!given || !host || rest.size() < 2 || !is_separator(rest.front())) {
        return std::unexpected(SrsFault::Malformed);
    }
    if (!is_signed(*given, "srs1", signed_text, secrets)) {
        return std::unexpected(SrsFault::WrongMac);
    }
    auto sender = make_address("SRS0" + std::string(rest), *host);
    return sender ? std::expected<Address, SrsFault>(*std::move(sender))
                  : std::unexpected(SrsFault::Malformed);
}

}  // namespace

bool is_srs(std::string_view local) {
    return local.size() > 5 && equals_ignore_case(local.substr(0, 3), "SRS") &&
           (local[3] == '0' || local[3] == '1') && is_separator(local[4]);
}

std::optional<Address> srs_rewrite(const Address& sender, std::string_view domain,
                                   std::string_view secret, std::int64_t now) {
    if (is_srs(sender.local)) {
        if (sender.local[3] == '0') {
            return rewrite_again(sender.domain, std::string_view(sender.local).substr(4), domain,
                                 secret);
        }
        // The second forwarder's own signature goes; the first one's address stays as it is.
        std::string_view rest = std::string_view(sender.local).substr(5);
        const auto given = take_part(rest);
        const auto host = take_part(rest);
        if (given && host && rest.size() > 1 && is_separator(rest.front())) {
            return rewrite_again(*host, rest, domain, secret);
        }
    }
    const std::string text = stamp(now) + "=" + sender.domain + "=" + sender.local;
    return fitting("SRS0=" + mac(secret, "srs0", text) + "=" + text, domain);
}

std::expected<Address, SrsFault> srs_reverse(const Address& address,
                                             std::span<const std::string> secrets,
                                             std::int64_t now) {
    if (!is_srs(address.local)) {
        return std::unexpected(SrsFault::Malformed);
    }
    const std::string_view rest = std::string_view(address.local).substr(5);
    return address.local[3] == '0' ? reverse_first(rest, secrets, now)
                                   : reverse_again(rest, secrets);
}

}  // namespace godwit::mail
