#include "power/life.h"

#include <utility>

#include "power/body_files.h"
#include "power/engine_files.h"

namespace godwit::power {

Life::Life(std::shared_ptr<Disk> disk, Setting setting, Recorder* recorder, DayClock* clock)
    : disk_(std::move(disk)),
      setting_(setting),
      recorder_(recorder),
      clock_(clock),
      files_(make_body_files(disk_)) {}

Life::~Life() {
    end();
}

Result<> Life::open(std::uint64_t seed) {
    random_ = SeededRandom(seed);
    store::StoreOptions options;
    options.files = files_.get();
    options.folder = kFolder;
    options.blob_sizes = setting_.blob_sizes;
    options.drive = store::CommitDrive::Manual;
    options.on_fatal = [this](const Error& error) {
        const std::scoped_lock lock(mutex_);
        if (fatal_.fetch_add(1) == 0) {
            why_ = error.text;
        }
    };
    options.open_kv =
        [this](std::function<void(const Error&)> on_fatal) -> Result<std::unique_ptr<store::Kv>> {
        store::RocksOptions engine;
        engine.cache_bytes = 1024 * 1024;
        engine.write_buffer_bytes = setting_.write_buffer_bytes;
        engine.on_fatal = std::move(on_fatal);
        if (setting_.has_threads) {
            engine.env = rocksdb::NewCompositeEnv(make_engine_files(disk_));
        } else {
            engine.env = env_ = std::make_shared<SteppedEnv>(make_engine_files(disk_));
        }
        auto kv = TRY(open_rocks_kv(std::string(kFolder) + "/kv", std::move(engine)));
        // What was under way is settled by this look alone: no fault may be spent on it.
        disk_->hold_faults(true);
        found_ = recorder_->compare(*kv);
        disk_->hold_faults(false);
        return recorder_->watch(std::move(kv));
    };
    store_ = TRY(store::Store::open(std::move(options), clock_, &random_));
    recorder_->confirm();
    return {};
}

void Life::work(bool is_all) {
    if (env_ != nullptr) {
        // A process ends with on_fatal, and with it what its engine would try again.
        env_->work(is_all ? SteppedEnv::Amount::All : SteppedEnv::Amount::Flushes,
                   [this] { return fatal() != 0; });
    }
}

void Life::end() {
    if (store_ != nullptr) {
        store_->stop();
    }
    store_.reset();
    env_.reset();
}

}  // namespace godwit::power
