// Looks a configuration over as a whole before it is used: what a single key cannot know.
#pragma once

#include "app/config.h"

namespace godwit::app {

/// Adds what is wrong to config.problems: hostname and domain are domain names, listeners parse and
/// do not clash, certificates exist, match their keys and are there for listeners that need one,
/// routes are valid. Reads the certificate files; binds and connects nothing.
void check_config(Config& config);

}  // namespace godwit::app
