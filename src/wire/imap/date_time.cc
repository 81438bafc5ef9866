#include "wire/imap/date_time.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "base/ascii.h"

namespace godwit::imap {

namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::unexpected<Error> bad_date() {
    return peer_error(ErrorCode::Invalid, "Expected a date such as 22-Nov-2026");
}

std::unexpected<Error> bad_date_time() {
    return peer_error(ErrorCode::Invalid,
                      "Expected a date and time such as \"22-Nov-2026 02:15:06 +0000\"");
}

std::optional<unsigned> month_number(std::string_view name) {
    for (std::size_t i = 0; i < kMonths.size(); ++i) {
        if (equals_ignore_case(name, kMonths[i])) {
            return static_cast<unsigned>(i + 1);
        }
    }
    return std::nullopt;
}

// Exactly `digits` digits at `at`, as a number.
std::optional<unsigned> fixed_number(std::string_view text, std::size_t at, std::size_t digits) {
    if (at + digits > text.size()) {
        return std::nullopt;
    }
    return parse_u32(text.substr(at, digits));
}

void append_two(std::string& out, unsigned value) {
    out.push_back(static_cast<char>('0' + value / 10 % 10));
    out.push_back(static_cast<char>('0' + value % 10));
}

}  // namespace

Result<sys_days> parse_date(std::string_view text) {
    const std::size_t dash = text.find('-');
    // "d-Mon-yyyy" or "dd-Mon-yyyy".
    if (dash != 1 && dash != 2) {
        return bad_date();
    }
    if (text.size() != dash + 9 || text[dash + 4] != '-') {
        return bad_date();
    }
    const auto day = parse_u32(text.substr(0, dash));
    const auto month = month_number(text.substr(dash + 1, 3));
    const auto year = fixed_number(text, dash + 5, 4);
    if (!day || !month || !year) {
        return bad_date();
    }
    const year_month_day date(std::chrono::year(static_cast<int>(*year)),
                              std::chrono::month(*month), std::chrono::day(*day));
    if (!date.ok()) {
        return bad_date();
    }
    return sys_days(date);
}

Result<WallTime> parse_date_time(std::string_view text) {
    // " 1-Jan-2026 00:00:00 +0000": the day may have its SP, one digit or two.
    if (text.starts_with(' ')) {
        text.remove_prefix(1);
    }
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos || text.size() != space + 15) {
        return bad_date_time();
    }
    const auto date = parse_date(text.substr(0, space));
    if (!date) {
        return bad_date_time();
    }
    const std::string_view rest = text.substr(space + 1);  // "hh:mm:ss +zzzz"
    const auto hour = fixed_number(rest, 0, 2);
    const auto minute = fixed_number(rest, 3, 2);
    const auto second = fixed_number(rest, 6, 2);
    const auto zone_hours = fixed_number(rest, 10, 2);
    const auto zone_minutes = fixed_number(rest, 12, 2);
    const bool in_form =
        rest[2] == ':' && rest[5] == ':' && rest[8] == ' ' && (rest[9] == '+' || rest[9] == '-');
    if (!in_form || !hour || !minute || !second || !zone_hours || !zone_minutes) {
        return bad_date_time();
    }
    if (*hour > 23 || *minute > 59 || *second > 60 || *zone_minutes > 59) {
        return bad_date_time();
    }
    const std::int64_t of_day = std::int64_t{*hour} * 3600 + std::int64_t{*minute} * 60 + *second;
    const std::int64_t zone = (std::int64_t{*zone_hours} * 60 + *zone_minutes) * 60;
    const std::int64_t midnight = std::int64_t{date->time_since_epoch().count()} * 86400;
    return from_unix_seconds(midnight + of_day - (rest[9] == '+' ? zone : -zone));
}

std::string format_date_time(WallTime time) {
    constexpr std::int64_t kFirst = -62135596800;  // 1 January of the year 1
    constexpr std::int64_t kLast = 253402300799;   // the last second of 9999
    const std::int64_t seconds = std::clamp(unix_seconds(time), kFirst, kLast);
    const auto midnight =
        std::chrono::floor<days>(std::chrono::sys_seconds(std::chrono::seconds(seconds)));
    const year_month_day date(midnight);
    const auto of_day =
        static_cast<unsigned>(seconds - std::int64_t{midnight.time_since_epoch().count()} * 86400);
    const auto day = static_cast<unsigned>(date.day());
    const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
    std::string out;
    append_two(out, day);
    if (day < 10) {
        out[0] = ' ';  // RFC 3501 9, date-day-fixed
    }
    out.append("-").append(kMonths[static_cast<unsigned>(date.month()) - 1]).append("-");
    append_two(out, year / 100);
    append_two(out, year % 100);
    out.push_back(' ');
    append_two(out, of_day / 3600);
    out.push_back(':');
    append_two(out, of_day / 60 % 60);
    out.push_back(':');
    append_two(out, of_day % 60);
    out.append(" +0000");
    return out;
}

}  // namespace godwit::imap
