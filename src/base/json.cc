#include "base/json.h"

#include <nlohmann/json.hpp>

#include "base/ascii.h"

namespace godwit {

namespace {

// Length of the well-formed UTF-8 sequence at the front of `text`, or 0.
std::size_t utf8_length(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    return length <= text.size() && is_utf8(text.substr(0, length)) ? length : 0;
}

// Builds our values from the library's events, with an explicit stack: depth is bounded, not the
// machine's stack.
class ValueBuilder final : public nlohmann::json_sax<nlohmann::json> {
public:
    explicit ValueBuilder(std::size_t depth_max) : depth_max_(depth_max) {}

    bool null() override { return add(JsonValue{nullptr}); }
    bool boolean(bool value) override { return add(JsonValue{value}); }
    bool number_integer(number_integer_t value) override {
        return add(JsonValue{std::int64_t{value}});
    }
    bool number_unsigned(number_unsigned_t value) override {
        if (value > static_cast<number_unsigned_t>(INT64_MAX)) {
            return add(JsonValue{static_cast<double>(value)});
        }
        return add(JsonValue{static_cast<std::int64_t>(value)});
    }
    bool number_float(number_float_t value, const string_t&) override {
        return add(JsonValue{value});
    }
    bool string(string_t& value) override { return add(JsonValue{std::move(value)}); }
    bool binary(binary_t&) override { return false; }
    bool start_object(std::size_t) override { return open(JsonValue{JsonValue::Object{}}); }
    bool end_object() override { return close(); }
    bool start_array(std::size_t) override { return open(JsonValue{JsonValue::Array{}}); }
    bool end_array() override { return close(); }
    bool key(string_t& name) override {
        keys_.back() = std::move(name);
        return true;
    }
    bool parse_error(std::size_t position, const std::string&,
                     const nlohmann::detail::exception&) override {
        error_at_ = position;
        return false;
    }
    [[nodiscard]] std::size_t error_at() const { return error_at_; }
    JsonValue take() { return std::move(root_); }

private:
    bool add(JsonValue value) {
        if (open_.empty()) {
            root_ = std::move(value);
            return true;
        }
        if (auto* array = std::get_if<JsonValue::Array>(&open_.back().value)) {
            array->push_back(std::move(value));
        } else {
            std::get<JsonValue::Object>(open_.back().value)[keys_.back()] = std::move(value);
        }
        return true;
    }
    bool open(JsonValue value) {
        if (open_.size() >= depth_max_) {
            return false;
        }
        open_.push_back(std::move(value));
        keys_.emplace_back();
        return true;
    }
    bool close() {
        JsonValue value = std::move(open_.back());
        open_.pop_back();
        keys_.pop_back();
        return add(std::move(value));
    }

    std::size_t depth_max_;
    std::size_t error_at_ = 0;
    JsonValue root_;
    std::vector<JsonValue> open_;
    std::vector<std::string> keys_;
};

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
    constexpr std::string_view kHex = "0123456789abcdef";
    out += '"';
    while (!text.empty()) {
        const char c = text.front();
        const std::size_t length = utf8_length(text);
        if (length == 0) {
            out += "\xEF\xBF\xBD";
            text.remove_prefix(1);
            continue;
        }
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else if (c == '\t') {
            out += "\\t";
        } else if (is_ctl(c)) {
            out += "\\u00";
            out += kHex[static_cast<unsigned char>(c) >> 4U];
            out += kHex[static_cast<unsigned char>(c) & 15U];
        } else if (length == 2 && c == '\xC2' && static_cast<unsigned char>(text[1]) < 0xA0) {
            // U+0080 to U+009F: terminals obey them as they do ESC.
            out += "\\u00";
            out += kHex[static_cast<unsigned char>(text[1]) >> 4U];
            out += kHex[static_cast<unsigned char>(text[1]) & 15U];
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length);
    }
    out += '"';
}

void JsonWriter::separate() {
    if (needs_comma_) {
        out_ += ',';
    }
    needs_comma_ = true;
}
JsonWriter& JsonWriter::begin_object() {
    separate();
    out_ += '{';
    needs_comma_ = false;
    return *this;
}
JsonWriter& JsonWriter::end_object() {
    out_ += '}';
    needs_comma_ = true;
    return *this;
}
JsonWriter& JsonWriter::begin_array() {
    separate();
    out_ += '[';
    needs_comma_ = false;
    return *this;
}
JsonWriter& JsonWriter::end_array() {
    out_ += ']';
    needs_comma_ = true;
    return *this;
}
JsonWriter& JsonWriter::key(std::string_view name) {
    separate();
    append_json_string(out_, name);
    out_ += ':';
    needs_comma_ = false;
    return *this;
}
JsonWriter& JsonWriter::string(std::string_view value) {
    separate();
    append_json_string(out_, value);
    return *this;
}
JsonWriter& JsonWriter::number(std::int64_t value) {
    return raw(std::to_string(value));
}
JsonWriter& JsonWriter::number(std::uint64_t value) {
    return raw(std::to_string(value));
}
JsonWriter& JsonWriter::boolean(bool value) {
    return raw(value ? "true" : "false");
}
JsonWriter& JsonWriter::null() {
    return raw("null");
}
JsonWriter& JsonWriter::raw(std::string_view json) {
    separate();
    out_ += json;
    return *this;
}

const JsonValue* JsonValue::find(std::string_view name) const {
    const Object* members = object();
    if (members == nullptr) {
        return nullptr;
    }
    const auto found = members->find(name);
    return found == members->end() ? nullptr : &found->second;
}
std::string JsonValue::string_or(std::string_view name, std::string_view fallback) const {
    const JsonValue* member = find(name);
    const std::string* text = member != nullptr ? member->string() : nullptr;
    return text != nullptr ? *text : std::string(fallback);
}
std::int64_t JsonValue::int_or(std::string_view name, std::int64_t fallback) const {
    const JsonValue* member = find(name);
    const auto* number = member != nullptr ? std::get_if<std::int64_t>(&member->value) : nullptr;
    return number != nullptr ? *number : fallback;
}
bool JsonValue::bool_or(std::string_view name, bool fallback) const {
    const JsonValue* member = find(name);
    const auto* flag = member != nullptr ? std::get_if<bool>(&member->value) : nullptr;
    return flag != nullptr ? *flag : fallback;
}

Result<JsonValue> parse_json(std::string_view text, std::size_t depth_max) {
    ValueBuilder builder(depth_max);
    if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) {
        return peer_error(ErrorCode::Invalid, "no JSON, or nested too deep, at offset " +
                                                  std::to_string(builder.error_at()));
    }
    return builder.take();
}

}  // namespace godwit
