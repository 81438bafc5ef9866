// The real console: standard input, output and error, and passwords without echo.
#include <termios.h>
#include <unistd.h>

#include "app/cli.h"
#include "app/file.h"

namespace godwit::app {
namespace {

/// Turns the terminal's echo off while it lives.
class WithoutEcho {
public:
    WithoutEcho() {
        is_terminal_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
        if (is_terminal_) {
            termios quiet = before_;
            quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
            ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        }
    }
    ~WithoutEcho() {
        if (is_terminal_) {
            ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
        }
    }
    WithoutEcho(const WithoutEcho&) = delete;
    WithoutEcho& operator=(const WithoutEcho&) = delete;

private:
    termios before_{};
    bool is_terminal_ = false;
};

Result<std::string> read_line(std::size_t size_max) {
    std::string line;
    char c = 0;
    while (::read(STDIN_FILENO, &c, 1) == 1 && c != '\n') {
        line.push_back(c);
        if (line.size() > size_max) {
            return peer_error(ErrorCode::LimitExceeded, "line is too long");
        }
    }
    return line;
}

Result<std::string> read_password(std::string_view prompt) {
    constexpr std::size_t kLineMax = 1024;
    const bool is_terminal = ::isatty(STDIN_FILENO) == 1;
    if (!is_terminal) {
        return read_line(kLineMax);
    }
    write_all(STDERR_FILENO, std::string(prompt) + ": ");
    Result<std::string> line;
    {
        const WithoutEcho quiet;
        line = read_line(kLineMax);
    }
    write_all(STDERR_FILENO, "\n");
    return line;
}

}  // namespace

Console standard_console() {
    return {
        .out = [](std::string_view text) { write_all(STDOUT_FILENO, text); },
        .err = [](std::string_view text) { write_all(STDERR_FILENO, text); },
        .input =
            [](std::size_t size_max) { return read_all(STDIN_FILENO, "standard input", size_max); },
        .password = read_password,
    };
}

}  // namespace godwit::app
