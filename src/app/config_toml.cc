// The door of toml++: nothing of it is seen outside this file.
#include "app/config_toml.h"

#include <algorithm>
#include <tuple>

#include "base/ascii.h"
#include "base/limits.h"

// The library asserts (and with NDEBUG assumes) things that a wrong file makes false, where the lines
// behind report them properly: "[[~route]]". So neither.
#undef NDEBUG
#define TOML_ASSERT(expr) static_cast<void>(0)
#define TOML_EXCEPTIONS 0
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
    const toml::parse_result parsed = toml::parse(text);
    if (!parsed) {
        const toml::parse_error& error = parsed.error();
        out.errors.push_back({error.source().begin.line, std::string(error.description())});
        return out;
    }
    Walk(out).run(parsed.table());
    std::ranges::sort(out.entries, {}, [](const TomlEntry& entry) {
        return std::tie(entry.line, entry.table, entry.index, entry.path);
    });
    return out;
}

}  // namespace godwit::app
