// Bounce Address Tag Validation: the reverse-path of our own mail carries a signature, so that a
// report about mail we never sent is known as such. The "prvs" form of draft-levine-smtp-batv:
// prvs=KDDDSSSSSS=local. Pure. SMTP-BEHAVIOUR.md G10.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mail/address/address.h"

namespace godwit::mail {

/// For how many days a report is believed: five in a next hop's queue and two to be read.
inline constexpr std::int64_t batv_days_max = 7;

/// nullopt when it would be longer than limits::local_part_size_max.
std::optional<Address> batv_tag(const Address& sender, std::string_view secret, std::int64_t now);

/// The address without its tag; nullopt when it has none of the right shape.
std::optional<Address> batv_untag(const Address& address);
/// Whether the tag of `address` was made with one of the secrets and has not run out.
bool batv_holds(const Address& address, std::span<const std::string> secrets, std::int64_t now);

}  // namespace godwit::mail
