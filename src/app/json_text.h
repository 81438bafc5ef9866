// JSON values for people and back to text.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace godwit::app {

/// Compact JSON; members in the order of their names.
std::string show_json(const JsonValue& value);

/// Text of strangers (replies, names, header fields) for a terminal: what it would obey or be
/// fooled by (controls with line ends, what turns the direction of writing) as \u001b.
std::string show_text(std::string_view text);
/// The text of a member so; empty when there is none.
std::string text_of(const JsonValue& object, std::string_view name);

/// A scalar as a word, a list of scalars with commas between; "-" for null and empty.
std::string show_plain(const JsonValue* value);

/// "name: value" a line; lists of objects as indented blocks. At most limits of parse_json deep.
std::string show_object(const JsonValue& value);

struct Column {
    std::string_view field;
    std::string_view title;
};
/// A table that comes in pieces: the titles before the first, columns as wide as they needed so
/// far.
class TableText {
public:
    explicit TableText(std::span<const Column> columns) : columns_(columns) {}
    std::string rows(const std::vector<JsonValue>& rows);

private:
    std::span<const Column> columns_;
    std::vector<std::size_t> widths_;  ///< Empty before the first piece.
};
/// Rows under titles, columns as wide as they need.
std::string show_table(const std::vector<JsonValue>& rows, std::span<const Column> columns);

}  // namespace godwit::app
