// What the importing commands have in common: options, the desk, the report.
#pragma once

#include <functional>

#include "app/cli.h"
#include "app/import_desk.h"

namespace godwit::app {

/// Reads the options, opens the server, runs `work` and prints the report. The exit code.
int run_import(const Invocation& call, const std::function<Result<>(ImportDesk&)>& work);

}  // namespace godwit::app
