// The program: a command line.
#include <string>
#include <vector>

#include "app/cli.h"

int main(int argc, char** argv) {
    using namespace godwit::app;
    const std::vector<std::string> words(argv + 1, argv + argc);
    return run_command_line(command_table(), words, standard_console());
}
