// The configuration: one TOML file, read whole, every value with where it came from.
// Unknown keys, wrong types and values out of bounds are errors that name the line.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/config_keys.h"
#include "base/result.h"
#include "flow/settings.h"

namespace godwit::app {

enum class OriginKind : std::uint8_t { Default, File, CommandLine };
struct Origin {
    OriginKind kind = OriginKind::Default;
    std::uint32_t line = 0;  ///< In the file.
};

struct ConfigProblem {
    std::uint32_t line = 0;  ///< 0: no line of the file is to blame.
    std::string text;
};

struct Config {
    std::string file;  ///< Name for messages; empty when there is none.
    flow::Settings settings;
    /// By path ("limits.recipients", "listener[0].address", "listener[0]"); absent means Default.
    std::map<std::string, Origin, std::less<>> origins;
    /// What is wrong, by line. Settings are only to be used when this is empty.
    std::vector<ConfigProblem> problems;

    [[nodiscard]] Origin origin(std::string_view path) const;
};

/// From text. `file` is only a name. Pure.
Config parse_config(std::string_view text, std::string_view file);
/// Reads the file, then as above; a file that cannot be read is a problem.
Config load_config(const std::string& path);
/// "limits.recipients=200" from the command line, into `config`. Adds a problem when it does not
/// fit.
void override_config(Config& config, std::string_view assignment);

/// "godwit.toml:12: unknown key ..." one a line.
std::string show_problems(const Config& config);

/// Every key with its value and origin, as TOML with comments; then the fixed limits of
/// base/limits.h as comments. Secrets are not shown.
std::string show_effective(const Config& config);
/// The same as JSON: {"settings":[{key,value,origin,line,applies}],"limits":[{name,value,reason}]}.
std::string show_effective_json(const Config& config);

/// Keys whose value differs and that need a restart to apply.
std::vector<std::string> keys_needing_restart(const flow::Settings& before,
                                              const flow::Settings& after);

/// Puts the values of such keys back to what they were.
void keep_restart_keys(const flow::Settings& before, flow::Settings& after);

/// The reference in Markdown (docs/operating/config.md).
std::string config_reference();
/// A sample file: every key with its help and default, as comments.
std::string sample_config();

/// "/var/lib/godwit" + "admin.sock" and the like.
std::string join_path(std::string_view folder, std::string_view name);

}  // namespace godwit::app
