// Printing the configuration: effective values with their origins, the reference, the sample.
#include "app/config.h"
#include "base/json.h"
#include "base/limits.h"

namespace godwit::app {
namespace {

struct LimitRow {
    std::string_view name;
    std::uint64_t value;
    std::string_view reason;
};

constexpr std::uint64_t limit_number(std::chrono::seconds duration) {
    return static_cast<std::uint64_t>(duration.count());
}
template <class Number>
    requires std::is_integral_v<Number>
constexpr std::uint64_t limit_number(Number number) {
    return static_cast<std::uint64_t>(number);
}

// One row for each constant of base/limits.h, written by the build from that file.
constexpr LimitRow kLimits[] = {
#include "limits_table.inc"
};

constexpr std::string_view kHidden = "\"(hidden)\"";

std::string_view word_for(Applies applies) {
    return applies == Applies::Reload ? "reload" : "restart";
}

std::string origin_text(const Config& config, const Origin& origin) {
    switch (origin.kind) {
        case OriginKind::Default: return "default";
        case OriginKind::File: return config.file + ":" + std::to_string(origin.line);
        case OriginKind::CommandLine: return "command line";
    }
    return "default";
}

/// One value to be shown.
struct Shows {
    std::string path;   ///< "limits.recipients", "listener[0].address".
    std::string key;    ///< As it stands in the file.
    std::string value;  ///< TOML.
    Origin origin;
    Applies applies;
};

template <class Owner>
Shows shows(const Config& config, const ConfigKey<Owner>& key, Owner& owner, std::string path) {
    const FieldRef field = key.field(owner);
    std::string value = show_field(field, key.unit);
    if (key.shown == Shown::Secret && value != "\"\"") {
        value = std::string(kHidden);
    }
    const Origin origin = config.origin(path);
    return {std::move(path), std::string(key.path), std::move(value), origin, key.applies};
}

/// Calls `on_row` for each value and `on_table` for each [[table]] entry, in order.
template <class Owner, class OnTable, class OnRow>
void walk_rows(const Config& config, std::string_view table, std::vector<Owner> rows,
               std::span<const ConfigKey<Owner>> keys, OnTable on_table, OnRow on_row) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::string path = std::string(table) + "[" + std::to_string(i) + "]";
        on_table(table, config.origin(path));
        for (const auto& key : keys) {
            on_row(shows(config, key, rows[i], path + "." + std::string(key.path)));
        }
    }
}

template <class OnTable, class OnRow>
void walk(const Config& config, OnTable on_table, OnRow on_row) {
    flow::Settings settings = config.settings;
    for (const auto& key : settings_keys()) {
        on_row(shows(config, key, settings, std::string(key.path)));
    }
    walk_rows(config, "listener", settings.listeners, listener_keys(), on_table, on_row);
    walk_rows(config, "route", settings.routes, route_keys(), on_table, on_row);
    walk_rows(config, "relay_domain", settings.relay_domains, relay_domain_keys(), on_table,
              on_row);
    walk_rows(config, "egress", settings.egress, egress_keys(), on_table, on_row);
    walk_rows(config, "provider", settings.providers, provider_keys(), on_table, on_row);
    walk_rows(config, "certificate", settings.certificates, certificate_keys(), on_table, on_row);
    walk_rows(config, "zone", settings.zones, zone_keys(), on_table, on_row);
    walk_rows(config, "tls_policy", settings.tls_policies, tls_policy_keys(), on_table, on_row);
    walk_rows(config, "web_host", settings.web_hosts, web_host_keys(), on_table, on_row);
}

void append_line(std::string& out, std::string_view left, std::string_view comment) {
    constexpr std::size_t kColumn = 48;
    out.append(left);
    out.append(left.size() < kColumn ? kColumn - left.size() : 1, ' ');
    out.append("# ").append(comment).append("\n");
}

/// Words of `text`, wrapped, each line with `prefix` before it.
void append_wrapped(std::string& out, std::string_view text, std::string_view prefix) {
    constexpr std::size_t kWidth = 98;
    while (!text.empty()) {
        std::size_t size = text.size();
        if (prefix.size() + size > kWidth) {
            size = text.rfind(' ', kWidth - prefix.size());
            if (size == std::string_view::npos || size == 0) {
                size = std::min(text.find(' '), text.size());
            }
        }
        out.append(prefix).append(text.substr(0, size)).append("\n");
        text.remove_prefix(std::min(size + 1, text.size()));
    }
}

template <class Owner>
void append_reference(std::string& out, std::span<const ConfigKey<Owner>> keys) {
    Owner defaults{};
    out.append("| key | type | default | a change applies at | meaning |\n|---|---|---|---|---|\n");
    for (const auto& key : keys) {
        const FieldRef field = key.field(defaults);
        out.append("| `").append(key.path).append("` | ").append(type_of(field, key.unit));
        out.append(" | `").append(show_field(field, key.unit)).append("` | ");
        out.append(word_for(key.applies)).append(" | ").append(key.help).append(" |\n");
    }
    out.append("\n");
}

template <class Owner>
void append_sample(std::string& out, std::span<const ConfigKey<Owner>> keys) {
    Owner defaults{};
    for (const auto& key : keys) {
        append_wrapped(out, key.help, "# ");
        out.append("#").append(key.path).append(" = ");
        out.append(show_field(key.field(defaults), key.unit)).append("\n");
    }
}

