// The first fault of a store's disk: from then on nothing is committed, and it is told once.
// Law: RELIABILITY.md 3 (a background error is final); docs/operating/limits.md.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>

#include "base/result.h"

namespace godwit::store {

class Committer;

/// Shared by the store, its files and its engine, whose threads may outlive the store (a snapshot
/// keeps the engine). Any thread.
class FaultLatch {
public:
    explicit FaultLatch(std::function<void(const Error&)> tell) : tell_(std::move(tell)) {}
    FaultLatch(const FaultLatch&) = delete;
    FaultLatch& operator=(const FaultLatch&) = delete;

    /// The first call keeps `error`, has the committer break off and tells; later ones do nothing.
    /// Does not wait for the disk.
    void trip(const Error& error);
    [[nodiscard]] bool is_tripped() const { return is_tripped_.load(); }
    [[nodiscard]] std::optional<Error> fault() const;
    /// What trip() breaks off, at once when it is tripped already; null before it dies.
    void watch_over(Committer* committer);

private:
    std::function<void(const Error&)> tell_;
    std::atomic<bool> is_tripped_ = false;
    mutable std::mutex mutex_;  // Of what follows.
    std::optional<Error> fault_;
    Committer* committer_ = nullptr;
};

}  // namespace godwit::store
