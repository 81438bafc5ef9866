// Builds the house from settings: store, shards, street, guards, desks, scheduler, and takes it
// down in order. Nothing here decides anything about mail.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "flow/settings.h"

namespace godwit::store {
class Store;
}

namespace godwit::app {

struct HouseOptions {
    flow::SettingsPtr settings;
    /// Reads the settings anew and checks them whole; empty: reload is refused.
    std::function<Result<flow::Settings>()> reread;
    /// See OpenStoreOptions.
    bool may_make = false;
};

class House {
public:
    /// Opens the store and makes all parts; listens nowhere yet. NotFound: there is no store.
    static Result<std::unique_ptr<House>> build(HouseOptions options);
    ~House();
    House(const House&) = delete;
    House& operator=(const House&) = delete;

    /// For what must be there before the doors open (the accounts of dev mode).
    [[nodiscard]] store::Store& store();
    /// Starts the shards and the scheduler and opens the doors.
    Result<> open();
    /// Takes up a changed configuration. JSON for people: what changed, what needs a restart. Any
    /// thread but a shard's.
    Result<std::string> reload();
    /// Ends in order: no new connections, 421 at command boundaries, deliveries under way finish;
    /// at most limits::shutdown_grace, or until `hurry` says true.
    void close(const std::function<bool()>& hurry);
    /// The store's disk has failed: who waits for an answer gets one, who is served is told that
    /// the server ends, for kLastAnswers at most. The process is expected to end without more ado.
    void end_after_fault();
    [[nodiscard]] bool has_fault() const;
    [[nodiscard]] std::vector<std::string> doors();

private:
    struct Inner;
    explicit House(std::unique_ptr<Inner> inner);
    std::unique_ptr<Inner> inner_;
};

/// Serves until SIGINT or SIGTERM; SIGHUP reloads. `on_ready` runs once the doors are open. Gives
/// the process's exit code, or why it could not start. A failed disk ends the process from here.
/// Call block_signals() before any thread is
/// started.
Result<int> run_house(House& house, const std::function<void()>& on_ready);
void block_signals();

}  // namespace godwit::app
