// The arguments of GETQUOTA and SETQUOTA. RFC 9208 7.
#pragma once

#include <string>

#include "base/result.h"
#include "wire/imap/lexer.h"

namespace godwit::imap {

/// Limits that one SETQUOTA may name.
inline constexpr std::size_t quota_resources_max = 16;

/// The name of a quota root, and nothing after it.
Result<std::string> parse_quota_root(Lexer& lexer);
/// Whether it is a SETQUOTA. Nothing of it is kept: nobody may set quotas by IMAP.
Result<> check_set_quota(Lexer& lexer);

}  // namespace godwit::imap
