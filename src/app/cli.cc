// Parses the command line by the table of commands.
#include "app/cli.h"

#include <algorithm>

#include "app/config_keys.h"
#include "app/json_text.h"
#include "base/ascii.h"

namespace godwit::app {
namespace {

std::string usage_line(const CommandRow& row) {
    std::string out = "godwit " + full_name(row);
    for (const ArgumentRow& argument : row.arguments) {
        const bool optional = argument.occurs == Occurs::Optional || argument.occurs == Occurs::Any;
        const bool many = argument.occurs == Occurs::Many || argument.occurs == Occurs::Any;
        out.append(optional ? " [" : " ").append(argument.name).append(optional ? "]" : "");
        out.append(many ? "..." : "");
    }
    for (const OptionRow& option : row.options) {
        const bool must = option.occurs == Occurs::Once;
        out.append(must ? " " : " [").append(option.name);
        out.append(option.value.empty() ? "" : " ").append(option.value).append(must ? "" : "]");
        out.append(option.occurs == Occurs::Many ? "..." : "");
    }
    return out;
}

void append_row(std::string& out, std::string_view left, std::string_view right) {
    constexpr std::size_t kColumn = 26;
    out.append("  ").append(left);
    out.append(left.size() < kColumn ? kColumn - left.size() : 1, ' ');
    out.append(right).append("\n");
}

std::string help_for(const CommandRow& row) {
    std::string out = "usage: " + usage_line(row) + "\n\n" + std::string(row.help) + "\n";
    if (!row.arguments.empty() || !row.options.empty()) {
        out.append("\n");
    }
    for (const ArgumentRow& argument : row.arguments) {
        append_row(out, argument.name, argument.help);
    }
    for (const OptionRow& option : row.options) {
        std::string left(option.name);
        left.append(option.value.empty() ? "" : " ").append(option.value);
        append_row(out, left, option.help);
    }
    return out;
}

bool is_help(std::string_view word) {
    return word == "--help" || word == "-h";
}

/// How many words of the line are the command's name, from its front.
std::size_t words_in_common(const CommandRow& row, std::span<const std::string> words) {
    const std::string name = full_name(row);
    const auto parts = split(name, ' ');
    std::size_t count = 0;
    while (count < parts.size() && count < words.size() && words[count] == parts[count]) {
        ++count;
    }
    return count;
}

std::size_t word_count(const CommandRow& row) {
    return split(full_name(row), ' ').size();
}

/// The commands whose names begin with these words.
std::string help_for_all(std::span<const CommandRow> commands, std::span<const std::string> words) {
    std::string out = "usage: godwit";
    for (const std::string& word : words) {
        out.append(" ").append(word);
    }
    out.append(words.empty() ? " COMMAND [ARGUMENTS]\n\n" : " ...\n\n");
    for (const CommandRow& row : commands) {
        if (words_in_common(row, words) == words.size()) {
            append_row(out, full_name(row), row.help);
        }
    }
    return out.append("\n`godwit COMMAND --help` says more.\n");
}

/// What may stand behind these words of a command's name.
std::vector<std::string> choices(std::span<const CommandRow> commands,
                                 std::span<const std::string> words) {
    std::vector<std::string> out;
    for (const CommandRow& row : commands) {
        const std::string name = full_name(row);
        const auto parts = split(name, ' ');
        if (words_in_common(row, words) == words.size() && parts.size() > words.size()) {
            out.emplace_back(parts[words.size()]);
        }
    }
    return out;
}

std::string unknown(std::string_view what, std::string_view word,
                    std::span<const std::string_view> candidates) {
    std::string text = "unknown " + std::string(what) + " '" + std::string(word) + "'";
    const std::string_view near = nearest(word, candidates);
    if (!near.empty()) {
        text.append("; did you mean '").append(near).append("'?");
    }
    return text;
}

const OptionRow* find_option(const CommandRow& row, std::string_view name) {
    const auto found = std::ranges::find(row.options, name, &OptionRow::name);
    return found == row.options.end() ? nullptr : &*found;
}

}  // namespace

/// Reads the words behind the command's name.
struct Parser {
    const CommandRow& row;
    Invocation out;

