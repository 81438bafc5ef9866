#include "mail/text/date.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "mail/text/lexical.h"

namespace godwit::mail {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::int64_t kSecondsPerDay = 86400;

// Days since 1970-01-01 of the proleptic Gregorian calendar, by eras of 400 years.
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) {
    year -= month <= 2 ? 1 : 0;
    const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
    const std::int64_t year_of_era = year - era * 400;
    const std::int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    const std::int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

struct Number {
    std::uint32_t value = 0;
    std::size_t digits = 0;
};

// At most nine digits, so that the value cannot overflow; more is no number of a date.
std::optional<Number> take_number(LexicalView& lexer) {
    Number number;
    while (is_digit(lexer.peek()) && number.digits < 10) {
        number.value = number.digits < 9
                           ? number.value * 10 + static_cast<std::uint32_t>(lexer.peek() - '0')
                           : 0;
        ++number.digits;
        lexer.advance(1);
    }
    if (number.digits == 0 || number.digits > 9) {
        return std::nullopt;
    }
    return number;
}

std::string_view take_letters(LexicalView& lexer) {
    std::size_t count = 0;
    while (count < lexer.rest().size() && is_alpha(lexer.rest()[count])) {
        ++count;
    }
    const std::string_view letters = lexer.rest().substr(0, count);
    lexer.advance(count);
    return letters;
}

// RFC 5322 4.3: military letters and unknown names mean -0000.
std::int32_t zone_by_name(std::string_view name) {
    struct Zone {
        std::string_view name;
        std::int32_t minutes;
    };
    static constexpr std::array<Zone, 13> kZones = {{{"UT", 0},
                                                     {"GMT", 0},
                                                     {"UTC", 0},
                                                     {"EST", -300},
                                                     {"EDT", -240},
                                                     {"CST", -360},
                                                     {"CDT", -300},
                                                     {"MST", -420},
                                                     {"MDT", -360},
                                                     {"PST", -480},
                                                     {"PDT", -420},
                                                     {"CET", 60},
                                                     {"CEST", 120}}};
    for (const Zone& zone : kZones) {
        if (equals_ignore_case(zone.name, name)) {
            return zone.minutes;
        }
    }
    return 0;
}

// A zone, if one is next; nothing or an impossible one is UTC.
std::int32_t take_zone(LexicalView& lexer) {
    lexer.skip_cfws();
    const char sign = lexer.peek();
    if (sign != '+' && sign != '-') {
        return zone_by_name(take_letters(lexer));
    }
    lexer.advance(1);
    auto number = take_number(lexer);
    if (number && number->digits == 2 && lexer.take(':')) {  // "+01:00", as some programs write.
        const auto minutes = take_number(lexer);
        number = minutes && minutes->digits == 2
                     ? std::optional(Number{number->value * 100 + minutes->value, 4})
                     : std::nullopt;
    }
    if (!number || number->digits != 4 || number->value % 100 > 59 || number->value > 2359) {
        return 0;
    }
    const auto minutes = static_cast<std::int32_t>(number->value / 100 * 60 + number->value % 100);
    return sign == '-' ? -minutes : minutes;
}

bool take_time(LexicalView& lexer, CivilTime& civil) {
    const auto hour = take_number(lexer);
    lexer.skip_cfws();
    if (!hour || !(lexer.take(':') || lexer.take('.'))) {
        return false;
    }
    lexer.skip_cfws();
    const auto minute = take_number(lexer);
    if (!minute || hour->value > 23 || minute->value > 59) {
        return false;
    }
    civil.hour = hour->value;
    civil.minute = minute->value;
    lexer.skip_cfws();
    if (lexer.take(':') || lexer.take('.')) {
        lexer.skip_cfws();
        const auto second = take_number(lexer);
        if (!second || second->value > 60) {
            return false;
        }
        civil.second = second->value;
        if (lexer.peek() == '.') {  // Fractions of a second, from programs that know no better.
            lexer.advance(1);
            (void)take_number(lexer);
        }
    }
    return true;
}

std::optional<std::int64_t> take_year(LexicalView& lexer) {
    const auto number = take_number(lexer);
    if (!number || number->value > 9999 || number->digits < 2) {
        return std::nullopt;
    }
    if (number->digits == 2) {  // RFC 5322 4.3
        return number->value < 50 ? 2000 + number->value : 1900 + number->value;
    }
    return number->digits == 3 ? 1900 + number->value : number->value;
}

bool is_possible(const CivilTime& civil) {
    return civil.day >= 1 && civil.day <= days_in_month(civil.year, civil.month);
}

void skip_separator(LexicalView& lexer) {
    lexer.skip_cfws();
    if (lexer.take('-')) {
        lexer.skip_cfws();
    }
}

std::optional<unsigned> take_month(LexicalView& lexer) {
    return month_index(take_letters(lexer));
}

DateTime at_offset(const CivilTime& civil, std::int32_t offset) {
    return {from_civil(civil) - std::int64_t{offset} * 60, offset};
}

// "Nov 22 02:15:06 2026", what C's asctime prints, with a zone before or after the year.
std::optional<DateTime> parse_asctime(LexicalView lexer, unsigned month) {
    CivilTime civil;
    civil.month = month + 1;
    lexer.skip_cfws();
    const auto day = take_number(lexer);
    lexer.skip_cfws();
    if (!day || !take_time(lexer, civil)) {
        return std::nullopt;
    }
    lexer.skip_cfws();
    std::int32_t offset = is_digit(lexer.peek()) ? 0 : take_zone(lexer);
    lexer.skip_cfws();
    const auto year = take_year(lexer);
    if (!year) {
        return std::nullopt;
    }
    civil.year = *year;
    civil.day = day->value;
    lexer.skip_cfws();
    if (!lexer.at_end()) {
        offset = take_zone(lexer);
    }
    return is_possible(civil) ? std::optional(at_offset(civil, offset)) : std::nullopt;
}

}  // namespace

