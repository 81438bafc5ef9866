#include "mail/file/mbox.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "base/ascii.h"

namespace godwit::mail {

namespace {

constexpr std::array<std::string_view, 12> kMonths{"jan", "feb", "mar", "apr", "may", "jun",
                                                   "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonthNames{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// In the order of MboxReader::seen_.
constexpr std::array<std::string_view, 3> kStatusFields{"status", "x-status", "x-keywords"};

struct StatusLetter {
    char letter;
    std::string_view flag;
};
// Of Status and X-Status together; no letter is in both with two meanings.
constexpr std::array<StatusLetter, 5> kStatusLetters{{{'R', "\\Seen"},
                                                      {'A', "\\Answered"},
                                                      {'F', "\\Flagged"},
                                                      {'D', "\\Deleted"},
                                                      {'T', "\\Draft"}}};

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of(" \t\r\n"), text.size());
        if (end > 0) {
            words.push_back(text.substr(0, end));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
}

std::optional<std::uint32_t> number_of(std::string_view text, std::uint32_t most) {
    const auto number = text.size() <= 4 ? parse_u32(text) : std::nullopt;
    return number && *number <= most ? number : std::nullopt;
}

/// "16:24" or "16:24:04", in seconds.
std::optional<std::int64_t> time_of(std::string_view word) {
    const std::size_t first = word.find(':');
    if (first == std::string_view::npos) {
        return std::nullopt;
    }
    const std::size_t second = word.find(':', first + 1);
    const auto hour = number_of(word.substr(0, first), 23);
    const auto minute = number_of(
        word.substr(first + 1, second == std::string_view::npos ? second : second - first - 1), 59);
    const auto seconds = second == std::string_view::npos ? std::optional<std::uint32_t>(0)
                                                          : number_of(word.substr(second + 1), 60);
    if (!hour || !minute || !seconds) {
        return std::nullopt;
    }
    return std::int64_t{*hour} * 3600 + std::int64_t{*minute} * 60 + std::int64_t{*seconds};
}

/// "+0130", in seconds.
std::optional<std::int64_t> zone_of(std::string_view word) {
    const bool has_sign = word.size() == 5 && (word.front() == '+' || word.front() == '-');
    const auto number = has_sign ? number_of(word.substr(1), 2400) : std::nullopt;
    if (!number) {
        return std::nullopt;
    }
    const std::int64_t seconds =
        std::int64_t{*number / 100} * 3600 + std::int64_t{*number % 100} * 60;
    return word.front() == '-' ? -seconds : seconds;
}

std::string two_digits(std::int64_t number) {
    return (number < 10 ? "0" : "") + std::to_string(number);
}

std::string_view without_end(std::string_view line) {
    if (line.ends_with('\n')) {
        line.remove_suffix(1);
    }
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    return line;
}

}  // namespace

std::optional<std::int64_t> mbox_date(std::string_view from_line) {
    const std::vector<std::string_view> words = words_of(from_line);
    for (std::size_t i = 3; i + 1 < words.size(); ++i) {
        const auto time = time_of(words[i]);
        const auto day = number_of(words[i - 1], 31);
        const auto* const month = std::ranges::find(kMonths, to_lower(words[i - 2]));
        if (!time || !day || *day == 0 || month == kMonths.end()) {
            continue;
        }
        std::int64_t zone = 0;
        for (std::size_t j = i + 1; j < words.size(); ++j) {
            zone = zone_of(words[j]).value_or(zone);
        }
        for (std::size_t j = i + 1; j < words.size(); ++j) {
            const auto year = words[j].size() == 4 ? number_of(words[j], 9999) : std::nullopt;
            const std::chrono::year_month_day date(
                std::chrono::year(static_cast<int>(year.value_or(0))),
                std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
                std::chrono::day(*day));
            if (year && *year >= 1900 && date.ok()) {
                const auto days = std::chrono::sys_days(date).time_since_epoch().count();
                return std::int64_t{days} * 86400 + *time - zone;
            }
        }
    }
    return std::nullopt;
}

void MboxReader::feed(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        const std::size_t count = end == std::string_view::npos ? bytes.size() : end + 1;
        line_.append(bytes.substr(0, count));
        bytes.remove_prefix(count);
        if (line_.ends_with('\n') || line_.size() > mbox_line_max) {
            const std::string line = std::exchange(line_, std::string());
            const bool goes_on = !line.ends_with('\n');
            if (is_long_) {
                emit(line);
            } else {
                take_line(line);
            }
            is_long_ = goes_on;
        }
    }
}

void MboxReader::finish() {
    if (!line_.empty()) {
        const std::string line = std::exchange(line_, std::string());
        is_long_ ? emit(line) : take_line(line);
    }
    end_message();
}

std::optional<MboxEvent> MboxReader::next() {
    if (events_.empty()) {
        return std::nullopt;
    }
    MboxEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
}

