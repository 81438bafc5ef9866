// The functions behind the rows of the command table (commands.cc).
#pragma once

#include "app/cli.h"

namespace godwit::app {

// commands_config.cc
int run_config_check(const Invocation& call);
int run_config_effective(const Invocation& call);
int run_config_sample(const Invocation& call);
int run_config_reference(const Invocation& call);
int run_version(const Invocation& call);

// commands_admin.cc
int run_admin_change(const Invocation& call);
int run_admin_view(const Invocation& call);
int run_fsck(const Invocation& call);

}  // namespace godwit::app
