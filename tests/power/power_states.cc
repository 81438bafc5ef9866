// ./dev crash --power: the store on disks that lie, state after state, in several processes.
//
// usage: power_states [--states N] [--seed S] [--jobs J] [--history FILE]
//        power_states --replay SEED             one chain again, with all that was found
//        power_states --replay-fault fresh|recovery:KINDS:AT:io|full:once|ever
//        power_states --only states|faults       half of it
//        power_states --seconds S                ends then, or at the first fault
//        power_states --groups N                 length of the script whose operations fail
// Prints progress, figures, and `ok NAME` or `not ok NAME`; exit 1 when something did not hold.
#include <sys/wait.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <optional>
#include <sstream>

#include "base/log.h"
#include "power/chain.h"

namespace godwit::power {
namespace {

constexpr std::uint64_t kStatesOfChain = 10;
// Far more than any chain or run takes, on however busy a machine.
constexpr double kStuckSeconds = 300;

struct FaultToReplay {
    Fault fault;
    Past past = Past::None;
};

struct Options {
    std::uint64_t states = 500;
    std::uint64_t seed = 1;
    unsigned jobs = 2;
    std::uint64_t groups = 20;
    std::uint64_t seconds = 0;  // Not 0: ends after these, or at the first fault.
    std::string history;
    std::optional<std::uint64_t> replay;
    std::optional<FaultToReplay> replay_fault;
    bool has_states = true;
    bool has_faults = true;
};

struct FaultMode {
    const char* name;
    Fault fault;
};
// Reads, looks and folders' lists cannot find a disk full.
constexpr std::uint32_t kGrowing =
    bit(Op::Write) | bit(Op::Create) | bit(Op::Sync) | bit(Op::Rename) | bit(Op::SyncFolder);
constexpr std::array kFaultModes = {
    FaultMode{"eio_once", {kAnyOp, 1, Trouble::Io, false}},
    FaultMode{"eio_from_then_on", {kAnyOp, 1, Trouble::Io, true}},
    FaultMode{"enospc_once", {kGrowing, 1, Trouble::Full, false}},
    FaultMode{"enospc_from_then_on", {kGrowing, 1, Trouble::Full, true}},
    FaultMode{"failed_sync", {bit(Op::Sync) | bit(Op::SyncFolder), 1, Trouble::Io, false}},
};

std::string text_of(const Fault& fault, Past past) {
    return std::string(past == Past::Cut ? "recovery:" : "fresh:") + std::to_string(fault.kinds) +
           ":" + std::to_string(fault.at) + (fault.trouble == Trouble::Io ? ":io" : ":full") +
           (fault.is_sticky ? ":ever" : ":once");
}

std::vector<std::uint64_t> numbers_of(const Figures& figures) {
    std::vector<std::uint64_t> numbers = {
        figures.states,     figures.cuts_in_opening, figures.cuts_at_points, figures.restarts,
        figures.faults,     figures.fatal,           figures.commits,        figures.acknowledged,
        figures.operations, figures.losses,          figures.fsck_findings};
    numbers.insert(numbers.end(), figures.by_cut.begin(), figures.by_cut.end());
    numbers.insert(numbers.end(), figures.by_op.begin(), figures.by_op.end());
    return numbers;
}
Figures figures_of(std::istream& in) {
    Figures figures;
    in >> figures.states >> figures.cuts_in_opening >> figures.cuts_at_points >> figures.restarts >>
        figures.faults >> figures.fatal >> figures.commits >> figures.acknowledged >>
        figures.operations >> figures.losses >> figures.fsck_findings;
    for (std::uint64_t& each : figures.by_cut) {
        in >> each;
    }
    for (std::uint64_t& each : figures.by_op) {
        in >> each;
    }
    return figures;
}

/// What a worker says, a line each: "begin WHAT", "bad WHAT: TEXT", "end KIND NUMBERS".
class Voice {
public:
    explicit Voice(int pipe) : pipe_(pipe) {}
    void say(const std::string& line) const {
        const std::string whole = line + "\n";
        if (::write(pipe_, whole.data(), whole.size()) != static_cast<ssize_t>(whole.size())) {
            std::_Exit(3);  // Nobody listens.
        }
    }
    void report(const std::string& what, const char* kind, const Verdict& verdict) const {
        for (std::string text : verdict.faults) {
            std::ranges::replace(text, '\n', ' ');
            say("bad " + what + ": " + text);
        }
        std::string line = std::string("end ") + kind;
        for (const std::uint64_t number : numbers_of(verdict.figures)) {
            line += " " + std::to_string(number);
        }
        say(line);
    }

private:
    int pipe_;
};

void work(const Options& options, unsigned worker, const Voice& voice) {
    const std::uint64_t chains = (options.states + kStatesOfChain - 1) / kStatesOfChain;
    for (std::uint64_t i = worker; options.has_states && i < chains; i += options.jobs) {
        const std::string what = "--replay " + std::to_string(options.seed + i);
        voice.say("begin " + what);
        voice.report(what, "states", run_chain(options.seed + i, kStatesOfChain));
    }
    for (const FaultMode& mode : kFaultModes) {
        for (const Past past : {Past::None, Past::Cut}) {
            const std::string name =
                std::string(mode.name) + (past == Past::Cut ? "_in_recovery" : "");
            for (std::uint64_t at = 1 + worker; options.has_faults; at += options.jobs) {
                Fault fault = mode.fault;
                fault.at = at;
                const std::string what = "--groups " + std::to_string(options.groups) +
                                         " --replay-fault " + text_of(fault, past);
                voice.say("begin " + what);
                const FaultRun run = run_with_fault(fault, options.groups, past);
                voice.report(what, name.c_str(), run.verdict);
                if (!run.was_struck) {
                    break;
                }
            }
        }
    }
}

struct Listener {
    int pipe = -1;
    pid_t process = 0;
    std::string rest;
    std::string at;    // What it is doing.
    double since = 0;  // Seconds from the beginning.
    bool is_given_up = false;
};

struct Outcome {
    Figures states;
    std::map<std::string, Figures> faults;  // By mode.
    std::map<std::string, std::uint64_t> fault_runs;
    std::map<std::string, std::uint64_t> probes;
    std::vector<std::string> bad;
};

void hear(const std::string& line, Listener& listener, Outcome& outcome) {
    if (line.starts_with("begin ")) {
        listener.at = line.substr(6);
    } else if (line.starts_with("bad ")) {
        outcome.bad.push_back(line.substr(4));
        std::printf("power: FAULT %s\n", line.c_str() + 4);
    } else if (line.starts_with("end ")) {
        std::istringstream in(line.substr(4));
        std::string kind;
        in >> kind;
        const Figures figures = figures_of(in);
        if (kind == "states") {
            outcome.states.add(figures);
        } else {
            outcome.faults[kind].add(figures);
            ++outcome.fault_runs[kind];
        }
        listener.at.clear();
    } else if (line.starts_with("probe ")) {
        std::istringstream in(line.substr(6));
        std::string name;
        std::uint64_t count = 0;
        in >> name >> count;
        outcome.probes[name] += count;
    }
}

// A worker that has been at one thing for far too long is a finding, and is ended.
void expect_progress(Listener& listener, Outcome& outcome, double now) {
    if (now - listener.since < kStuckSeconds || listener.is_given_up) {
        return;
    }
    outcome.bad.push_back(listener.at + ": no end in " + std::to_string(int(kStuckSeconds)) + " s");
    std::printf("power: FAULT %s\n", outcome.bad.back().c_str());
    listener.is_given_up = true;
    ::kill(listener.process, SIGKILL);
}

// Reads until the worker is gone; true while it lives.
bool listen(Listener& listener, Outcome& outcome) {
    char octets[65536];
    const ssize_t size = ::read(listener.pipe, octets, sizeof octets);
    if (size > 0) {
        listener.rest.append(octets, static_cast<std::size_t>(size));
        for (std::size_t end = 0; (end = listener.rest.find('\n')) != std::string::npos;) {
            hear(listener.rest.substr(0, end), listener, outcome);
            listener.rest.erase(0, end + 1);
        }
        return true;
    }
    ::close(listener.pipe);
    listener.pipe = -1;
    int status = 0;
    ::waitpid(listener.process, &status, 0);
    if (!listener.is_given_up && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
        outcome.bad.push_back(listener.at + ": the process died (status " + std::to_string(status) +
                              ")");
    }
    return false;
}

void show(const Figures& figures, double seconds) {
    std::string modes;
    for (std::size_t i = 0; i < kCuts; ++i) {
        modes += std::string(i == 0 ? "" : ", ") + std::string(name_of(static_cast<Cut>(i))) + " " +
                 std::to_string(figures.by_cut[i]);
    }
    if (figures.states == 0) {
        return;
    }
    std::string operations;
    for (std::size_t i = 0; i < kOps; ++i) {
        operations += std::string(i == 0 ? "" : ", ") + std::string(name_of(static_cast<Op>(i))) +
                      " " + std::to_string(figures.by_op[i]);
    }
    std::printf(
        "power: %lu states (%s), cut at (%s), %lu in opening, %lu at named moments, %lu restarts, "
        "%lu "
        "operations "
        "failed on order, %lu stores gave up, %lu commits, %lu plans acknowledged, %lu disk "
        "operations, %lu losses, %lu fsck findings, %.0f s\n",
        figures.states, modes.c_str(), operations.c_str(), figures.cuts_in_opening,
        figures.cuts_at_points, figures.restarts, figures.faults, figures.fatal, figures.commits,
        figures.acknowledged, figures.operations, figures.losses, figures.fsck_findings, seconds);
    std::fflush(stdout);
}

bool verdict(const char* name, const Outcome& outcome, bool (*concerns)(const std::string&)) {
    std::string text;
    std::size_t count = 0;
    for (const std::string& bad : outcome.bad) {
        if (concerns(bad) && ++count <= 10) {
            text += "\n    power_states " + bad;
        }
    }
    std::printf("%s %s%s\n", count == 0 ? "ok" : "not ok", name, text.c_str());
    return count == 0;
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}
bool is_of_faults(const std::string& bad) {
    return has(bad, "--replay-fault");
}
bool is_opening(const std::string& bad) {
    return has(bad, "does not open") || has(bad, "cannot be read") || has(bad, "process died") ||
           has(bad, "no end in");
}

void record(const Options& options, const Outcome& outcome, double seconds) {
    if (options.history.empty()) {
        return;
    }
    std::FILE* file = std::fopen(options.history.c_str(), "a");
    if (file == nullptr) {
        return;
    }
    char at[32];
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &parts);
    std::uint64_t runs = 0;
    for (const auto& [name, count] : outcome.fault_runs) {
        runs += count;
    }
    std::fprintf(file,
                 "{\"at\": \"%s\", \"kind\": \"power\", \"seed\": %lu, \"states\": %lu, "
                 "\"fault_runs\": %lu, \"acknowledged\": %lu, \"operations\": %lu, \"lost\": %lu, "
                 "\"fsck\": %lu, \"faults\": %zu, \"seconds\": %.0f}\n",
                 at, options.seed, outcome.states.states, runs, outcome.states.acknowledged,
                 outcome.states.operations, outcome.states.losses, outcome.states.fsck_findings,
                 outcome.bad.size(), seconds);
    std::fclose(file);
}

std::vector<Listener> start(const Options& options) {
    std::vector<Listener> listeners;
    for (unsigned worker = 0; worker < options.jobs; ++worker) {
        int ends[2];
        if (::pipe(ends) != 0) {
            std::perror("pipe");
            std::exit(2);
        }
        const pid_t process = ::fork();
        if (process == 0) {
            ::close(ends[0]);
            const Voice voice(ends[1]);
            work(options, worker, voice);
            for (const auto& [name, passed] : probes_passed()) {
                voice.say("probe " + name + " " + std::to_string(passed));
            }
            ::close(ends[1]);
            std::exit(0);
        }
        ::close(ends[1]);
        Listener& listener = listeners.emplace_back();
        listener.pipe = ends[0];
        listener.process = process;
    }
    return listeners;
}

// Figures of the failing operations, rare paths, and what held.
bool conclude(const Options& options, const Outcome& outcome) {
    for (const auto& [name, figures] : outcome.faults) {
        std::printf(
            "power: %s: %lu runs, %lu operations failed, %lu stores gave up, %lu states, "
            "%lu losses, %lu fsck findings\n",
            name.c_str(), outcome.fault_runs.at(name), figures.faults, figures.fatal,
            figures.states, figures.losses, figures.fsck_findings);
    }
    std::string probes;
    for (const auto& [name, passed] : outcome.probes) {
        probes += " " + name + "=" + std::to_string(passed);
    }
    if (!probes.empty()) {  // Workers that were ended early tell none.
        std::printf("power: rare paths passed:%s\n", probes.c_str());
    }
    bool holds = true;
    if (outcome.bad.empty() && outcome.states.states == 0 && outcome.fault_runs.empty()) {
        std::printf("not ok something_was_tried\n    no time for one state\n");
        return false;
    }
    if (options.has_states) {
        holds &= verdict("opens_after_every_cut", outcome, [](const std::string& bad) {
            return is_opening(bad) && !is_of_faults(bad);
        });
        holds &= verdict("nothing_acknowledged_is_lost", outcome, [](const std::string& bad) {
            return !is_opening(bad) && !is_of_faults(bad) && !has(bad, "fsck");
        });
        holds &= verdict("fsck_is_clean_after_every_cut", outcome, [](const std::string& bad) {
            return !is_opening(bad) && !is_of_faults(bad) && has(bad, "fsck");
        });
    }
    if (options.has_faults) {
        holds &= verdict("every_operation_may_fail", outcome, is_of_faults);
    }
    return holds;
}

int run(const Options& options) {
    const auto began = std::chrono::steady_clock::now();
    const auto seconds = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    };
    std::printf("power: seed %lu, %lu states, %u processes\n", options.seed, options.states,
                options.jobs);
    std::fflush(stdout);
    std::vector<Listener> listeners = start(options);
    Outcome outcome;
    for (double told = 0; !listeners.empty();) {
        std::vector<pollfd> ready;
        for (const Listener& each : listeners) {
            ready.push_back({.fd = each.pipe, .events = POLLIN, .revents = 0});
        }
        ::poll(ready.data(), ready.size(), 1000);
        for (std::size_t i = 0; i < ready.size(); ++i) {
            if (ready[i].revents != 0) {
                listeners[i].since = seconds();
                listen(listeners[i], outcome);
            } else {
                expect_progress(listeners[i], outcome, seconds());
            }
        }
        std::erase_if(listeners, [](const Listener& each) { return each.pipe < 0; });
        const bool is_time_over =
            options.seconds != 0 &&
            (!outcome.bad.empty() || seconds() >= static_cast<double>(options.seconds));
        if (outcome.bad.size() > 40 || is_time_over) {
            for (const Listener& each : listeners) {
                ::kill(each.process, SIGTERM);
                ::waitpid(each.process, nullptr, 0);
            }
            break;
        }
        if (seconds() > told + 10) {
            told = seconds();
            show(outcome.states, told);
            std::uint64_t runs = 0;
            for (const auto& [name, count] : outcome.fault_runs) {
                runs += count;
            }
            if (runs != 0) {
                std::printf("power: %lu runs with a failing operation, %.0f s\n", runs, told);
                std::fflush(stdout);
            }
        }
    }
    show(outcome.states, seconds());
    const bool holds = conclude(options, outcome);
    record(options, outcome, seconds());
    return holds ? 0 : 1;
}