template <class Owner>
void note_restarts(std::vector<std::string>& out, std::span<const ConfigKey<Owner>> keys,
                   Owner before, Owner after) {
    for (const auto& key : keys) {
        if (key.applies == Applies::Restart &&
            show_field(key.field(before), key.unit) != show_field(key.field(after), key.unit)) {
            out.emplace_back(key.path);
        }
    }
}

}  // namespace

std::string show_effective(const Config& config) {
    std::string out;
    walk(
        config,
        [&](std::string_view table, const Origin& origin) {
            out.append("\n");
            append_line(out, "[[" + std::string(table) + "]]", origin_text(config, origin));
        },
        [&](const Shows& row) {
            append_line(out, row.key + " = " + row.value, origin_text(config, row.origin));
        });
    out.append("\n# Fixed limits of this build (base/limits.h).\n");
    for (const LimitRow& limit : kLimits) {
        append_line(out, "# " + std::string(limit.name) + " = " + std::to_string(limit.value),
                    limit.reason);
    }
    return out;
}

std::string show_effective_json(const Config& config) {
    JsonWriter json;
    json.begin_object().key("settings").begin_array();
    walk(
        config, [](std::string_view, const Origin&) {},
        [&](const Shows& row) {
            json.begin_object().field("key", row.path).field("value", row.value);
            json.field("origin", row.origin.kind == OriginKind::Default ? "default"
                                 : row.origin.kind == OriginKind::File  ? "file"
                                                                        : "command_line");
            if (row.origin.kind == OriginKind::File) {
                json.field("file", config.file).field("line", row.origin.line);
            }
            json.field("applies", word_for(row.applies)).end_object();
        });
    json.end_array().key("limits").begin_array();
    for (const LimitRow& limit : kLimits) {
        json.begin_object().field("name", limit.name).field("value", limit.value);
        json.field("reason", limit.reason).end_object();
    }
    json.end_array().end_object();
    return std::move(json).take();
}

std::vector<std::string> keys_needing_restart(const flow::Settings& before,
                                              const flow::Settings& after) {
    std::vector<std::string> out;
    note_restarts(out, settings_keys(), before, after);
    if (before.zones != after.zones) {
        out.emplace_back("zone");
    }
    return out;
}

void keep_restart_keys(const flow::Settings& before, flow::Settings& after) {
    flow::Settings old = before;
    for (const auto& key : settings_keys()) {
        if (key.applies == Applies::Restart) {
            copy_field(key.field(old), key.field(after));
        }
    }
    after.zones = before.zones;
}

std::string config_reference() {
    std::string out =
        "# The configuration file\n\n"
        "One TOML file holds all server settings; `godwit serve --config FILE` reads it, "
        "`godwit config check`\nlooks it over, `godwit config effective` prints every value with "
        "its "
        "origin, `godwit config sample`\nprints a file to start from. Unknown keys are errors. "
        "Domains, "
        "accounts and aliases are not in it: they\nlive in the store (see cli.md).\n\n"
        "Sizes are written `\"50 MiB\"` (GiB, MiB, KiB, octets), times `\"5 days\"` (weeks, days, "
        "hours, "
        "minutes, seconds).\nA changed value is taken up by `godwit reload` (or SIGHUP), or needs "
        "a "
        "restart, as the table says.\n\n## Settings\n\n";
    append_reference(out, settings_keys());
    for (const ConfigTable& table : config_tables()) {
        out.append("## `[[").append(table.name).append("]]`\n\n").append(table.help).append("\n\n");
        if (table.name == "listener") {
            append_reference(out, listener_keys());
        } else if (table.name == "route") {
            append_reference(out, route_keys());
        } else if (table.name == "relay_domain") {
            append_reference(out, relay_domain_keys());
        } else if (table.name == "egress") {
            append_reference(out, egress_keys());
        } else if (table.name == "provider") {
            append_reference(out, provider_keys());
        } else if (table.name == "certificate") {
            append_reference(out, certificate_keys());
        } else if (table.name == "zone") {
            append_reference(out, zone_keys());
        } else if (table.name == "tls_policy") {
            append_reference(out, tls_policy_keys());
        } else {
            append_reference(out, web_host_keys());
        }
    }
    out.append(
        "This page is the output of `godwit config reference`; a test holds it to the program.\n");
    return out;
}

std::string sample_config() {
    std::string out =
        "# Godwit's configuration. Every key is here with its default; remove the '#' to set it.\n"
        "# `godwit config check` looks this file over; `godwit reload` applies changes.\n\n";
    append_sample(out, settings_keys());
    for (const ConfigTable& table : config_tables()) {
        out.append("\n");
        append_wrapped(out, table.help, "# ");
        out.append("#[[").append(table.name).append("]]\n");
        if (table.name == "listener") {
            append_sample(out, listener_keys());
        } else if (table.name == "route") {
            append_sample(out, route_keys());
        } else if (table.name == "relay_domain") {
            append_sample(out, relay_domain_keys());
        } else if (table.name == "egress") {
            append_sample(out, egress_keys());
        } else if (table.name == "provider") {
            append_sample(out, provider_keys());
        } else if (table.name == "certificate") {
            append_sample(out, certificate_keys());
        } else if (table.name == "zone") {
            append_sample(out, zone_keys());
        } else if (table.name == "tls_policy") {
            append_sample(out, tls_policy_keys());
        } else {
            append_sample(out, web_host_keys());
        }
    }
    return out;
}

}  // namespace godwit::app