void MboxReader::take_line(std::string_view line) {
    const std::string_view text = without_end(line);
    const bool may_begin = !is_inside_ || !blank_.empty();
    if (may_begin && text.starts_with("From ") && text.size() < mbox_line_max &&
        (!is_inside_ || mbox_date(text))) {
        end_message();
        is_inside_ = true;
        is_header_ = true;
        facts_.date = mbox_date(text);
        events_.emplace_back(MboxBegin{std::string(text)});
        return;
    }
    if (!is_inside_) {
        had_strange_start_ = had_strange_start_ || !trim(text).empty();
        return;
    }
    if (!blank_.empty()) {
        emit(std::exchange(blank_, std::string()));
    }
    if (is_header_) {
        take_header(line);
        return;
    }
    if (text.empty()) {
        blank_ = line;
        return;
    }
    emit(unquoted(line));
}

std::string_view MboxReader::unquoted(std::string_view line) const {
    const std::size_t quotes = std::min(line.find_first_not_of('>'), line.size());
    const bool is_quoted = quotes > 0 && line.substr(quotes).starts_with("From ") &&
                           quoting_ != MboxQuoting::None &&
                           (quotes == 1 || quoting_ == MboxQuoting::Rd);
    return line.substr(is_quoted ? 1 : 0);
}

void MboxReader::take_header(std::string_view line) {
    if (without_end(line).empty()) {
        is_header_ = false;
        blank_ = line;  // Of a message without a body it may be the one in front of From_.
        return;
    }
    const bool is_folded = line.front() == ' ' || line.front() == '\t';
    if (is_folded && is_status_) {
        return;
    }
    is_status_ = !is_folded && take_status(line);
    if (!is_status_) {
        emit(unquoted(line));
    }
}

bool MboxReader::take_status(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || line.size() > mbox_line_max) {
        return false;
    }
    const std::string name = to_lower(trim(line.substr(0, colon)));
    const auto* const field = std::ranges::find(kStatusFields, name);
    const auto bit = 1U << static_cast<unsigned>(field - kStatusFields.begin());
    if (field == kStatusFields.end() || (seen_ & bit) != 0) {
        return false;
    }
    seen_ |= bit;
    const std::string_view value = line.substr(colon + 1);
    if (name == "x-keywords") {
        for (const std::string_view word : words_of(value)) {
            facts_.flags.emplace_back(word);
        }
        return true;
    }
    for (const StatusLetter& one : kStatusLetters) {
        if (value.find(one.letter) != std::string_view::npos) {
            facts_.flags.emplace_back(one.flag);
        }
    }
    return true;
}

void MboxReader::end_message() {
    if (is_inside_) {
        events_.emplace_back(std::exchange(facts_, MboxEnd{}));
    }
    is_inside_ = false;
    is_header_ = false;
    is_status_ = false;
    blank_.clear();
    seen_ = 0;
}

void MboxReader::emit(std::string_view octets) {
    if (is_inside_ && !octets.empty()) {
        auto* last = events_.empty() ? nullptr : std::get_if<MboxOctets>(&events_.back());
        if (last != nullptr && last->octets.size() < mbox_line_max) {
            last->octets.append(octets);
        } else {
            events_.emplace_back(MboxOctets{std::string(octets)});
        }
    }
}

std::string mbox_front(std::int64_t date, const std::vector<std::string>& flags,
                       std::string_view line_end) {
    const std::chrono::sys_seconds at{std::chrono::seconds(date)};
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day ymd(day);
    const std::int64_t seconds = (at - day).count();
    std::string out = "From MAILER-DAEMON ";
    out.append(kDays[std::chrono::weekday(day).c_encoding()]).append(" ");
    out.append(kMonthNames[unsigned{ymd.month()} - 1]).append(" ");
    out.append(two_digits(unsigned{ymd.day()})).append(" ");
    out.append(two_digits(seconds / 3600)).append(":").append(two_digits(seconds / 60 % 60));
    out.append(":").append(two_digits(seconds % 60)).append(" ");
    out.append(std::to_string(int{ymd.year()})).append("\n");
    std::string status;
    std::string keywords;
    for (const std::string& flag : flags) {
        const auto* const letter = std::ranges::find(kStatusLetters, flag, &StatusLetter::flag);
        if (letter == kStatusLetters.end()) {
            keywords.append(" ").append(flag);
        } else if (letter->letter != 'R') {
            status.push_back(letter->letter);
        }
    }
    const bool is_seen = std::ranges::find(flags, "\\Seen") != flags.end();
    out.append("Status: ").append(is_seen ? "RO" : "O").append(line_end);
    out.append("X-Status: ").append(status).append(line_end);
    out.append("X-Keywords:").append(keywords).append(line_end);
    return out;
}

void MboxQuoter::feed(std::string_view bytes, std::string& out) {
    constexpr std::string_view kFrom = "From ";
    for (const char c : bytes) {
        const bool is_quote = is_front_ && front_.empty() && c == '>';
        if (is_front_ && !is_quote && c == kFrom[front_.size()]) {
            front_.push_back(c);
            if (front_ == kFrom) {
                // Behind the others, which is in front of them.
                out.append(">").append(front_);
                front_.clear();
                is_front_ = false;
            }
            continue;
        }
        out.append(front_);
        front_.clear();
        out.push_back(c);
        is_front_ = is_quote || c == '\n';
    }
}

void MboxQuoter::finish(std::string& out) {
    out.append(std::exchange(front_, std::string()));
}

}  // namespace godwit::mail
