// How many deliveries a second does the commit thread make durable, and how long does one wait?
// commit_bench FOLDER [producers 100] [body octets 1024] [seconds 5] [accounts 20]
// Each producer has one plan under way: it submits, waits for its receipt, submits again. Bodies
// differ. One JSON line on standard output.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/metrics.h"
#include "base/random.h"
#include "store/folder.h"
#include "store/store_testing.h"

namespace godwit::store {
namespace {

using Steady = std::chrono::steady_clock;

struct Options {
    std::string folder;
    int producers = 100;
    std::size_t body_size = 1024;
    int seconds = 5;
    int accounts = 20;
};

struct Producer {
    AccountId account;
    std::string body;
    std::uint64_t sent = 0;
    Steady::time_point since;
};

// Few threads drive many producers, as shards do: a receipt puts its producer on its thread's list.
class Driver {
public:
    Driver(Store* store, Steady::time_point end) : store_(store), end_(end) {}

    void add(Producer producer) {
        producers_.push_back(std::make_unique<Producer>(std::move(producer)));
        ready_.push_back(producers_.back().get());
    }
    void run() {
        std::size_t under_way = 0;
        for (;;) {
            std::vector<Producer*> now;
            {
                std::unique_lock lock(mutex_);
                wake_.wait(lock, [&] { return !ready_.empty(); });
                now.swap(ready_);
            }
            under_way -= std::min(under_way, now.size());
            const bool is_over = Steady::now() >= end_;
            for (Producer* producer : now) {
                if (producer->sent != 0) {
                    const auto took = Steady::now() - producer->since;
                    waits_us.push_back(static_cast<std::uint32_t>(
                        std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
                }
                if (!is_over) {
                    submit(*producer);
                    ++under_way;
                }
            }
            if (is_over && under_way == 0) {
                return;
            }
        }
    }
    std::vector<std::uint32_t> waits_us;

private:
    void submit(Producer& producer) {
        ++producer.sent;
        __builtin_memcpy(producer.body.data(), &producer.sent,
                         std::min(producer.body.size(), sizeof producer.sent));
        producer.since = Steady::now();
        store_->committer().submit(
            std::make_unique<Plan>(fixture::delivery(*store_, producer.account, producer.body)),
            [this, &producer](const CommitResult& result) {
                check(result.has_value(), "delivery failed");
                const std::scoped_lock lock(mutex_);
                ready_.push_back(&producer);
                if (ready_.size() == 1) {
                    wake_.notify_one();
                }
            });
    }

    Store* store_;
    Steady::time_point end_;
    std::vector<std::unique_ptr<Producer>> producers_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<Producer*> ready_;
};

long resident_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) {
            return std::strtol(line.c_str() + 6, nullptr, 10);
        }
    }
    return 0;
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto of = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

int run(const Options& options) {
    StoreOptions store_options;
    keep_in_folder(store_options, options.folder);
    store_options.on_fatal = [](const Error& error) {
        std::fprintf(stderr, "%s\n", error.text.c_str());
        std::abort();
    };
    auto opened = Store::open(std::move(store_options), &system_clock(), &system_random());
    if (!opened) {
        std::fprintf(stderr, "%s\n", opened.error().text.c_str());
        return 1;
    }
    Store& store = **opened;
    std::vector<AccountId> accounts;
    for (int i = 0; i < options.accounts; ++i) {
        accounts.push_back(fixture::add_account(store, i, CommitDrive::Thread));
    }
    const auto groups = metric_value(Metric::CommitGroups);
    const double cpu = cpu_seconds();
    const auto start = Steady::now();
    Driver driver(&store, start + std::chrono::seconds(options.seconds));
    for (int i = 0; i < options.producers; ++i) {
        Producer producer;
        producer.account = accounts[static_cast<std::size_t>(i) % accounts.size()];
        producer.body = system_random().bytes(options.body_size);
        driver.add(std::move(producer));
    }
    driver.run();
    const double took = std::chrono::duration<double>(Steady::now() - start).count();
    auto& waits = driver.waits_us;
    std::ranges::sort(waits);
    const auto at = [&](std::size_t percent) {
        return waits.empty() ? 0U : waits[std::min(waits.size() - 1, waits.size() * percent / 100)];
    };
    const auto made = static_cast<double>(waits.size());
    const auto group_count = static_cast<double>(metric_value(Metric::CommitGroups) - groups);
    std::printf(
        "{\"bench\":\"commit\",\"producers\":%d,\"body\":%zu,\"plans_per_second\":%.0f,"
        "\"groups_per_second\":%.0f,\"plans_per_group\":%.1f,\"cpu_us_per_plan\":%.1f,"
        "\"wait_p50_us\":%u,\"wait_p99_us\":%u,\"resident_peak_kib\":%ld}\n",
        options.producers, options.body_size, made / took, group_count / took, made / group_count,
        (cpu_seconds() - cpu) / made * 1e6, at(50), at(99), resident_kib());
    return 0;
}

}  // namespace
}  // namespace godwit::store

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "commit_bench FOLDER [producers] [body] [seconds] [accounts]\n");
        return 2;
    }
    godwit::store::Options options;
    options.folder = argv[1];
    const auto number = [&](int index, int otherwise) {
        return argc > index ? std::atoi(argv[index]) : otherwise;
    };
    options.producers = number(2, options.producers);
    options.body_size = static_cast<std::size_t>(number(3, 1024));
    options.seconds = number(4, options.seconds);
    options.accounts = number(5, options.accounts);
    return godwit::store::run(options);
}
