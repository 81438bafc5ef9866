// The command line: one table of commands; parsing, help and suggestions derive from it.
//     godwit NOUN [VERB] [ARGUMENT]... [--option [VALUE]]...
// Options may stand anywhere; "--" ends them; "--name=value" and "--name value" are the same.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace godwit::app {

/// What the process ends with. An interface: docs/operating/cli.md.
enum ExitCode : int {
    kExitDone = 0,
    kExitRefused = 1,      ///< Refused, not found, or an invariant does not hold.
    kExitUsage = 2,        ///< The command line makes no sense.
    kExitUnreachable = 3,  ///< No server answers.
    kExitTemporary = 75,   ///< May work later (EX_TEMPFAIL).
    kExitNoStore = 78,     ///< `serve` found no store (EX_CONFIG): no restart mends that.
};
/// The exit code for a command that ended with `error`.
int exit_code_of(const Error& error);

/// Where a command reads and writes. Tests give strings.
struct Console {
    std::function<void(std::string_view)> out;
    std::function<void(std::string_view)> err;
    /// All of standard input.
    std::function<Result<std::string>(std::size_t size_max)> input;
    /// One line without its end; asked for without echo at a terminal.
    std::function<Result<std::string>(std::string_view prompt)> password;
};
/// Standard input, output and error.
Console standard_console();

/// Many: one or more. Any: none or more. Both only as the last argument.
enum class Occurs : std::uint8_t { Once, Optional, Many, Any };

struct ArgumentRow {
    std::string_view name;  ///< "ADDRESS".
    std::string_view help;
    Occurs occurs = Occurs::Once;
};
struct OptionRow {
    std::string_view name;   ///< "--body".
    std::string_view value;  ///< "TEXT"; empty for a switch.
    std::string_view help;
    Occurs occurs = Occurs::Optional;
};

class Invocation;
struct CommandRow {
    std::string_view noun;
    std::string_view verb;  ///< One word or two; empty for commands of one word.
    std::string_view help;
    std::span<const ArgumentRow> arguments;
    std::span<const OptionRow> options;
    int (*run)(const Invocation&);
};

/// A parsed command line. Lives as long as the command runs.
class Invocation {
public:
    [[nodiscard]] bool has(std::string_view option) const;
    /// The last value given, or nullopt.
    [[nodiscard]] std::optional<std::string> value(std::string_view option) const;
    [[nodiscard]] std::string value_or(std::string_view option, std::string_view fallback) const;
    [[nodiscard]] std::vector<std::string> values(std::string_view option) const;
    [[nodiscard]] const CommandRow& row() const { return *row_; }
    /// In order; the parser has checked their number.
    [[nodiscard]] const std::vector<std::string>& arguments() const { return arguments_; }
    [[nodiscard]] const std::map<std::string, std::vector<std::string>, std::less<>>& options()
        const {
        return options_;
    }
    [[nodiscard]] const Console& console() const { return *console_; }

    /// "godwit: TEXT" to standard error.
    void complain(std::string_view text) const;
    /// complain() and the exit code.
    [[nodiscard]] int fail(const Error& error) const;
    [[nodiscard]] int fail_usage(std::string_view text) const;

private:
    friend struct Parser;
    const CommandRow* row_ = nullptr;
    const Console* console_ = nullptr;
    std::vector<std::string> arguments_;
    std::map<std::string, std::vector<std::string>, std::less<>> options_;
};

/// Finds the command, parses, runs it, and gives its exit code. `words` are without the program's
/// name. "--help" anywhere before "--" prints help instead.
int run_command_line(std::span<const CommandRow> commands, const std::vector<std::string>& words,
                     const Console& console);

/// "account app-password add".
std::string full_name(const CommandRow& row);

/// All commands of godwit.
std::span<const CommandRow> command_table();

/// The page docs/operating/cli.md is made of, from its first heading to the JSON fields.
std::string command_reference(std::span<const CommandRow> commands);

}  // namespace godwit::app
