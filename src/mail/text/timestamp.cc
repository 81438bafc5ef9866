#include "mail/text/timestamp.h"

#include <algorithm>

#include "base/ascii.h"
#include "mail/text/date.h"

namespace godwit::mail {

namespace {

/// Takes what it can read off the front; a miss stays a miss.
class Scanner {
public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    unsigned number(std::size_t digits) {
        unsigned value = 0;
        ok_ = ok_ && rest_.size() >= digits;
        for (std::size_t i = 0; ok_ && i < digits; ++i) {
            ok_ = is_digit(rest_[i]);
            value = value * 10 + static_cast<unsigned>(rest_[i] - '0');
        }
        rest_.remove_prefix(ok_ ? digits : 0);
        return ok_ ? value : 0;
    }
    bool take(std::string_view any_of) {
        const bool is_there =
            ok_ && !rest_.empty() && any_of.find(rest_.front()) != std::string_view::npos;
        rest_.remove_prefix(is_there ? 1 : 0);
        return is_there;
    }
    void must_take(std::string_view any_of) { ok_ = take(any_of) && ok_; }
    void fraction() {
        if (take(".")) {
            ok_ = !rest_.empty() && is_digit(rest_.front());
            while (!rest_.empty() && is_digit(rest_.front())) {
                rest_.remove_prefix(1);
            }
        }
    }
    /// East of UTC, in seconds.
    std::int64_t offset() {
        if (take("Zz")) {
            return 0;
        }
        const bool is_east = take("+");
        if (!is_east) {
            must_take("-");
        }
        const unsigned hours = number(2);
        must_take(":");
        const unsigned minutes = number(2);
        ok_ = ok_ && hours < 24 && minutes < 60;
        const std::int64_t seconds = std::int64_t{hours} * 3600 + std::int64_t{minutes} * 60;
        return is_east ? seconds : -seconds;
    }
    [[nodiscard]] bool is_at_end() const { return ok_ && rest_.empty(); }

private:
    std::string_view rest_;
    bool ok_ = true;
};

std::string padded(std::int64_t number, std::size_t digits) {
    std::string text = std::to_string(number);
    text.insert(0, digits - std::min(digits, text.size()), '0');
    return text;
}

}  // namespace

std::optional<std::int64_t> parse_timestamp(std::string_view text) {
    if (text.size() > timestamp_size_max) {
        return std::nullopt;
    }
    Scanner in(text);
    CivilTime civil;
    civil.year = in.number(4);
    in.must_take("-");
    civil.month = in.number(2);
    in.must_take("-");
    civil.day = in.number(2);
    in.must_take("Tt");
    civil.hour = in.number(2);
    in.must_take(":");
    civil.minute = in.number(2);
    in.must_take(":");
    civil.second = in.number(2);
    in.fraction();
    const std::int64_t offset = in.offset();
    if (!in.is_at_end() || civil.month < 1 || civil.month > 12 || civil.day < 1 ||
        civil.day > days_in_month(civil.year, civil.month) || civil.hour > 23 ||
        civil.minute > 59 || civil.second > 60) {
        return std::nullopt;
    }
    const bool is_leap_second = civil.second == 60;
    civil.second -= is_leap_second ? 1 : 0;
    return from_civil(civil) + (is_leap_second ? 1 : 0) - offset;
}

std::string format_timestamp(std::int64_t unix_seconds) {
    const CivilTime civil = to_civil(unix_seconds);
    return padded(std::clamp<std::int64_t>(civil.year, 0, 9999), 4) + "-" + padded(civil.month, 2) +
           "-" + padded(civil.day, 2) + "T" + padded(civil.hour, 2) + ":" +
           padded(civil.minute, 2) + ":" + padded(civil.second, 2) + "Z";
}

}  // namespace godwit::mail
