// The configuration file: any text gives settings or problems, and what is shown as effective reads
// back without problems.
#include "app/config.h"

#include "input.h"

using namespace godwit;

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const app::Config config = app::parse_config(fuzz::as_text(bytes, size), "f");
    const std::string problems = app::show_problems(config);
    check(config.problems.empty() == problems.empty(), "problems are shown");
    if (config.problems.empty()) {
        const app::Config again = app::parse_config(app::show_effective(config), "f");
        check(again.problems.empty(), "effective settings are a valid file");
        check(again.settings.listeners.size() == config.settings.listeners.size(),
              "listeners are kept");
    }
    return 0;
}
