// Dates as IMAP writes them. RFC 3501 9: date, date-time. Years are four digits; all is UTC inside.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace godwit::imap {

/// The inside of a date-time's quotes, as in "22-Nov-2026 02:15:06 +0000"; a one-digit day may lack
/// its leading SP (some clients drop it). Whole seconds.
Result<WallTime> parse_date_time(std::string_view text);
/// Twenty-six characters, "+0000", without quotes: "22-Nov-2026 02:15:06 +0000". Times outside the
/// years 1 to 9999 are clamped (T74).
std::string format_date_time(WallTime time);
/// A SEARCH date, as in "1-Feb-1994", without quotes.
Result<std::chrono::sys_days> parse_date(std::string_view text);

}  // namespace godwit::imap
