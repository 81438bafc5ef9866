// Ends the process when its disk has failed: says so at once, lets the main thread answer whoever
// waits, and ends the process itself when that takes too long.
// RELIABILITY.md 3: after a failed write or sync nothing is retried; the next start reads what is
// durable. docs/operating/limits.md.
#pragma once

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <thread>

#include "base/result.h"

namespace godwit::app {

/// What sessions have to hear of a fault: an answer is made in a millisecond, and a client that
/// takes longer than this to read it gains nothing by a server that cannot serve.
inline constexpr std::chrono::milliseconds kLastAnswers{2000};
/// On top of it, before the process is ended whatever its threads do (one may hang in the disk).
inline constexpr std::chrono::milliseconds kLastResort{1000};

class FaultWatch {
public:
    /// The signal that report() sends to the process, for who waits for signals.
    static constexpr int kSignal = SIGUSR2;

    /// Its thread starts now, since a fault is no time to need one.
    FaultWatch();
    /// Without a fault.
    ~FaultWatch();
    FaultWatch(const FaultWatch&) = delete;
    FaultWatch& operator=(const FaultWatch&) = delete;

    /// Any thread; returns at once. Later calls change nothing. The process ends with
    /// kExitTemporary after kLastAnswers and kLastResort at the latest.
    void report(const Error& error);
    [[nodiscard]] bool has_fault() const;

private:
    void watch();
    mutable std::mutex mutex_;  // Of what follows.
    std::condition_variable changed_;
    std::optional<Error> fault_;
    bool is_over_ = false;
    std::thread thread_;
};

}  // namespace godwit::app
