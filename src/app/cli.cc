// Parses the command line by the table of commands.
#include "app/cli.h"

#include <algorithm>

#include "app/config_keys.h"

namespace godwit::app {
namespace {

std::string full_name(const CommandRow& row) {
    std::string name(row.noun);
    if (!row.verb.empty()) {
        name.append(" ").append(row.verb);
    }
    return name;
}

std::string usage_line(const CommandRow& row) {
    std::string out = "godwit " + full_name(row);
    for (const ArgumentRow& argument : row.arguments) {
        const bool optional = argument.occurs == Occurs::Optional;
        out.append(optional ? " [" : " ").append(argument.name).append(optional ? "]" : "");
        out.append(argument.occurs == Occurs::Many ? "..." : "");
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

/// The commands, or those of one noun.
std::string help_for_all(std::span<const CommandRow> commands, std::string_view noun) {
    std::string out = noun.empty() ? "usage: godwit COMMAND [ARGUMENTS]\n\n"
                                   : "usage: godwit " + std::string(noun) + " VERB [ARGUMENTS]\n\n";
    for (const CommandRow& row : commands) {
        if (noun.empty() || row.noun == noun) {
            append_row(out, full_name(row), row.help);
        }
    }
    return out.append("\n`godwit COMMAND --help` says more.\n");
}

bool is_help(std::string_view word) { return word == "--help" || word == "-h"; }

/// What is there to choose from at this point of the line: nouns, or the verbs of a noun.
std::vector<std::string_view> choices(std::span<const CommandRow> commands, std::string_view noun) {
    std::vector<std::string_view> out;
    for (const CommandRow& row : commands) {
        const std::string_view word = noun.empty() ? row.noun : row.noun == noun ? row.verb : "";
        if (!word.empty() && std::ranges::find(out, word) == out.end()) {
            out.push_back(word);
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
            needed += argument.occurs != Occurs::Optional ? 1 : 0;
            is_open_ended = is_open_ended || argument.occurs == Occurs::Many;
        }
        const std::size_t given = out.arguments_.size();
        if (given < needed) {
            return peer_error(ErrorCode::Invalid,
                              "missing " + std::string(row.arguments[given].name));
        }
        if (given > row.arguments.size() && !is_open_ended) {
            return peer_error(ErrorCode::Invalid, "unexpected argument '" +
                                                      out.arguments_[row.arguments.size()] + "'");
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

bool Invocation::has(std::string_view option) const { return options_.contains(option); }

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
    complain(error.text);
    return exit_code_of(error);
}

int Invocation::fail_usage(std::string_view text) const {
    complain(text);
    console_->err("usage: " + usage_line(*row_) + "\n");
    return kExitUsage;
}

int run_command_line(std::span<const CommandRow> commands, const std::vector<std::string>& words,
                     const Console& console) {
    if (words.empty()) {
        console.err(help_for_all(commands, ""));
        return kExitUsage;
    }
    if (is_help(words[0]) || words[0] == "help") {
        const std::string_view noun =
            words.size() > 1 && !is_help(words[1]) ? std::string_view(words[1]) : "";
        console.out(help_for_all(commands, choices(commands, "").empty() ? "" : noun));
        return kExitDone;
    }
    const std::string_view noun = words[0] == "--version" ? "version" : std::string_view(words[0]);
    const std::string_view verb = words.size() > 1 ? std::string_view(words[1]) : "";
    const CommandRow* row = nullptr;
    for (const CommandRow& candidate : commands) {
        if (candidate.noun == noun && (candidate.verb.empty() || candidate.verb == verb)) {
            row = &candidate;
            break;
        }
    }
    if (row == nullptr) {
        const auto verbs = choices(commands, noun);
        if (!verbs.empty() && (verb.empty() || is_help(verb))) {
            (verb.empty() ? console.err : console.out)(help_for_all(commands, noun));
            return verb.empty() ? kExitUsage : kExitDone;
        }
        console.err("godwit: " + (verbs.empty()
                                      ? unknown("command", noun, choices(commands, ""))
                                      : unknown(std::string(noun) + " command", verb, verbs)) +
                    "\n");
        return kExitUsage;
    }
    const std::span<const std::string> rest =
        std::span(words).subspan(row->verb.empty() ? 1 : 2);
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
            out.append("- `").append(argument.name).append("`: ").append(argument.help).append("\n");
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
