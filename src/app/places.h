// Where things are when the command line does not say: configuration, data folder, sockets.
#pragma once

#include <string>

#include "app/cli.h"
#include "app/config.h"

namespace godwit::app {

inline constexpr std::string_view kDefaultConfig = "/etc/godwit/godwit.toml";
inline constexpr std::string_view kDefaultDevFolder = ".godwit-dev";

/// Options of every command that reads the configuration.
inline constexpr OptionRow kConfigOption{"--config", "FILE",
                                         "The configuration (default: /etc/godwit/godwit.toml)."};
inline constexpr OptionRow kSetOption{"--set", "KEY=VALUE",
                                      "Overrides one key of the configuration.", Occurs::Many};
/// Options of every command that talks to a server.
inline constexpr OptionRow kDirOption{
    "--dir", "DIR", "The server's data folder, or what `godwit init --dir` made."};
inline constexpr OptionRow kJsonOption{"--json", "", "Print JSON."};

/// The configuration that --config, --dir or the usual places lead to, with --set applied.
Config find_config(const Invocation& call);

/// The data folder of the server that a command is meant for, with the settings known of it. In
/// order:
/// --dir (a data folder, or a folder with godwit.toml), --config, $GODWIT_DIR, the default
/// configuration if it may be read, ./.godwit-dev, the default data folder. NotFound when there is
/// none of them; Invalid when the configuration does not hold.
Result<flow::Settings> find_server(const Invocation& call);
/// The same, from what was given ("" = not given).
Result<flow::Settings> find_server(const std::string& dir, const std::string& config_file);

std::string admin_socket(const flow::Settings& settings);
std::string submit_socket(const flow::Settings& settings);

/// <data>/mailname: the default domain, for those who may not read the configuration (sendmail by
/// ordinary users) or are only told the data folder. Written by the server at each start.
/// What deliveries are in hand; see flow/outbound/in_hand.h.
std::string in_hand_file(const flow::Settings& settings);
std::string mailname_file(const flow::Settings& settings);

}  // namespace godwit::app
