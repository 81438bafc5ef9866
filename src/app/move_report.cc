#include "app/move_report.h"

#include <unistd.h>

#include <algorithm>

#include "app/json_text.h"
#include "base/json.h"

namespace godwit::app {

namespace {
constexpr std::chrono::milliseconds kTerminalPause(200);
constexpr std::chrono::seconds kLinePause(10);
constexpr std::uint64_t kBarWidth = 30;
}  // namespace

std::string progress_bar(std::uint64_t done, std::uint64_t all) {
    const std::uint64_t most = std::max<std::uint64_t>(all, 1);
    const std::uint64_t part = std::min(done, most);
    const std::uint64_t width = part * kBarWidth / most;
    const std::string percent = std::to_string(part * 100 / most);
    return "[" + std::string(width, '#') + std::string(kBarWidth - width, '.') + "] " +
           std::string(3 - percent.size(), ' ') + percent + " % " + std::to_string(done) + " of " +
           std::to_string(all);
}

MoveReport::MoveReport(const Console& console, std::string word)
    : console_(console),
      word_(std::move(word)),
      is_terminal_(::isatty(STDERR_FILENO) == 1),
      last_(std::chrono::steady_clock::now()) {}

MoveReport::~MoveReport() {
    if (is_terminal_ && has_shown_) {
        console_.err("\n");
    }
}

void MoveReport::show(bool is_last) {
    const auto now = std::chrono::steady_clock::now();
    const bool is_due = is_terminal_ ? now - last_ >= kTerminalPause : now - last_ >= kLinePause;
    if (!is_due && !(is_last && has_shown_)) {
        return;
    }
    last_ = now;
    has_shown_ = true;
    const std::uint64_t done = counts_.moved + counts_.known + counts_.failed;
    console_.err(is_terminal_ ? "\r" + progress_bar(done, expected_) + "  "
                              : std::to_string(done) + " of " + std::to_string(expected_) +
                                    " messages looked at, " + std::to_string(counts_.moved) + " " +
                                    word_ + "\n");
}

void MoveReport::add_folder() {
    const std::lock_guard lock(mutex_);
    ++counts_.folders;
}

void MoveReport::expect(std::uint64_t messages) {
    const std::lock_guard lock(mutex_);
    expected_ += messages;
}

void MoveReport::add_moved(std::uint64_t messages, std::uint64_t octets) {
    const std::lock_guard lock(mutex_);
    counts_.moved += messages;
    counts_.octets += octets;
    show(false);
}

void MoveReport::add_known(std::uint64_t messages) {
    const std::lock_guard lock(mutex_);
    counts_.known += messages;
    show(false);
}

void MoveReport::keep(MoveProblem problem) {
    ++problem_count_;
    if (problems_.size() < move_problems_max) {
        problems_.push_back(std::move(problem));
    }
}

void MoveReport::add_failed(MoveProblem problem) {
    const std::lock_guard lock(mutex_);
    ++counts_.failed;
    keep(std::move(problem));
}

void MoveReport::add_changed(MoveProblem problem) {
    const std::lock_guard lock(mutex_);
    ++counts_.changed;
    keep(std::move(problem));
}

void MoveReport::add_problem(MoveProblem problem) {
    const std::lock_guard lock(mutex_);
    keep(std::move(problem));
}

MoveCounts MoveReport::counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
}

int MoveReport::finish(const Invocation& call) {
    const std::lock_guard lock(mutex_);
    show(true);
    const int code =
        counts_.failed > 0 || problem_count_ > counts_.changed ? kExitRefused : kExitDone;
    if (call.has("--json")) {
        JsonWriter json;
        json.begin_object().field("folders", counts_.folders).field(word_, counts_.moved);
        json.field("known", counts_.known).field("failed", counts_.failed);
        json.field("changed", counts_.changed).field("octets", counts_.octets);
        json.field("problem_count", problem_count_).key("problems").begin_array();
        for (const MoveProblem& problem : problems_) {
            json.begin_object().field("folder", problem.folder).field("message", problem.message);
            json.field("reason", problem.reason).end_object();
        }
        json.end_array().end_object();
        console_.out(std::string(json.view()) + "\n");
        return code;
    }
    std::string text = std::to_string(counts_.moved) + " messages (" +
                       std::to_string(counts_.octets) + " octets) " + word_ + " of " +
                       std::to_string(counts_.folders) + " folders";
    if (counts_.known > 0) {
        text.append(", " + std::to_string(counts_.known) + " came earlier");
    }
    if (counts_.failed > 0) {
        text.append(", " + std::to_string(counts_.failed) + " could not be");
    }
    text.append("\n");
    for (const MoveProblem& problem : problems_) {
        // Names and words of strangers: another server's, of files.
        text.append(show_text(problem.folder + (problem.message.empty() ? "" : ", ") +
                              problem.message + ": " + problem.reason) +
                    "\n");
    }
    if (problem_count_ > problems_.size()) {
        text.append("and " + std::to_string(problem_count_ - problems_.size()) + " more\n");
    }
    console_.out(text);
    return code;
}

}  // namespace godwit::app
