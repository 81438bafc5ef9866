// Reading the configuration file into settings.
#include "app/config.h"

#include <algorithm>
#include <tuple>

#include "app/config_toml.h"
#include "app/file.h"
#include "base/ascii.h"
#include "base/limits.h"

namespace godwit::app {
namespace {

template <class Owner>
const ConfigKey<Owner>* find_key(std::span<const ConfigKey<Owner>> keys, std::string_view path) {
    const auto found = std::ranges::find(keys, path, &ConfigKey<Owner>::path);
    return found == keys.end() ? nullptr : &*found;
}

template <class Owner>
std::vector<std::string_view> paths_of(std::span<const ConfigKey<Owner>> keys) {
    std::vector<std::string_view> paths;
    for (const auto& key : keys) {
        paths.push_back(key.path);
    }
    return paths;
}

/// The words that may stand where `path` stood: keys, and at the top level the [[table]] names.
std::string unknown_key(std::string_view path, std::vector<std::string_view> candidates) {
    std::string text = "unknown key '" + std::string(path) + "'";
    std::string_view near = nearest(path, candidates);
    if (near.empty()) {
        // "limit.message_size" and a bare "message_size" are near in their last word.
        const std::string_view tail = path.substr(path.rfind('.') + 1);
        for (const std::string_view candidate : candidates) {
            if (candidate.substr(candidate.rfind('.') + 1) == tail) {
                near = candidate;
                break;
            }
        }
    }
    if (!near.empty()) {
        text.append("; did you mean '").append(near).append("'?");
    }
    return text;
}

class Reader {
public:
    explicit Reader(Config& config) : config_(config) {}

    void take(const TomlEntry& entry) {
        flow::Settings& settings = config_.settings;
        if (entry.table.empty()) {
            take_top(entry);
        } else if (entry.table == "listener") {
            take_row(entry, settings.listeners, listener_keys());
        } else if (entry.table == "route") {
            take_row(entry, settings.routes, route_keys());
        } else if (entry.table == "relay_domain") {
            take_row(entry, settings.relay_domains, relay_domain_keys());
        } else if (entry.table == "egress") {
            take_row(entry, settings.egress, egress_keys());
        } else if (entry.table == "provider") {
            take_row(entry, settings.providers, provider_keys());
        } else if (entry.table == "certificate") {
            take_row(entry, settings.certificates, certificate_keys());
        } else if (entry.table == "zone") {
            take_row(entry, settings.zones, zone_keys());
        } else if (entry.table == "tls_policy") {
            take_row(entry, settings.tls_policies, tls_policy_keys());
        } else if (entry.table == "web_host") {
            take_row(entry, settings.web_hosts, web_host_keys());
        } else if (entry.path.empty()) {
            problem(entry.line, unknown_key(entry.table, table_names()));
        }
    }

    void problem(std::uint32_t line, std::string text) {
        config_.problems.push_back({line, std::move(text)});
    }

private:
    static std::vector<std::string_view> table_names() {
        std::vector<std::string_view> names;
        for (const ConfigTable& table : config_tables()) {
            names.push_back(table.name);
        }
        return names;
    }

    void take_top(const TomlEntry& entry) {
        const auto* key = find_key(settings_keys(), entry.path);
        if (key == nullptr) {
            // "[listener]" with single brackets gives "listener.address": say what is meant.
            const std::string_view head =
                std::string_view(entry.path).substr(0, entry.path.find('.'));
            for (const std::string_view name : table_names()) {
                if (head == name) {
                    problem(entry.line, "'" + std::string(name) +
                                            "' stands in double brackets: [[" + std::string(name) +
                                            "]]");
                    return;
                }
            }
            auto candidates = paths_of(settings_keys());
            std::ranges::copy(table_names(), std::back_inserter(candidates));
            problem(entry.line, unknown_key(entry.path, std::move(candidates)));
            return;
        }
        set(entry, *key, config_.settings, entry.path);
    }

