// The table of commands. Parsing, help, suggestions and docs/operating/cli.md derive from it.
#include "app/commands.h"

#include "app/places.h"

namespace godwit::app {
namespace {

constexpr OptionRow kCheck[] = {kConfigOption, kSetOption, kJsonOption};

constexpr CommandRow kCommands[] = {
    {"config", "check", "Looks the configuration over and names what is wrong, with lines.", {},
     kCheck, run_config_check},
    {"config", "effective", "Prints every setting with where it comes from.", {}, kCheck,
     run_config_effective},
    {"config", "sample", "Prints a configuration to start from.", {}, {}, run_config_sample},
    {"config", "reference", "Prints the reference of all keys (docs/operating/config.md).", {}, {},
     run_config_reference},
    {"version", "", "Prints the version.", {}, {}, run_version},
};

}  // namespace

std::span<const CommandRow> command_table() { return kCommands; }

}  // namespace godwit::app
