// Prints JSON values, with stacks of their own instead of recursion.
#include "app/json_text.h"

#include <algorithm>

#include "base/ascii.h"

namespace godwit::app {
namespace {

std::string show_scalar(const JsonValue& value) {
    struct Visitor {
        std::string operator()(std::nullptr_t) const { return "null"; }
        std::string operator()(bool flag) const { return flag ? "true" : "false"; }
        std::string operator()(std::int64_t number) const { return std::to_string(number); }
        std::string operator()(double number) const { return std::to_string(number); }
        std::string operator()(const std::string& text) const {
            std::string out;
            append_json_string(out, text);
            return out;
        }
        std::string operator()(const JsonValue::Array&) const { return "[]"; }
        std::string operator()(const JsonValue::Object&) const { return "{}"; }
    };
    return std::visit(Visitor{}, value.value);
}

/// An array or object that is being written, and how far.
struct Frame {
    const JsonValue::Array* array = nullptr;
    const JsonValue::Object* object = nullptr;
    std::size_t index = 0;
    JsonValue::Object::const_iterator member{};
};

Frame frame_of(const JsonValue& value) {
    Frame frame{.array = value.array(), .object = value.object()};
    if (frame.object != nullptr) {
        frame.member = frame.object->begin();
    }
    return frame;
}

bool is_container(const JsonValue& value) {
    return (value.array() != nullptr && !value.array()->empty()) ||
           (value.object() != nullptr && !value.object()->empty());
}

/// The next value of the frame with its name ("" in arrays), or null at the end.
const JsonValue* next_of(Frame& frame, std::string_view& name) {
    name = {};
    if (frame.array != nullptr) {
        return frame.index < frame.array->size() ? &(*frame.array)[frame.index++] : nullptr;
    }
    if (frame.member == frame.object->end()) {
        return nullptr;
    }
    ++frame.index;
    name = frame.member->first;
    return &(frame.member++)->second;
}

std::string plain_scalar(const JsonValue& value) {
    if (const std::string* text = value.string()) {
        return text->empty() ? "-" : show_text(*text);
    }
    if (std::holds_alternative<std::nullptr_t>(value.value)) {
        return "-";
    }
    if (const bool* flag = std::get_if<bool>(&value.value)) {
        return *flag ? "yes" : "no";
    }
    return show_scalar(value);
}

bool holds_objects(const JsonValue& value) {
    return value.array() != nullptr &&
           std::ranges::any_of(*value.array(),
                               [](const JsonValue& item) { return item.object() != nullptr; });
}

/// How many columns of a terminal the text takes: one a character of UTF-8.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::string show_json(const JsonValue& value) {
    if (!is_container(value)) {
        return show_scalar(value);
    }
    std::vector<Frame> stack{frame_of(value)};
    std::string out(1, stack.back().array != nullptr ? '[' : '{');
    while (!stack.empty()) {
        Frame& top = stack.back();
        std::string_view name;
        const bool is_first = top.index == 0;
        const JsonValue* next = next_of(top, name);
        if (next == nullptr) {
            out.push_back(top.array != nullptr ? ']' : '}');
            stack.pop_back();
            continue;
        }
        out.append(is_first ? "" : ",");
        if (top.object != nullptr) {
            append_json_string(out, name);
            out.push_back(':');
        }
        if (is_container(*next)) {
            out.push_back(next->array() != nullptr ? '[' : '{');
            stack.push_back(frame_of(*next));
        } else {
            out.append(show_scalar(*next));
        }
    }
    return out;
}

namespace {

// Of the character that begins here: its code point when it is one that is not shown, and its size
// (1 for all that are). `text` is well-formed UTF-8.
struct Hidden {
    std::size_t size = 1;
    unsigned point = 0;
};
Hidden hidden_at(std::string_view text) {
    const auto octet = [text](std::size_t at) -> unsigned {
        return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
    };
    if (is_ctl(text.front())) {
        return {1, octet(0)};
    }
    // C1: U+0080 to U+009F.
    if (octet(0) == 0xC2 && octet(1) >= 0x80 && octet(1) < 0xA0) {
        return {2, octet(1)};
    }
    // U+2028 to U+202E, U+2066 to U+2069: line ends, and what turns the direction.
    const unsigned point =
        octet(0) == 0xE2 ? 0x2000U | (octet(1) & 0x3FU) << 6U | (octet(2) & 0x3FU) : 0U;
    const bool is_turn =
        (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
    return is_turn ? Hidden{3, point} : Hidden{};
}

}  // namespace

std::string show_text(std::string_view text) {
    constexpr std::string_view kHex = "0123456789abcdef";
    // Of names of files and replies of servers that are none, no octet but ASCII's is trusted: 0x9B
    // is as good as ESC [ to a terminal that knows no UTF-8.
    const bool is_text = is_utf8(text);
    std::string out;
    while (!text.empty()) {
        const Hidden hidden = is_text || is_ascii(text.front())
                                  ? hidden_at(text)
                                  : Hidden{1, static_cast<unsigned char>(text.front())};
        if (hidden.point == 0 && text.front() != '\0') {
            out += text.front();
        } else {
            out += "\\u";
            for (const unsigned shift : {12U, 8U, 4U, 0U}) {
                out += kHex[hidden.point >> shift & 15U];
            }
        }
        text.remove_prefix(hidden.size);
    }
    return out;
}

std::string text_of(const JsonValue& object, std::string_view name) {
    return show_text(object.string_or(name, ""));
}

std::string show_plain(const JsonValue* value) {
    if (value == nullptr) {
        return "-";
    }
    if (value->object() != nullptr || holds_objects(*value)) {
        return show_json(*value);
    }
    if (value->array() == nullptr) {
        return plain_scalar(*value);
    }
    std::string out;
    for (const JsonValue& item : *value->array()) {
        out.append(out.empty() ? "" : ", ").append(plain_scalar(item));
    }
    return out.empty() ? "-" : out;
}

std::string show_object(const JsonValue& value) {
    std::string out;
    if (value.object() == nullptr) {
        return show_plain(&value) + "\n";
    }
    std::vector<Frame> stack{frame_of(value)};
    while (!stack.empty()) {
        std::string_view name;
        const JsonValue* next = next_of(stack.back(), name);
        if (next == nullptr) {
            stack.pop_back();
            continue;
        }
        const bool in_array = stack.back().array != nullptr;
        const std::string indent((stack.size() - 1) * 2, ' ');
        if (in_array) {
            out.append(indent).append("-\n");
            stack.push_back(frame_of(*next));
        } else if ((next->object() != nullptr && is_container(*next)) || holds_objects(*next)) {
            out.append(indent).append(name).append(":\n");
            stack.push_back(frame_of(*next));
        } else {
            out.append(indent).append(name).append(": ").append(show_plain(next)).append("\n");
        }
    }
    return out;
}

std::string TableText::rows(const std::vector<JsonValue>& rows) {
    const bool is_first = widths_.empty();
    widths_.resize(columns_.size());
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        widths_[i] = std::max(widths_[i], columns_[i].title.size());
        for (const JsonValue& row : rows) {
            widths_[i] = std::max(widths_[i], width_of(show_plain(row.find(columns_[i].field))));
        }
    }
    std::string out;
    const auto append_cell = [&](std::size_t index, std::string_view text) {
        out.append(text);
        const bool is_last = index + 1 == columns_.size();
        out.append(is_last ? "\n" : std::string(widths_[index] - width_of(text) + 2, ' '));
    };
    for (std::size_t i = 0; is_first && i < columns_.size(); ++i) {
        append_cell(i, columns_[i].title);
    }
    for (const JsonValue& row : rows) {
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            append_cell(i, show_plain(row.find(columns_[i].field)));
        }
    }
    return out;
}

std::string show_table(const std::vector<JsonValue>& rows, std::span<const Column> columns) {
    return TableText(columns).rows(rows);
}

}  // namespace godwit::app
