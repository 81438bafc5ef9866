// The face of the lying disk that the engine of the keys sees: RocksDB's file system in memory, and
// an environment whose background work is done when it is told to, so that a seed says it all.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <deque>
#include <functional>
#include <memory>

#include "power/disk.h"

namespace godwit::power {

std::shared_ptr<rocksdb::FileSystem> make_engine_files(std::shared_ptr<Disk> disk);

/// Flushes and compactions wait in a line until work() does them, on the caller's thread.
/// One thread.
class SteppedEnv final : public rocksdb::EnvWrapper {
public:
    explicit SteppedEnv(std::shared_ptr<rocksdb::FileSystem> files);
    ~SteppedEnv() override;

    enum class Amount : std::uint8_t { Flushes, All };
    /// Also what comes up meanwhile, but nothing once `is_over`: the engine puts a compaction that
    /// found no room into the line again, for ever.
    void work(Amount amount, const std::function<bool()>& is_over);

    void Schedule(void (*function)(void*), void* argument, Priority priority, void* tag,
                  void (*unscheduled)(void*)) override;
    int UnSchedule(void* tag, Priority priority) override;
    unsigned int GetThreadPoolQueueLen(Priority priority) const override;

private:
    struct Job {
        void (*function)(void*);
        void* argument;
        Priority priority;
        void* tag;
        void (*unscheduled)(void*);
    };
    std::deque<Job> jobs_;
};

}  // namespace godwit::power