    Result<> parse(std::span<const std::string> words) {
        bool options_ended = false;
        for (std::size_t i = 0; i < words.size(); ++i) {
            const std::string& word = words[i];
            if (!options_ended && word == "--") {
                options_ended = true;
            } else if (!options_ended && word.starts_with("--")) {
                i += TRY(take_option(word, words.subspan(i + 1)));
            } else if (!options_ended && word.size() > 1 && word.starts_with('-')) {
                return peer_error(ErrorCode::Invalid, "unknown option '" + word + "'");
            } else {
                out.arguments_.push_back(word);
            }
        }
        return check_counts();
    }

    /// Gives how many further words it took.
    Result<std::size_t> take_option(std::string_view word, std::span<const std::string> rest) {
        const std::size_t equals = word.find('=');
        const std::string_view name = word.substr(0, equals);
        const OptionRow* option = find_option(row, name);
        if (option == nullptr) {
            std::vector<std::string_view> names;
            for (const OptionRow& known : row.options) {
                names.push_back(known.name);
            }
            return peer_error(ErrorCode::Invalid, unknown("option", name, names));
        }
        auto& values = out.options_[std::string(name)];
        if (!values.empty() && option->occurs != Occurs::Many) {
            return peer_error(ErrorCode::Invalid, std::string(name) + " is given twice");
        }
        if (option->value.empty()) {
            if (equals != std::string_view::npos) {
                return peer_error(ErrorCode::Invalid, std::string(name) + " takes no value");
            }
            values.emplace_back();
            return std::size_t{0};
        }
        if (equals != std::string_view::npos) {
            values.emplace_back(word.substr(equals + 1));
            return std::size_t{0};
        }
        if (rest.empty()) {
            return peer_error(ErrorCode::Invalid, std::string(name) + " needs a value (" +
                                                      std::string(option->value) + ")");
        }
        values.push_back(rest.front());
        return std::size_t{1};
    }

    Result<> check_counts() const {
        std::size_t needed = 0;
        bool is_open_ended = false;
        for (const ArgumentRow& argument : row.arguments) {
            const Occurs occurs = argument.occurs;
            needed += occurs == Occurs::Once || occurs == Occurs::Many ? 1 : 0;
            is_open_ended = is_open_ended || occurs == Occurs::Many || occurs == Occurs::Any;
        }
        const std::size_t given = out.arguments_.size();
        if (given < needed) {
            return peer_error(ErrorCode::Invalid,
                              "missing " + std::string(row.arguments[given].name));
        }
        if (given > row.arguments.size() && !is_open_ended) {
            return peer_error(ErrorCode::Invalid,
                              "unexpected argument '" + out.arguments_[row.arguments.size()] + "'");
        }
        for (const OptionRow& option : row.options) {
            if (option.occurs == Occurs::Once && !out.has(option.name)) {
                return peer_error(ErrorCode::Invalid, "missing " + std::string(option.name) + " " +
                                                          std::string(option.value));
            }
        }
        return {};
    }

