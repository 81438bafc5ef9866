// The program: a command line, under one of several names.
#include <sys/stat.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli.h"
#include "app/commands.h"
#include "app/crash_at.h"
#include "app/termination.h"
#include "base/clock.h"
#include "base/log.h"

int main(int argc, char** argv) {
    using namespace godwit::app;
    explain_termination();
    // Mail and password hashes are nobody else's, whichever command writes them. What others shall
    // read or pass through is given its mode where it is made.
    ::umask(0077);
    godwit::log::set_clock(&godwit::system_clock());
    const std::string_view path = argc > 0 ? argv[0] : "godwit";
    const std::string name(path.substr(path.rfind('/') + 1));
    std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    const Console console = standard_console();
    if (const char* order = std::getenv("GODWIT_CRASH_AT"); order != nullptr) {
        if (const auto code = obey_crash_order(order, console); code) {
            return *code;
        }
    }
    if (name == "sendmail" || name == "mailq" || name == "newaliases") {
        return run_sendmail(name, words, console);
    }
    if (!words.empty() && words[0] == "sendmail") {
        words.erase(words.begin());
        return run_sendmail("sendmail", words, console);
    }
    return run_command_line(command_table(), words, console);
}
