// What the service manager is told: sd_notify(3).
#pragma once

#include <string_view>

namespace godwit::app {

/// "READY=1", "STATUS=..." and so on, one a line. Nothing when nobody asked (NOTIFY_SOCKET). Any
/// thread; never waits.
void notify_service(std::string_view state);

}  // namespace godwit::app
