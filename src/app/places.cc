// Finds the configuration and the data folder.
#include "app/places.h"

#include <cstdlib>

#include "app/file.h"
#include "base/ascii.h"
#include "base/limits.h"

namespace godwit::app {
namespace {

Result<flow::Settings> settings_of(const std::string& config_file) {
    Config config = load_config(config_file);
    if (!config.problems.empty()) {
        std::string text = show_problems(config);
        text.pop_back();
        return peer_error(ErrorCode::Invalid, std::move(text));
    }
    return std::move(config.settings);
}

flow::Settings settings_in(std::string folder) {
    flow::Settings settings;
    settings.data_folder = std::move(folder);
    if (const auto name = read_file(mailname_file(settings), limits::domain_size_max + 1)) {
        settings.default_domain = std::string(trim(*name));
    }
    return settings;
}

}  // namespace

Config find_config(const Invocation& call) {
    Config config = load_config(call.value_or("--config", kDefaultConfig));
    for (const std::string& assignment : call.values("--set")) {
        override_config(config, assignment);
    }
    return config;
}

Result<flow::Settings> find_server(const std::string& dir, const std::string& config_file) {
    std::string folder = dir;
    if (folder.empty() && !config_file.empty()) {
        return settings_of(config_file);
    }
    if (const char* environment = std::getenv("GODWIT_DIR");
        folder.empty() && environment != nullptr) {
        folder = environment;
    }
    if (!folder.empty()) {
        const std::string inside = join_path(folder, "godwit.toml");
        if (file_exists(inside)) {
            return settings_of(inside);
        }
        if (!file_exists(folder)) {
            return peer_error(ErrorCode::NotFound, "there is no folder " + folder);
        }
        return settings_in(folder);
    }
    if (is_readable(std::string(kDefaultConfig))) {
        return settings_of(std::string(kDefaultConfig));
    }
    if (file_exists(std::string(kDefaultDevFolder))) {
        return settings_in(std::string(kDefaultDevFolder));
    }
    // Ordinary users may not read the configuration, but they may hand in mail.
    if (file_exists(flow::Settings{}.data_folder)) {
        return settings_in(flow::Settings{}.data_folder);
    }
    return peer_error(ErrorCode::NotFound, "no server found: there is neither " +
                                               std::string(kDefaultConfig) + " nor ./" +
                                               std::string(kDefaultDevFolder) +
                                               "; say --dir DIR or --config FILE");
}

Result<flow::Settings> find_server(const Invocation& call) {
    return find_server(call.value_or("--dir", ""), call.value_or("--config", ""));
}

std::string admin_socket(const flow::Settings& settings) {
    return join_path(settings.data_folder, "admin.sock");
}
std::string in_hand_file(const flow::Settings& settings) {
    return join_path(settings.data_folder, "in-hand");
}
std::string mailname_file(const flow::Settings& settings) {
    return join_path(settings.data_folder, "mailname");
}
std::string submit_socket(const flow::Settings& settings) {
    return join_path(settings.data_folder, "submit.sock");
}

}  // namespace godwit::app
