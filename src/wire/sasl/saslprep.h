// SASLprep: names and passwords made comparable. RFC 4013. The door of ICU's stringprep.
// Pure: ICU's tables are read-only data of the library.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit::sasl {

/// Whether code points that Unicode 3.2 does not know may pass: RFC 3454 section 7.
enum class Preparation {
    Query,   ///< A name or password just presented: unassigned code points pass.
    Stored,  ///< One about to be stored (hashed): they are refused.
};

/// RFC 4013. Printable ASCII comes back as it is. A Peer error for malformed UTF-8, prohibited
/// characters, bad bidirectional text, an empty result, or input over limits::password_size_max.
Result<std::string> prepare(std::string_view text, Preparation preparation);

/// Passwords: what is hashed and what is compared. prepare() with one addition: a password which
/// SASLprep refuses but which is valid UTF-8 without NUL stays as it is, so that people with
/// newer characters in theirs can log in at all.
Result<std::string> prepare_password(std::string_view password, Preparation preparation);

}  // namespace godwit::sasl
