// Dates in headers. RFC 5322 3.3 and the obsolete forms of 4.3 (two-digit years, zone names,
// comments), and a few forms that real mail has (no day of week comma, no seconds, ISO 8601 is
// not).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace godwit::mail {

struct DateTime {
    std::int64_t unix_seconds = 0;  ///< UTC.
    std::int32_t offset_minutes =
        0;  ///< East of UTC, as the writer said; -0000 and unknown zones are 0.
    bool operator==(const DateTime&) const = default;
};

/// nullopt if it is not a date. Second 60 counts as 59 of that minute plus one.
std::optional<DateTime> parse_date(std::string_view body);
/// "Sun, 22 Nov 2026 02:15:06 +0000". Years outside 0-9999 are clamped.
std::string format_date(std::int64_t unix_seconds, std::int32_t offset_minutes = 0);

/// A day and time of the proleptic Gregorian calendar.
struct CivilTime {
    std::int64_t year = 1970;
    unsigned month = 1;  ///< 1-12
    unsigned day = 1;    ///< 1-31
    unsigned hour = 0, minute = 0, second = 0;
    unsigned weekday = 0;  ///< 0 = Sunday
};
CivilTime to_civil(std::int64_t unix_seconds);
/// Ignores weekday; the parts must be in range.
std::int64_t from_civil(const CivilTime& civil);
/// 28-31; month 1-12.
unsigned days_in_month(std::int64_t year, unsigned month);

/// 0-11 for "jan".."dec" in any case, else nullopt.
std::optional<unsigned> month_index(std::string_view name);
/// "Jan".."Dec" and "Sun".."Sat".
std::string_view month_name(unsigned index);
std::string_view weekday_name(unsigned index);

}  // namespace godwit::mail
