// The door of toml++: nothing of it is seen outside this file.
#include "app/config_toml.h"

#include <algorithm>
#include <expected>
#include <optional>
#include <tuple>

#include "base/ascii.h"
#include "base/limits.h"

// The library asserts things that a wrong file makes false ("[[~route]]") although the lines behind
// report them properly. Errors are thrown, so that none is walked past, and caught in this file.
#undef NDEBUG  // With it the library would assume them.
#define TOML_ASSERT(expr) static_cast<void>(0)
#define TOML_EXCEPTIONS 1
#define TOML_ENABLE_FORMATTERS 0
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Weverything"
#include <toml++/toml.h>
#pragma clang diagnostic pop

namespace godwit::app {
namespace {

std::string_view type_name(const toml::node& node) {
    switch (node.type()) {
        case toml::node_type::table: return "a table";
        case toml::node_type::array: return "a list";
        case toml::node_type::floating_point: return "a number with a fraction";
        case toml::node_type::date: return "a date";
        case toml::node_type::time: return "a time of day";
        case toml::node_type::date_time: return "a date and time";
        default: return "a value of another type";
    }
}

ConfigValue list_value(const toml::array& array) {
    std::vector<std::string> list;
    for (const toml::node& item : array) {
        const auto* text = item.as_string();
        if (text == nullptr) {
            return OtherValue{"a list with something else than texts"};
        }
        list.push_back(text->get());
    }
    return list;
}

ConfigValue scalar_value(const toml::node& node) {
    if (const auto* text = node.as_string()) {
        return text->get();
    }
    if (const auto* integer = node.as_integer()) {
        return integer->get();
    }
    if (const auto* flag = node.as_boolean()) {
        return flag->get();
    }
    if (const auto* array = node.as_array()) {
        return list_value(*array);
    }
    return OtherValue{type_name(node)};
}

/// A table that is still to be walked, and where it stands.
struct Pending {
    const toml::table* table;
    std::string prefix;
    std::string array_name;
    std::size_t index;
};

std::uint32_t line_of(const toml::key& key) {
    return key.source().begin.line;
}

/// Walks with a stack of its own; toml++ bounds nesting while it parses.
class Walk {
public:
    explicit Walk(TomlText& out) : out_(out) {}

    void run(const toml::table& root) {
        stack_.push_back({&root, "", "", 0});
        while (!stack_.empty()) {
            const Pending top = std::move(stack_.back());
            stack_.pop_back();
            for (const auto& [key, node] : *top.table) {
                visit(top, key, node);
            }
        }
    }

private:
    void visit(const Pending& top, const toml::key& key, const toml::node& node) {
        std::string path = top.prefix;
        path.append(path.empty() ? "" : ".").append(key.str());
        if (const auto* table = node.as_table()) {
            if (table->empty()) {
                add({top.array_name, top.index, std::move(path), line_of(key),
                     OtherValue{"a table"}});
            } else {
                stack_.push_back({table, std::move(path), top.array_name, top.index});
            }
            return;
        }
        const auto* array = node.as_array();
        const bool is_tables = array != nullptr && !array->empty() && array->is_array_of_tables();
        if (is_tables && top.array_name.empty() && top.prefix.empty()) {
            std::size_t index = 0;
            for (const toml::node& item : *array) {
                add({path, index, "", item.source().begin.line, OtherValue{"a table"}});
                stack_.push_back({item.as_table(), "", path, index});
                ++index;
            }
            return;
        }
        add({top.array_name, top.index, std::move(path), line_of(key), scalar_value(node)});
    }

    void add(TomlEntry entry) {
        if (out_.entries.size() < limits::config_entries_max) {
            out_.entries.push_back(std::move(entry));
        } else if (out_.errors.empty()) {
            out_.errors.push_back({entry.line, "more than " +
                                                   std::to_string(limits::config_entries_max) +
                                                   " entries (limits.h: config_entries_max)"});
        }
    }

    TomlText& out_;
    std::vector<Pending> stack_;
};

/// The line of the first octet over 127 that is neither in a string nor in a comment; nullopt when
/// there is none. TOML 1.0 gives such octets no meaning there, and the library reads its table of
/// white space past its end at some of them (U+00A1 to U+049F). Where strings end is all that it
/// needs to know: everything else that is wrong is left to the library.
std::optional<std::uint32_t> find_stray_octet(std::string_view text) {
    std::uint32_t line = 1;
    std::size_t at = 0;
    const auto skip_string = [&](std::string_view quote) {
        const bool is_escaped = quote.front() == '"';
        at += quote.size();
        while (at < text.size() && !text.substr(at).starts_with(quote)) {
            if (text[at] == '\n') {
                if (quote.size() == 1) {
                    return;  // Never closed; the library says so.
                }
                ++line;
            }
            at += is_escaped && text[at] == '\\' && at + 1 < text.size() && text[at + 1] != '\n' ? 2 : 1;
        }
        at += quote.size();
        for (int more = 0; quote.size() == 3 && more < 2 && at < text.size() && text[at] == quote.front(); ++more) {
            ++at;  // Up to two quotes may stand before the closing three.
        }
    };
    while (at < text.size()) {
        const std::string_view rest = text.substr(at);
        if (rest.front() == '#') {
            at += std::min(rest.find('\n'), rest.size());
        } else if (rest.starts_with(R"(""")") || rest.starts_with("'''")) {
            skip_string(rest.substr(0, 3));
        } else if (rest.front() == '"' || rest.front() == '\'') {
            skip_string(rest.substr(0, 1));
        } else if (static_cast<unsigned char>(rest.front()) > 127) {
            return line;
        } else {
            line += rest.front() == '\n' ? 1 : 0;
            ++at;
        }
    }
    return std::nullopt;
}

/// The parsed file, or what is wrong with it.
std::expected<toml::table, TomlError> read_table(std::string_view text) {
    try {
        return toml::parse(text);
    } catch (const toml::parse_error& error) {
        return std::unexpected(TomlError{error.source().begin.line, std::string(error.description())});
    }
}

}  // namespace

TomlText parse_toml(std::string_view text) {
    TomlText out;
    if (text.size() > limits::config_file_size_max) {
        out.errors.push_back({1, "file of " + std::to_string(text.size()) + " octets exceeds " +
                                     std::to_string(limits::config_file_size_max) +
                                     " (limits.h: config_file_size_max)"});
        return out;
    }
    if (!is_utf8(text)) {
        out.errors.push_back({1, "the file is not UTF-8 (or not text at all)"});
        return out;
    }
    if (const auto line = find_stray_octet(text)) {
        out.errors.push_back({*line, "a letter that is not ASCII stands outside quotation marks"});
        return out;
    }
    const auto parsed = read_table(text);
    if (!parsed) {
        out.errors.push_back(parsed.error());
        return out;
    }
    Walk(out).run(*parsed);
    std::ranges::sort(out.entries, {}, [](const TomlEntry& entry) {
        return std::tie(entry.line, entry.table, entry.index, entry.path);
    });
    return out;
}

}  // namespace godwit::app
