// Values of configuration keys: words for sizes and times, checking types and bounds, printing
// TOML.
#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "app/config_keys.h"
#include "base/ascii.h"
#include "base/json.h"

namespace godwit::app {
namespace {

struct UnitWord {
    std::string_view word;
    std::uint64_t factor;
};
// The first word of a factor is the one that is printed; a plural "s" is printed for whole words.
constexpr auto kTimeWords = std::to_array<UnitWord>({
    {"weeks", 604800},
    {"week", 604800},
    {"w", 604800},
    {"days", 86400},
    {"day", 86400},
    {"d", 86400},
    {"hours", 3600},
    {"hour", 3600},
    {"h", 3600},
    {"minutes", 60},
    {"minute", 60},
    {"min", 60},
    {"m", 60},
    {"seconds", 1},
    {"second", 1},
    {"s", 1},
});
constexpr auto kSizeWords = std::to_array<UnitWord>({
    {"GiB", 1024ULL * 1024 * 1024},
    {"MiB", 1024ULL * 1024},
    {"KiB", 1024},
    {"octets", 1},
    {"B", 1},
});

/// "<digits> [spaces] <word>" with a word of the table; nullopt otherwise or past 63 bits.
std::optional<std::uint64_t> parse_with_unit(std::string_view text, std::span<const UnitWord> words,
                                             bool allow_bare) {
    text = trim(text);
    std::size_t digits = 0;
    while (digits < text.size() && is_digit(text[digits])) {
        ++digits;
    }
    const auto number = parse_u64(text.substr(0, digits));
    const std::string_view word = trim(text.substr(digits));
    if (!number) {
        return std::nullopt;
    }
    if (word.empty()) {
        return allow_bare ? number : std::nullopt;
    }
    for (const UnitWord& unit : words) {
        if (equals_ignore_case(unit.word, word)) {
            constexpr auto kMax =
                static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
            if (*number > kMax / unit.factor) {
                return std::nullopt;
            }
            return *number * unit.factor;
        }
    }
    return std::nullopt;
}

std::string join_words(std::span<const std::string_view> words) {
    std::string out;
    for (const std::string_view word : words) {
        out.append(out.empty() ? "" : ", ").append(word);
    }
    return out;
}

/// TOML basic strings escape as JSON strings do, but for U+007F, which our texts do not hold.
std::string quoted(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

std::string describe(const ConfigValue& value) {
    struct Visitor {
        std::string operator()(const std::string& text) const { return "text " + quoted(text); }
        std::string operator()(std::int64_t number) const {
            return "number " + std::to_string(number);
        }
        std::string operator()(bool flag) const { return flag ? "true" : "false"; }
        std::string operator()(const std::vector<std::string>&) const { return "a list of texts"; }
        std::string operator()(const OtherValue& other) const { return std::string(other.type); }
    };
    return std::visit(Visitor{}, value);
}

std::unexpected<Error> mismatch(std::string_view expected, const ConfigValue& value) {
    return peer_error(ErrorCode::Invalid,
                      "expected " + std::string(expected) + ", found " + describe(value));
}

std::uint64_t factor_of(Unit unit) {
    switch (unit) {
        case Unit::None:
        case Unit::Octets: return 1;
        case Unit::Kibibytes: return 1024;
        case Unit::Mebibytes: return 1024ULL * 1024;
        case Unit::Days: return 86400;
    }
    return 1;
}
bool is_size(Unit unit) {
    return unit == Unit::Octets || unit == Unit::Kibibytes || unit == Unit::Mebibytes;
}

std::string show_number(std::uint64_t value, Unit unit) {
    if (is_size(unit)) {
        return quoted(show_size(value));
    }
    if (unit == Unit::Days) {
        return quoted(show_duration(std::chrono::seconds(static_cast<std::int64_t>(value))));
    }
    return std::to_string(value);
}

/// The number in the file's smallest unit, inside its bounds and a multiple of the field's unit.
Result<std::uint64_t> read_number(const ConfigValue& value, Unit unit, std::uint64_t min,
                                  std::uint64_t max) {
    std::optional<std::uint64_t> number;
    if (const auto* integer = std::get_if<std::int64_t>(&value);
        integer != nullptr && *integer >= 0) {
        if (unit != Unit::Days) {
            number = static_cast<std::uint64_t>(*integer);
        }
    } else if (const auto* text = std::get_if<std::string>(&value)) {
        if (is_size(unit)) {
            number = parse_with_unit(*text, kSizeWords, true);
        } else if (unit == Unit::Days) {
            number = parse_with_unit(*text, kTimeWords, false);
        }
    }
    const std::string_view expected = is_size(unit)        ? "a size such as \"50 MiB\""
                                      : unit == Unit::Days ? "a time in days such as \"30 days\""
                                                           : "a whole number";
    if (!number) {
        return mismatch(expected, value);
    }
    if (*number < min || *number > max) {
        return mismatch(std::string(expected) + " from " + show_number(min, unit) + " to " +
                            show_number(max, unit),
                        value);
    }
    const std::uint64_t factor = factor_of(unit);
    if (*number % factor != 0) {
        return mismatch("a multiple of " + show_number(factor, unit), value);
    }
    return *number / factor;
}

template <class Number>
Result<> set_number(Number* field, Unit unit, std::uint64_t min, std::uint64_t max,
                    const ConfigValue& value) {
    const std::uint64_t number = TRY(read_number(value, unit, min, max));
    if (number > std::numeric_limits<Number>::max()) {
        return mismatch("a smaller number", value);
    }
    *field = static_cast<Number>(number);
    return {};
}

Result<std::size_t> find_word(std::span<const std::string_view> words, const ConfigValue& value) {
    const auto* text = std::get_if<std::string>(&value);
    if (text != nullptr) {
        const auto found = std::ranges::find(words, std::string_view(*text));
        if (found != words.end()) {
            return static_cast<std::size_t>(found - words.begin());
        }
    }
    auto error = mismatch("one of " + join_words(words), value);
    if (text != nullptr) {
        const std::string_view near = nearest(*text, words);
        if (!near.empty()) {
            error.error().text.append("; did you mean ").append(quoted(near)).append("?");
        }
    }
    return error;
}

struct Setter {
    Unit unit;
    std::uint64_t min;
    std::uint64_t max;
    const ConfigValue& value;

    Result<> operator()(std::string* field) const {
        const auto* text = std::get_if<std::string>(&value);
        if (text == nullptr) {
            return mismatch("text in quotes", value);
        }
        for (const char c : *text) {
            if (is_ctl(c)) {
                return mismatch("text without control characters", value);
            }
        }
        *field = *text;
        return {};
    }
    Result<> operator()(std::uint16_t* field) const {
        return set_number(field, unit, min, max, value);
    }
    Result<> operator()(std::uint32_t* field) const {
        return set_number(field, unit, min, max, value);
    }
    Result<> operator()(std::uint64_t* field) const {
        return set_number(field, unit, min, max, value);
    }
    Result<> operator()(bool* field) const {
        const auto* flag = std::get_if<bool>(&value);
        if (flag == nullptr) {
            return mismatch("true or false", value);
        }
        *field = *flag;
        return {};
    }
    Result<> operator()(std::chrono::seconds* field) const {
        const auto* text = std::get_if<std::string>(&value);
        const auto number =
            text != nullptr ? parse_with_unit(*text, kTimeWords, false) : std::nullopt;
        if (!number) {
            return mismatch("a time such as \"5 minutes\"", value);
        }
        if (*number < min || *number > max) {
            return mismatch("a time from " + show_number(min, Unit::Days) + " to " +
                                show_number(max, Unit::Days),
                            value);
        }
        *field = std::chrono::seconds(static_cast<std::int64_t>(*number));
        return {};
    }
    Result<> operator()(std::vector<std::string>* field) const {
        const auto* list = std::get_if<std::vector<std::string>>(&value);
        if (list == nullptr) {
            return mismatch("a list of texts such as [\"a\", \"b\"]", value);
        }
        *field = *list;
        return {};
    }
    Result<> operator()(const WordField& field) const {
        *field.value = std::string(field.words[TRY(find_word(field.words, value))]);
        return {};
    }
    Result<> operator()(const EnumField& field) const {
        *field.value = static_cast<std::uint8_t>(TRY(find_word(field.words, value)));
        return {};
    }
};

struct Printer {
    Unit unit;
    std::string operator()(const std::string* field) const { return quoted(*field); }
    std::string operator()(const std::uint16_t* field) const {
        return show_number(*field * factor_of(unit), unit);
    }
    std::string operator()(const std::uint32_t* field) const {
        return show_number(*field * factor_of(unit), unit);
    }
    std::string operator()(const std::uint64_t* field) const {
        return show_number(*field * factor_of(unit), unit);
    }
    std::string operator()(const bool* field) const { return *field ? "true" : "false"; }
    std::string operator()(const std::chrono::seconds* field) const {
        return quoted(show_duration(*field));
    }
    std::string operator()(const std::vector<std::string>* field) const {
        std::string out = "[";
        for (const std::string& item : *field) {
            out.append(out.size() > 1 ? ", " : "").append(quoted(item));
        }
        return out.append("]");
    }
    std::string operator()(const WordField& field) const { return quoted(*field.value); }
    std::string operator()(const EnumField& field) const {
        return quoted(field.words[*field.value]);
    }
};

struct TypeName {
    Unit unit;
    std::string operator()(const std::string*) const { return "text"; }
    template <class Number>
        requires std::is_integral_v<Number>
    std::string operator()(const Number*) const {
        return is_size(unit) ? "size" : unit == Unit::Days ? "time" : "number";
    }
    std::string operator()(const bool*) const { return "true or false"; }
    std::string operator()(const std::chrono::seconds*) const { return "time"; }
    std::string operator()(const std::vector<std::string>*) const { return "list of texts"; }
    std::string operator()(const WordField& field) const {
        return "one of " + join_words(field.words);
    }
    std::string operator()(const EnumField& field) const {
        return "one of " + join_words(field.words);
    }
};

/// Edits (insert, delete, replace, swap of neighbours) that make `a` of `b`. Both are short: the
/// cost is the product of their sizes, and callers bound them.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    std::vector<std::size_t> next(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        next[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replace = row[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            next[j] = std::min({row[j] + 1, next[j - 1] + 1, replace});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                next[j] = std::min(next[j], before[j - 2] + 1);
            }
        }
        std::swap(before, row);
        std::swap(row, next);
    }
    return row[b.size()];
}

}  // namespace

