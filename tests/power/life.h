// One life of a store on a lying disk: from opening to the moment the power goes, the process ends
// or it is stopped.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "power/disk.h"
#include "power/recorder.h"
#include "power/workload.h"
#include "store/store.h"

namespace godwit::power {

class SteppedEnv;

inline constexpr const char* kFolder = "/data/store";

/// What all lives of one disk share.
struct Setting {
    std::uint64_t write_buffer_bytes = 64 * 1024;
    store::BlobSizes blob_sizes{.inline_max = 1024,
                                .memory_max = 24 * 1024,
                                .own_file_min = 40 * 1024,
                                .segment_max = 160 * 1024};
    /// The engine's background work runs on threads of the machine, as it comes. Then a seed does
    /// not say it all.
    bool has_threads = false;
};

class Life {
public:
    Life(std::shared_ptr<Disk> disk, Setting setting, Recorder* recorder, DayClock* clock);
    ~Life();
    Life(const Life&) = delete;
    Life& operator=(const Life&) = delete;

    /// Opens the store; the recorder has looked at what was found.
    Result<> open(std::uint64_t seed);
    [[nodiscard]] store::Store& store() { return *store_; }
    [[nodiscard]] Recorder::Found found() const { return found_; }
    /// Does the engine's waiting background work: always before a commit that may need it.
    void work(bool is_all);
    /// How often the store said that it cannot go on.
    [[nodiscard]] int fatal() const { return fatal_; }
    [[nodiscard]] const std::string& why() const { return why_; }
    /// Ends the store, as a stop would; the disk is off afterwards or was before.
    void end();

private:
    std::shared_ptr<Disk> disk_;
    Setting setting_;
    Recorder* recorder_;
    DayClock* clock_;
    std::unique_ptr<store::FileSystem> files_;
    std::shared_ptr<SteppedEnv> env_;
    SeededRandom random_{0};
    std::unique_ptr<store::Store> store_;
    Recorder::Found found_ = Recorder::Found::Unknown;
    std::atomic<int> fatal_ = 0;
    std::mutex mutex_;  // Of why_: the engine's threads tell too.
    std::string why_;
};

}  // namespace godwit::power
