// `godwit dev`: the production program on loopback, one folder, no configuration file, no root.
#pragma once

#include <string>
#include <vector>

#include "app/cli.h"
#include "flow/settings.h"

namespace godwit::app {

struct DevAccount {
    std::string name;  ///< "alice" or "alice@example.test".
    std::string password;
};

struct DevPlan {
    flow::Settings settings;  ///< Without certificates: they are made in <dir>/tls.
    std::vector<DevAccount> accounts;
    std::uint16_t base_port = 20000;
};

/// From the options of the command row `dev`. Peer error for what makes no sense. Pure.
Result<DevPlan> read_dev_options(const Invocation& call);

/// What is printed before the doors open: ports, accounts, the CA file, lines to paste.
std::string describe_dev(const DevPlan& plan, const std::string& ca_file);

}  // namespace godwit::app
