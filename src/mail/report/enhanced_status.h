// Enhanced mail system status codes, "5.1.1". RFC 3463 (RFC 1893 2 has the same form).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace godwit::mail {

struct EnhancedStatus {
    std::uint8_t status_class = 2;  ///< 2 success, 4 persistent transient, 5 permanent.
    std::uint16_t subject = 0;      ///< 0-999
    std::uint16_t detail = 0;       ///< 0-999

    [[nodiscard]] std::string to_string() const;
    bool operator==(const EnhancedStatus&) const = default;
};

/// The whole of `text`; nullopt unless it is class "." subject "." detail without leading zeros.
std::optional<EnhancedStatus> parse_enhanced_status(std::string_view text);
/// At the front of a reply text, ended by a blank or the end: code and how many octets it took.
struct FrontStatus {
    EnhancedStatus status;
    std::size_t size = 0;
};
std::optional<FrontStatus> take_enhanced_status(std::string_view text);
/// In plain words for people, e.g. "The address does not exist there."; after RFC 1893 3 and RFC
/// 3463. Never empty.
std::string_view explain_status(EnhancedStatus status);

}  // namespace godwit::mail