std::string type_of(const FieldRef& field, Unit unit) {
    return std::visit(TypeName{unit}, field);
}

Result<> set_field(const FieldRef& field, Unit unit, std::uint64_t min, std::uint64_t max,
                   const ConfigValue& value) {
    return std::visit(Setter{unit, min, max, value}, field);
}

std::string show_field(const FieldRef& field, Unit unit) {
    return std::visit(Printer{unit}, field);
}

void copy_field(const FieldRef& from, const FieldRef& to) {
    std::visit(
        [&](const auto& source) {
            using Field = std::remove_cvref_t<decltype(source)>;
            const Field& target = std::get<Field>(to);
            if constexpr (std::is_pointer_v<Field>) {
                *target = *source;
            } else {
                *target.value = *source.value;
            }
        },
        from);
}

ConfigValue value_from_text(const FieldRef& field, std::string_view text) {
    if (std::holds_alternative<bool*>(field) && (text == "true" || text == "false")) {
        return text == "true";
    }
    if (std::holds_alternative<std::vector<std::string>*>(field)) {
        std::vector<std::string> list;
        if (!trim(text).empty()) {
            for (const std::string_view item : split(text, ',')) {
                list.emplace_back(trim(item));
            }
        }
        return list;
    }
    const bool is_number = std::holds_alternative<std::uint16_t*>(field) ||
                           std::holds_alternative<std::uint32_t*>(field) ||
                           std::holds_alternative<std::uint64_t*>(field);
    if (const auto number = parse_u64(text); is_number && number && *number <= INT64_MAX) {
        return static_cast<std::int64_t>(*number);
    }
    return std::string(text);
}

