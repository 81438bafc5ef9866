// MTA-STS: the TXT record that says a policy is there, and the policy. Pure.
// RFC 8461 3.1 (record; erratum 6285: what does not begin with "v=STSv1;" is no record), 3.2
// (policy; erratum 6253: LF ends a line as well as CRLF), 4.1 (which hosts match).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace godwit::flow {

/// Octets of a policy (RFC 8461 suggests 64 KiB as the bound).
inline constexpr std::size_t sts_policy_size_max = 64 * 1024;
/// Hosts of a policy: the largest providers list a dozen.
inline constexpr std::size_t sts_policy_hosts_max = 256;
/// RFC 8461 3.2: no policy lives longer than about a year.
inline constexpr std::uint32_t sts_max_age_max = 31'557'600;
/// RFC 8461 3.1: the length of an id.
inline constexpr std::size_t sts_id_size_max = 32;

enum class StsMode : std::uint8_t { Enforce, Testing, None };

struct StsPolicy {
    StsMode mode = StsMode::None;
    std::vector<std::string> hosts;  ///< "mx.example.com", "*.example.com"; lower case.
    std::uint32_t max_age_seconds = 0;
    bool operator==(const StsPolicy&) const = default;
};

/// The id of the one record among the TXT records of "_mta-sts.DOMAIN"; nullopt when there is none,
/// more than one, or it cannot be read.
std::optional<std::string> parse_sts_record(const std::vector<std::string>& texts);
/// Peer/Invalid says what is wrong. Fields that are not known are passed over.
Result<StsPolicy> parse_sts_policy(std::string_view text);
/// "*." stands for exactly one label (RFC 8461 4.1).
bool lists_host(const StsPolicy& policy, std::string_view host);
std::string_view to_string(StsMode mode);
/// The policy as it would be published, a line each.
std::vector<std::string> to_lines(const StsPolicy& policy);

}  // namespace godwit::flow