int replay(const Verdict& verdict) {
    show(verdict.figures, 0);
    for (const std::string& text : verdict.faults) {
        std::printf("FAULT %s\n", text.c_str());
    }
    std::printf(verdict.faults.empty() ? "ok\n" : "not ok\n");
    return verdict.faults.empty() ? 0 : 1;
}

std::optional<FaultToReplay> parse_fault(const std::string& text) {
    FaultToReplay replay;
    Fault& fault = replay.fault;
    char past[16] = {};
    char trouble[8] = {};
    char often[8] = {};
    if (std::sscanf(text.c_str(), "%15[a-z]:%u:%lu:%7[a-z]:%7[a-z]", past, &fault.kinds, &fault.at,
                    trouble, often) != 5) {
        return std::nullopt;
    }
    fault.trouble = std::strcmp(trouble, "full") == 0 ? Trouble::Full : Trouble::Io;
    fault.is_sticky = std::strcmp(often, "ever") == 0;
    replay.past = std::strcmp(past, "recovery") == 0 ? Past::Cut : Past::None;
    return replay;
}

std::optional<Options> parse(int count, char** words) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string name = words[i];
        if (i + 1 == count) {
            return std::nullopt;
        }
        const std::string value = words[++i];
        const std::uint64_t number = std::strtoull(value.c_str(), nullptr, 10);
        if (name == "--states") {
            options.states = number;
        } else if (name == "--seed") {
            options.seed = number;
        } else if (name == "--jobs" && number != 0) {
            options.jobs = static_cast<unsigned>(number);
        } else if (name == "--groups" && number != 0) {
            options.groups = number;
        } else if (name == "--seconds" && number != 0) {
            options.seconds = number;
        } else if (name == "--history") {
            options.history = value;
        } else if (name == "--replay") {
            options.replay = number;
        } else if (name == "--replay-fault" && parse_fault(value)) {
            options.replay_fault = parse_fault(value);
        } else if (name == "--only" && (value == "states" || value == "faults")) {
            options.has_states = value == "states";
            options.has_faults = value == "faults";
        } else {
            return std::nullopt;
        }
    }
    return options;
}

}  // namespace
}  // namespace godwit::power

// Stacks of allocations and a large quarantine cost a sanitised build half of its time here.
// NOLINTNEXTLINE(bugprone-reserved-identifier): the name is the sanitiser's.
extern "C" const char* __asan_default_options() {
    return "malloc_context_size=3:quarantine_size_mb=16";
}

int main(int count, char** words) {
    const auto options = godwit::power::parse(count, words);
    if (!options) {
        std::fprintf(
            stderr,
            "usage: power_states [--states N] [--seed S] [--jobs J] [--history FILE] "
            "[--groups N] [--seconds S] [--only states|faults] [--replay SEED] [--replay-fault "
            "fresh|recovery:K:AT:io|full:once|ever]\n");
        return 2;
    }
    godwit::log::set_sink([](void*, std::string_view) {}, nullptr);
    if (options->replay) {
        return godwit::power::replay(
            godwit::power::run_chain(*options->replay, godwit::power::kStatesOfChain));
    }
    if (options->replay_fault) {
        return godwit::power::replay(godwit::power::run_with_fault(options->replay_fault->fault,
                                                                   options->groups,
                                                                   options->replay_fault->past)
                                         .verdict);
    }
    return godwit::power::run(*options);
}