Result<std::chrono::seconds> parse_duration(std::string_view text) {
    const auto number = parse_with_unit(text, kTimeWords, false);
    if (!number) {
        return mismatch("a time such as \"5 minutes\"", ConfigValue(std::string(text)));
    }
    return std::chrono::seconds(static_cast<std::int64_t>(*number));
}

std::string show_duration(std::chrono::seconds duration) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
    for (const UnitWord& unit : kTimeWords) {
        // "14 days" reads better than "2 weeks", and weeks are no unit of the table of RFC 5321.
        if (unit.word.starts_with('w') || value == 0 || value % unit.factor != 0) {
            continue;
        }
        const std::uint64_t count = value / unit.factor;
        std::string out = std::to_string(count) + " " + std::string(unit.word);
        if (count == 1) {
            out.pop_back();
        }
        return out;
    }
    return "0 seconds";
}

Result<std::uint64_t> parse_size(std::string_view text) {
    const auto number = parse_with_unit(text, kSizeWords, true);
    if (!number) {
        return mismatch("a size such as \"50 MiB\"", ConfigValue(std::string(text)));
    }
    return *number;
}

std::string show_size(std::uint64_t octets) {
    for (const UnitWord& unit : kSizeWords) {
        if (octets != 0 && octets % unit.factor == 0) {
            return std::to_string(octets / unit.factor) + " " + std::string(unit.word);
        }
    }
    return "0 octets";
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
    constexpr std::size_t kWordMax = 64;  // Longer words are no slip of the finger.
    std::string_view best;
    if (word.size() > kWordMax) {
        return best;
    }
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const std::string_view candidate : candidates) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance && distance < candidate.size()) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

}  // namespace godwit::app