    void point(const Console& console) {
        out.row_ = &row;
        out.console_ = &console;
    }
};

int exit_code_of(const Error& error) {
    if (error.code == ErrorCode::Closed) {
        return kExitUnreachable;
    }
    return error.kind == ErrorKind::Temporary ? kExitTemporary : kExitRefused;
}

bool Invocation::has(std::string_view option) const {
    return options_.contains(option);
}

std::optional<std::string> Invocation::value(std::string_view option) const {
    const auto found = options_.find(option);
    if (found == options_.end() || found->second.empty()) {
        return std::nullopt;
    }
    return found->second.back();
}

std::string Invocation::value_or(std::string_view option, std::string_view fallback) const {
    return value(option).value_or(std::string(fallback));
}

std::vector<std::string> Invocation::values(std::string_view option) const {
    const auto found = options_.find(option);
    return found == options_.end() ? std::vector<std::string>{} : found->second;
}

void Invocation::complain(std::string_view text) const {
    console_->err("godwit: " + std::string(text) + "\n");
}

int Invocation::fail(const Error& error) const {
    // What a server or a file said may stand in it.
    std::string text;
    for (std::string_view rest = error.text; !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(line.size());
        text.append(show_text(line)).append(rest.empty() ? "" : "\n");
        rest.remove_prefix(rest.empty() ? 0 : 1);
    }
    complain(text);
    return exit_code_of(error);
}

int Invocation::fail_usage(std::string_view text) const {
    complain(text);
    console_->err("usage: " + usage_line(*row_) + "\n");
    return kExitUsage;
}

namespace {

/// The words do not name a command: says what is wrong with the first that does not fit.
int complain_of_command(std::span<const CommandRow> commands, std::span<const std::string> words,
                        const Console& console) {
    std::size_t known = 0;
    for (const CommandRow& row : commands) {
        known = std::max(known, words_in_common(row, words));
    }
    const auto front = words.first(known);
    if (known == words.size() || is_help(words[known])) {
        const bool is_asked = known < words.size();
        (is_asked ? console.out : console.err)(help_for_all(commands, front));
        return is_asked ? kExitDone : kExitUsage;
    }
    const auto names = choices(commands, front);
    const std::vector<std::string_view> candidates(names.begin(), names.end());
    std::string what = known == 0 ? "" : front.back() + " ";
    console.err("godwit: " + unknown(what + "command", words[known], candidates) + "\n");
    return kExitUsage;
}

}  // namespace

std::string full_name(const CommandRow& row) {
    std::string name(row.noun);
    if (!row.verb.empty()) {
        name.append(" ").append(row.verb);
    }
    return name;
}

int run_command_line(std::span<const CommandRow> commands, const std::vector<std::string>& words,
                     const Console& console) {
    if (words.empty() || is_help(words[0]) || words[0] == "help") {
        const auto about = std::span(words).subspan(words.empty() ? 0 : 1);
        if (about.size() == 1 && about.front() == "reference") {
            console.out(command_reference(commands));
            return kExitDone;
        }
        (words.empty() ? console.err : console.out)(help_for_all(commands, about));
        return words.empty() ? kExitUsage : kExitDone;
    }
    const CommandRow* row = nullptr;
    for (const CommandRow& candidate : commands) {
        if (words_in_common(candidate, words) == word_count(candidate)) {
            row = &candidate;
        }
    }
    if (row == nullptr && words[0] == "--version") {
        return run_command_line(commands, {"version"}, console);
    }
    if (row == nullptr) {
        return complain_of_command(commands, words, console);
    }
    const std::span<const std::string> rest = std::span(words).subspan(word_count(*row));
    const auto end = std::ranges::find(rest, "--");
    if (std::any_of(rest.begin(), end, [](const std::string& word) { return is_help(word); })) {
        console.out(help_for(*row));
        return kExitDone;
    }
    Parser parser{.row = *row, .out = {}};
    parser.point(console);
    if (auto parsed = parser.parse(rest); !parsed) {
        return parser.out.fail_usage(full_name(*row) + ": " + parsed.error().text);
    }
    return row->run(parser.out);
}

std::string command_reference(std::span<const CommandRow> commands) {
    std::string out;
    for (const CommandRow& row : commands) {
        out.append("### `godwit ").append(full_name(row)).append("`\n\n");
        out.append(row.help).append("\n\n```\n").append(usage_line(row)).append("\n```\n\n");
        for (const ArgumentRow& argument : row.arguments) {
            out.append("- `")
                .append(argument.name)
                .append("`: ")
                .append(argument.help)
                .append("\n");
        }
        for (const OptionRow& option : row.options) {
            out.append("- `").append(option.name).append(option.value.empty() ? "" : " ");
            out.append(option.value).append("`: ").append(option.help).append("\n");
        }
        out.append(row.arguments.empty() && row.options.empty() ? "" : "\n");
    }
    return out;
}

}  // namespace godwit::app