std::optional<DateTime> parse_date(std::string_view body) {
    LexicalView lexer(body);
    lexer.skip_cfws();
    std::string_view word = take_letters(lexer);
    if (!word.empty()) {  // Day of week: not looked at, as nobody agrees what to do when it lies.
        if (const auto month = month_index(word)) {
            return parse_asctime(lexer, *month);
        }
        lexer.take('.');
        lexer.skip_cfws();
        while (lexer.take(',')) {
            lexer.skip_cfws();
        }
        if (is_alpha(lexer.peek())) {
            const auto month = take_month(lexer);
            return month ? parse_asctime(lexer, *month) : std::nullopt;
        }
    }
    CivilTime civil;
    const auto day = take_number(lexer);
    if (!day || day->digits > 2) {
        return std::nullopt;
    }
    skip_separator(lexer);
    const auto month = take_month(lexer);
    if (!month) {
        return std::nullopt;
    }
    lexer.take('.');
    skip_separator(lexer);
    const auto year = take_year(lexer);
    lexer.skip_cfws();
    lexer.take(',');
    lexer.skip_cfws();
    if (!year || !take_time(lexer, civil)) {
        return std::nullopt;
    }
    civil.year = *year;
    civil.month = *month + 1;
    civil.day = day->value;
    if (!is_possible(civil)) {
        return std::nullopt;
    }
    return at_offset(civil, take_zone(lexer));
}

std::string format_date(std::int64_t unix_seconds, std::int32_t offset_minutes) {
    constexpr std::int64_t kYear0 = -62167219200;      // 0000-01-01
    constexpr std::int64_t kYear10000 = 253402300800;  // 10000-01-01
    offset_minutes = std::clamp(offset_minutes, -1439, 1439);
    const CivilTime civil = to_civil(
        std::clamp(unix_seconds, kYear0 + kSecondsPerDay, kYear10000 - kSecondsPerDay - 1) +
        offset_minutes * 60);
    std::string out;
    out.reserve(32);
    const auto put = [&out](std::uint64_t value, int width) {
        const std::string digits = std::to_string(value);
        out.append(static_cast<std::size_t>(std::max(0, width - static_cast<int>(digits.size()))),
                   '0')
            .append(digits);
    };
    out.append(kDays[civil.weekday]).append(", ");
    out.append(std::to_string(civil.day)).append(" ").append(kMonths[civil.month - 1]).append(" ");
    put(static_cast<std::uint64_t>(civil.year), 4);
    out.push_back(' ');
    put(civil.hour, 2);
    out.push_back(':');
    put(civil.minute, 2);
    out.push_back(':');
    put(civil.second, 2);
    out.append(offset_minutes < 0 ? " -" : " +");
    const auto distance =
        static_cast<std::uint64_t>(offset_minutes < 0 ? -offset_minutes : offset_minutes);
    put(distance / 60 * 100 + distance % 60, 4);
    return out;
}

CivilTime to_civil(std::int64_t unix_seconds) {
    std::int64_t days = unix_seconds / kSecondsPerDay;
    std::int64_t second_of_day = unix_seconds % kSecondsPerDay;
    if (second_of_day < 0) {
        second_of_day += kSecondsPerDay;
        --days;
    }
    const std::int64_t shifted = days + 719468;
    const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    const std::int64_t day_of_era = shifted - era * 146097;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const std::int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
    CivilTime civil;
    civil.day = static_cast<unsigned>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    civil.month = static_cast<unsigned>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    civil.year = year_of_era + era * 400 + (civil.month <= 2 ? 1 : 0);
    civil.hour = static_cast<unsigned>(second_of_day / 3600);
    civil.minute = static_cast<unsigned>(second_of_day / 60 % 60);
    civil.second = static_cast<unsigned>(second_of_day % 60);
    civil.weekday = static_cast<unsigned>(((days + 4) % 7 + 7) % 7);
    return civil;
}

std::int64_t from_civil(const CivilTime& civil) {
    return days_from_civil(civil.year, civil.month, civil.day) * kSecondsPerDay +
           civil.hour * 3600 + civil.minute * 60 + civil.second;
}

unsigned days_in_month(std::int64_t year, unsigned month) {
    static constexpr std::array<unsigned, 12> kDaysOf = {31, 28, 31, 30, 31, 30,
                                                         31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : kDaysOf[(month - 1) % 12];
}

std::optional<unsigned> month_index(std::string_view name) {
    for (unsigned i = 0; name.size() >= 3 && i < kMonths.size(); ++i) {
        if (equals_ignore_case(name.substr(0, 3), kMonths[i])) {
            return i;
        }
    }
    return std::nullopt;
}

std::string_view month_name(unsigned index) {
    return kMonths[index % 12];
}
std::string_view weekday_name(unsigned index) {
    return kDays[index % 7];
}

}  // namespace godwit::mail
