#include "app/termination.h"

#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>
#include <system_error>

#include "app/cli.h"

namespace godwit::app {
namespace {

// Without the logger: it allocates.
constexpr std::string_view kNoMemory =
    "{\"level\":\"error\",\"event\":\"process.out_of_memory\","
    "\"then\":\"the process ends; what was acknowledged is on disk\"}\n";
constexpr std::string_view kNoThread =
    "{\"level\":\"error\",\"event\":\"process.no_thread\",\"error\":\"the system starts no more "
    "threads (RLIMIT_NPROC, TasksMax, pids.max)\"}\n";

[[noreturn]] void end_with(std::string_view line) {
    // Nobody may listen; the end comes all the same.
    (void)!::write(STDERR_FILENO, line.data(), line.size());
    std::_Exit(kExitTemporary);
}

[[noreturn]] void end() noexcept {
    if (const std::exception_ptr why = std::current_exception(); why != nullptr) {
        try {
            std::rethrow_exception(why);
        } catch (const std::bad_alloc&) {
            end_with(kNoMemory);
        } catch (const std::system_error& error) {
            if (error.code() == std::errc::resource_unavailable_try_again) {
                end_with(kNoThread);
            }
        } catch (...) {
            std::abort();
        }
    }
    std::abort();
}

}  // namespace

void explain_termination() {
    std::set_terminate(end);
}

}  // namespace godwit::app
