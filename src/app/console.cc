// The real console: standard input, output and error, and passwords without echo.
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "app/cli.h"
#include "app/file.h"

namespace godwit::app {
namespace {

// What a signal ends the program with while there is no echo. Set by the handler alone.
volatile std::sig_atomic_t caught_signal = 0;

/// Turns the terminal's echo off while it lives, also when a signal ends the program: that comes
/// after. One at a time.
class WithoutEcho {
public:
    WithoutEcho() {
        is_terminal_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
        if (is_terminal_) {
            termios quiet = before_;
            quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
            hold_signals();
            ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        }
    }
    ~WithoutEcho() {
        if (is_terminal_) {
            ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
            release_signals();
        }
    }
    WithoutEcho(const WithoutEcho&) = delete;
    WithoutEcho& operator=(const WithoutEcho&) = delete;

private:
    static constexpr std::array kEnding = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

    void hold_signals() {
        caught_signal = 0;
        struct sigaction holding{};
        holding.sa_handler = [](int signal) { caught_signal = signal; };  // And read() ends.
        for (std::size_t i = 0; i < kEnding.size(); ++i) {
            ::sigaction(kEnding[i], nullptr, &actions_[i]);
            if (actions_[i].sa_handler != SIG_IGN) {
                ::sigaction(kEnding[i], &holding, nullptr);
            }
        }
    }
    void release_signals() {
        for (std::size_t i = 0; i < kEnding.size(); ++i) {
            ::sigaction(kEnding[i], &actions_[i], nullptr);
        }
        if (caught_signal != 0) {
            ::raise(caught_signal);
        }
    }

    std::array<struct sigaction, kEnding.size()> actions_{};
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
