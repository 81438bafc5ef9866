// What came of an import or an export, and how far it is. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli.h"

namespace godwit::app {

/// Problems named in the report; the others are counted.
inline constexpr std::size_t move_problems_max = 1000;

struct MoveProblem {
    std::string folder;
    std::string message;  ///< Empty: of the folder itself.
    std::string reason;
};

struct MoveCounts {
    std::uint64_t folders = 0;
    std::uint64_t moved = 0;    ///< Imported or exported now.
    std::uint64_t known = 0;    ///< Imported by an earlier run.
    std::uint64_t failed = 0;   ///< Could not be; named in the problems.
    std::uint64_t changed = 0;  ///< Moved, but not exactly as they were; named, too.
    std::uint64_t octets = 0;
};

class MoveReport {
public:
    /// `word`: "imported" or "exported". Progress goes to standard error: a bar on a terminal, else
    /// a line now and then.
    MoveReport(const Console& console, std::string word);
    ~MoveReport();
    MoveReport(const MoveReport&) = delete;
    MoveReport& operator=(const MoveReport&) = delete;

    void add_folder();
    /// So many messages more are to be moved.
    void expect(std::uint64_t messages);
    void add_moved(std::uint64_t messages, std::uint64_t octets);
    void add_known(std::uint64_t messages);
    void add_failed(MoveProblem problem);
    void add_changed(MoveProblem problem);
    /// Of a folder; nothing of it is counted as a message.
    void add_problem(MoveProblem problem);
    [[nodiscard]] MoveCounts counts() const;

    /// The exit code, after the report was printed: kExitRefused when something was left behind.
    int finish(const Invocation& call);

private:
    void keep(MoveProblem problem);
    void show(bool is_last);

    const Console& console_;
    std::string word_;
    mutable std::mutex mutex_;
    MoveCounts counts_;
    std::uint64_t expected_ = 0;
    std::uint64_t problem_count_ = 0;
    std::vector<MoveProblem> problems_;
    bool is_terminal_;
    bool has_shown_ = false;
    std::chrono::steady_clock::time_point last_;
};

/// "[#####.....]  50 % 100 of 200": a bar of one line.
std::string progress_bar(std::uint64_t done, std::uint64_t all);

}  // namespace godwit::app
