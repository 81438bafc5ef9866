// For tests of crashes: the program ends itself at a named moment, as a power cut would end it.
// The environment says where: GODWIT_CRASH_AT=NAME[:N][,NAME[:N]...] (CONTRIBUTING.md). What stands
// behind the name is the N-th passing of it, counted over all threads; the first when absent.
// Law: RELIABILITY.md 5, stage 1.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "app/cli.h"
#include "base/probe.h"
#include "base/result.h"

namespace godwit::app {

/// More than this in one order is a mistake.
inline constexpr std::size_t kCrashOrdersMax = 64;

struct CrashOrder {
    const Place* place = nullptr;
    std::uint32_t passing = 1;
};

/// What `text` orders. Unknown names, numbers that are none and empty items are errors.
Result<std::vector<CrashOrder>> parse_crash_orders(std::string_view text);

/// Arms what `text` orders, before other threads start; at most once a process. The exit code when
/// the program shall not run: "list" prints all crash points and ends well, a wrong order ends with
/// kExitUsage.
std::optional<int> obey_crash_order(std::string_view text, const Console& console);

}  // namespace godwit::app
