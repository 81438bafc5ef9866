// RFC 7293: mail that is for whoever had the address at a given time, and for nobody who has it
// since. By SMTP (RRVS) and by the field Require-Recipient-Valid-Since. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "mail/address/address.h"
#include "mail/message/parser.h"
#include "store/directory/directory.h"
#include "wire/smtp/reply.h"

namespace godwit::flow {

/// Fields Require-Recipient-Valid-Since that are read; more say nothing.
inline constexpr std::size_t valid_since_fields_max = 100;

/// The refusal when one of those who have `address` had it not yet at `since` (Unix seconds; 550
/// 5.7.17), or when that is not known (550 5.7.19). Who it is forwarded to in the end does not
/// matter: it is the named address that may have changed hands. Roles (postmaster, abuse) have no
/// owner, and an alias for somewhere else is for others to tell: nullopt.
std::optional<smtp::Reply> refuse_changed_hands(const store::Recipient& resolved,
                                                const mail::Address& address, std::int64_t since);

/// What the header says of `address`, the strictest of all it says; nullopt: nothing, or nothing
/// that can be read.
std::optional<std::int64_t> valid_since_in(const mail::ParsedMessage& parsed,
                                           const mail::Address& address);

}  // namespace godwit::flow