    template <class Owner>
    void take_row(const TomlEntry& entry, std::vector<Owner>& rows,
                  std::span<const ConfigKey<Owner>> keys) {
        if (rows.size() <= entry.index) {
            rows.resize(entry.index + 1);
        }
        const std::string row = entry.table + "[" + std::to_string(entry.index) + "]";
        if (entry.path.empty()) {
            config_.origins[row] = {OriginKind::File, entry.line};
            return;
        }
        const auto* key = find_key(keys, entry.path);
        if (key == nullptr) {
            problem(entry.line,
                    unknown_key(entry.path, paths_of(keys)) + " (in [[" + entry.table + "]])");
            return;
        }
        set(entry, *key, rows[entry.index], row + "." + entry.path);
    }

    template <class Owner>
    void set(const TomlEntry& entry, const ConfigKey<Owner>& key, Owner& owner,
             const std::string& path) {
        auto done = set_field(key.field(owner), key.unit, key.min, key.max, entry.value);
        if (!done) {
            // A secret must not come out in an error message either.
            problem(entry.line, "'" + entry.path + "': " +
                                    (key.shown == Shown::Secret ? "expected text in quotes"
                                                                : std::move(done.error().text)));
            return;
        }
        config_.origins[path] = {OriginKind::File, entry.line};
    }

    Config& config_;
};

}  // namespace

Origin Config::origin(std::string_view path) const {
    const auto found = origins.find(path);
    return found == origins.end() ? Origin{} : found->second;
}

Config parse_config(std::string_view text, std::string_view file) {
    Config config;
    config.file = std::string(file);
    const TomlText toml = parse_toml(text);
    Reader reader(config);
    for (const TomlError& error : toml.errors) {
        reader.problem(error.line, error.text);
    }
    if (config.problems.empty()) {
        for (const TomlEntry& entry : toml.entries) {
            reader.take(entry);
        }
    }
    return config;
}

Config load_config(const std::string& path) {
    auto text = read_file(path, limits::config_file_size_max);
    if (!text) {
        Config config;
        config.file = path;
        config.problems.push_back({0, std::move(text.error().text)});
        return config;
    }
    return parse_config(*text, path);
}

void override_config(Config& config, std::string_view assignment) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string_view::npos) {
        config.problems.push_back(
            {0, "command line: expected KEY=VALUE, found '" + std::string(assignment) + "'"});
        return;
    }
    const std::string path(trim(assignment.substr(0, equals)));
    const auto* key = find_key(settings_keys(), path);
    if (key == nullptr) {
        config.problems.push_back(
            {0, "command line: " + unknown_key(path, paths_of(settings_keys()))});
        return;
    }
    const FieldRef field = key->field(config.settings);
    auto done = set_field(field, key->unit, key->min, key->max,
                          value_from_text(field, trim(assignment.substr(equals + 1))));
    if (!done) {
        config.problems.push_back(
            {0, "command line: '" + path + "': " + std::move(done.error().text)});
        return;
    }
    config.origins[path] = {OriginKind::CommandLine, 0};
}

std::string show_problems(const Config& config) {
    std::vector<ConfigProblem> problems = config.problems;
    std::ranges::sort(problems, {}, [](const ConfigProblem& problem) {
        return std::tie(problem.line, problem.text);
    });
    std::string out;
    for (const ConfigProblem& problem : problems) {
        out.append(config.file.empty() ? "configuration" : config.file);
        if (problem.line != 0) {
            out.append(":").append(std::to_string(problem.line));
        }
        out.append(": ").append(problem.text).append("\n");
    }
    return out;
}

std::string join_path(std::string_view folder, std::string_view name) {
    std::string path(folder);
    if (!path.empty() && !path.ends_with('/')) {
        path.push_back('/');
    }
    return path.append(name);
}

}  // namespace godwit::app
