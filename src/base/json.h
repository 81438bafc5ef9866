// JSON in and out: a writer for log lines and API answers, a small value for what is read.
// The door of the JSON library (json.cc). RFC 8259.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace godwit {

/// Appends `text` as a JSON string with quotes. Bytes that are no UTF-8 become U+FFFD; controls are
/// escaped, so that the output is always one line.
void append_json_string(std::string& out, std::string_view text);

/// Writes one JSON value, compact. Commas and quoting are its business; nesting is the caller's.
class JsonWriter {
public:
    JsonWriter& begin_object();
    JsonWriter& end_object();
    JsonWriter& begin_array();
    JsonWriter& end_array();
    JsonWriter& key(std::string_view name);
    JsonWriter& string(std::string_view value);
    JsonWriter& number(std::int64_t value);
    JsonWriter& number(std::uint64_t value);
    JsonWriter& boolean(bool value);
    JsonWriter& null();
    /// Text that is JSON already.
    JsonWriter& raw(std::string_view json);
    /// key() and a value in one.
    JsonWriter& field(std::string_view name, std::string_view value) {
        return key(name).string(value);
    }
    JsonWriter& field(std::string_view name, const char* value) { return key(name).string(value); }
    JsonWriter& field(std::string_view name, std::int64_t value) { return key(name).number(value); }
    JsonWriter& field(std::string_view name, std::uint64_t value) {
        return key(name).number(value);
    }
    JsonWriter& field(std::string_view name, int value) {
        return key(name).number(static_cast<std::int64_t>(value));
    }
    JsonWriter& field(std::string_view name, std::uint32_t value) {
        return key(name).number(static_cast<std::uint64_t>(value));
    }
    JsonWriter& field(std::string_view name, bool value) { return key(name).boolean(value); }
    [[nodiscard]] std::string_view view() const { return out_; }
    [[nodiscard]] std::string take() && { return std::move(out_); }

private:
    void separate();
    std::string out_;
    bool needs_comma_ = false;
};

/// A JSON value that was read. Objects keep their members sorted by name.
class JsonValue {
public:
    using Array = std::vector<JsonValue>;
    using Object = std::map<std::string, JsonValue, std::less<>>;
    std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object> value =
        nullptr;

    [[nodiscard]] const Object* object() const { return std::get_if<Object>(&value); }
    [[nodiscard]] const Array* array() const { return std::get_if<Array>(&value); }
    [[nodiscard]] const std::string* string() const { return std::get_if<std::string>(&value); }
    /// The member's value, or null when this is no object or has no such member.
    [[nodiscard]] const JsonValue* find(std::string_view name) const;
    /// A string member, or `fallback`.
    [[nodiscard]] std::string string_or(std::string_view name, std::string_view fallback) const;
    [[nodiscard]] std::int64_t int_or(std::string_view name, std::int64_t fallback) const;
    [[nodiscard]] bool bool_or(std::string_view name, bool fallback) const;
};

/// Whole text, at most `depth_max` levels deep (iterative). Peer error naming the offset.
Result<JsonValue> parse_json(std::string_view text, std::size_t depth_max = 32);

}  // namespace godwit
