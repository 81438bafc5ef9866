#include "power/chain.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/log.h"
#include "base/probe.h"
#include "power/life.h"

namespace godwit::power {
namespace {

constexpr std::uint64_t kScriptSeed = 42;

// The disk whose power goes at the next but `left` named moment on this thread.
struct Watched {
    Disk* disk = nullptr;
    std::uint64_t left = 0;
    bool has_struck = false;
};
thread_local Watched watched;

std::mutex probes_mutex;
std::map<std::string, std::uint64_t> probes;

void at_place(const Place& place) {
    if (place.kind() == PlaceKind::Probe) {
        const std::scoped_lock lock(probes_mutex);
        ++probes[std::string(place.name())];
        return;
    }
    if (watched.disk != nullptr && watched.left != 0 && --watched.left == 0) {
        watched.has_struck = true;
        watched.disk->cut();
    }
}

/// All that one disk lives through.
class Chain {
public:
    explicit Chain(std::uint64_t seed)
        : random_(seed),
          recorder_([this](std::string text) { fault(std::move(text)); }),
          workload_(random_.u64(), &clock_, [this](std::string text) { fault(std::move(text)); }),
          disk_(std::make_shared<Disk>(random_.u64())) {
        watch_places(at_place);
        log::set_level(log::Level::Error);
        setting_.write_buffer_bytes = 64 * 1024ULL << random_.below(2);  // 64 KiB is its least.
        setting_.has_threads = random_.below(8) == 0;
        setting_.blob_sizes.inline_max = std::uint64_t{1024} << random_.below(6);
    }

    Verdict run(std::uint64_t states) {
        while (verdict_.figures.states < states && verdict_.faults.empty()) {
            live();
        }
        verdict_.figures.commits = recorder_.commits();
        verdict_.figures.acknowledged = workload_.acknowledged();
        return std::move(verdict_);
    }

    FaultRun run_with(const Fault& order, std::uint64_t groups, Past past) {
        FaultRun run;
        setting_.has_threads = false;
        setting_.write_buffer_bytes = 64 * 1024;
        setting_.blob_sizes = {.inline_max = 6 * 1024,
                               .memory_max = 8 * 1024,
                               .own_file_min = 40 * 1024,
                               .segment_max = 48 * 1024};
        if (past == Past::Cut) {
            live_until_cut(groups);
        }
        disk_->set_fault(order);
        std::string how;
        {
            Life life(disk_, setting_, &recorder_, &clock_);
            const auto opened = life.open(random_.u64());
            settle(life.found());
            if (opened) {
                workload_.begin(&life.store());
                work(life, groups);
            } else {
                how = opened.error().text;
            }
            run.was_struck = disk_->faults_struck() != 0;
            verdict_.figures.faults += disk_->faults_struck();
            expect_once(life);
            disk_->set_fault(std::nullopt);
            disk_->cut();
        }
        when_ = "after " + how;
        const auto left = disk_;
        const Recorder recorder = recorder_;
        const Workload workload = workload_;
        for (const Cut cut : {Cut::Kill, Cut::Drop}) {
            recorder_ = recorder;
            workload_ = workload;
            disk_ = left->survive(cut, random_.u64());
            look(cut);
        }
        run.verdict = std::move(verdict_);
        return run;
    }

private:
    // Bodies and keys written and not synced, names not synced: recovery has its work.
    void live_until_cut(std::uint64_t groups) {
        Life life(disk_, setting_, &recorder_, &clock_);
        check(life.open(random_.u64()).has_value(), "a sound disk opens");
        settle(life.found());
        workload_.begin(&life.store());
        work(life, groups);
        disk_->cut_after(3, bit(Op::Sync));
        while (!disk_->is_off()) {
            work(life, 1);
        }
        life.end();
        disk_ = disk_->survive(Cut::Pages, random_.u64());
    }

    void fault(std::string text) {
        if (verdict_.faults.size() < 12) {
            verdict_.faults.push_back(when_ + ": " + std::move(text));
        }
    }
    void expect_once(const Life& life) {
        verdict_.figures.fatal += life.fatal() != 0 && disk_->faults_struck() != 0 ? 1 : 0;
        if (life.fatal() > 1) {
            fault("on_fatal was called " + std::to_string(life.fatal()) + " times");
        }
    }

    // Groups until the store is dead, the power is off, or `groups` are done.
    void work(Life& life, std::uint64_t groups) {
        for (std::uint64_t i = 0; i < groups && !disk_->is_off(); ++i) {
            life.work(random_.below(2) == 0);
            if (life.fatal() != 0) {
                recorder_.close("on_fatal: " + life.why());
            }
            if (workload_.group() == Workload::Outcome::Dead) {
                if (life.fatal() == 0 && !disk_->is_off()) {
                    fault("the store takes nothing more and did not say why");
                }
                return;
            }
            if (life.fatal() != 0) {
                recorder_.close("on_fatal: " + life.why());
            }
        }
        life.work(true);
    }

    void order_faults() {
        if (random_.below(6) != 0) {
            return;
        }
        Fault order;
        static constexpr std::uint32_t kKinds[] = {
            kAnyOp,        bit(Op::Read),   bit(Op::Write),      bit(Op::Sync),
            bit(Op::Sync), bit(Op::Create), bit(Op::SyncFolder), bit(Op::Rename) | bit(Op::Unlink)};
        order.kinds = kKinds[random_.below(std::size(kKinds))];
        order.at = 1 + random_.below(random_.below(2) == 0 ? 20 : 400);
        order.trouble = random_.below(3) == 0 ? Trouble::Full : Trouble::Io;
        order.is_sticky = random_.below(2) == 0;
        disk_->set_fault(order);
    }

    // How this life ends: at an operation, at a named moment, or by itself.
    void order_end(std::uint64_t groups) {
        watched = {.disk = disk_.get(), .left = 0, .has_struck = false};
        const std::uint64_t dice = random_.below(20);
        if (dice < 5) {
            disk_->cut_after(1 + random_.below(groups * 8));
        } else if (dice < 11) {
            disk_->cut_after(1 + random_.below(groups), bit(Op::Sync));
        } else if (dice < 13) {
            disk_->cut_after(1 + random_.below(groups), bit(Op::Write));
        } else if (dice < 16) {
            disk_->cut_after(1 + random_.below(12), bit(Op::Create) | bit(Op::Rename) |
                                                        bit(Op::Unlink) | bit(Op::SyncFolder));
        } else if (dice < 19) {
            watched.left = 1 + random_.below(groups * 4);
        }
    }

    Cut any_cut() {
        static constexpr Cut kAll[] = {Cut::Drop,  Cut::Prefix, Cut::Sectors, Cut::Sectors,
                                       Cut::Pages, Cut::Pages,  Cut::Reorder, Cut::Reorder,
                                       Cut::Names, Cut::Kill};
        return kAll[random_.below(std::size(kAll))];
    }

    // One life from a disk that holds what it holds to the next cut.
    void live() {
        if (random_.below(4) == 0) {
            disk_->cut_after(1 + random_.below(150));  // In opening.
        }
        order_faults();
        bool was_opened = false;
        {
            Life life(disk_, setting_, &recorder_, &clock_);
            const auto opened = life.open(random_.u64());
            was_opened = opened.has_value();
            settle(life.found());
            if (!opened && !disk_->is_off() && disk_->faults_struck() == 0) {
                fault("the store does not open: " + opened.error().text);
                return;
            }
            if (opened) {
                workload_.begin(&life.store());
                expect_ledger();
                const std::uint64_t groups = 4 + random_.below(random_.below(4) == 0 ? 80 : 30);
                order_end(groups);
                work(life, groups);
            }
            verdict_.figures.faults += disk_->faults_struck();
            expect_once(life);
            if (!disk_->is_off() && life.fatal() == 0 && random_.below(2) == 0) {
                life.end();
                ++verdict_.figures.restarts;
            }
            disk_->cut();
        }
        verdict_.figures.cuts_in_opening += was_opened ? 0 : 1;
        verdict_.figures.cuts_at_points += watched.has_struck ? 1 : 0;
        watched = {};
        verdict_.figures.operations += disk_->operations();
        if (const auto op = disk_->cut_op()) {
            ++verdict_.figures.by_op[static_cast<std::size_t>(*op)];
        }
        const Cut cut = any_cut();
        when_ = "after a cut (" + std::string(name_of(cut)) + ") at " +
                (disk_->cut_at().empty() ? std::string("rest") : disk_->cut_at());
        disk_ = disk_->survive(cut, random_.u64());
        // Interrupted openings are looked at when one succeeds.
        if (random_.below(4) != 0) {
            look(cut);
        } else {
            count(cut);
        }
    }

    void count(Cut cut) {
        ++verdict_.figures.states;
        ++verdict_.figures.by_cut[static_cast<std::size_t>(cut)];
    }

    // Opens what is left with nothing in the way and compares.
    void look(Cut cut) {
        count(cut);
        {
            Life life(disk_, setting_, &recorder_, &clock_);
            const auto opened = life.open(random_.u64());
            settle(life.found());
            if (!opened) {
                fault("the store does not open: " + opened.error().text);
                return;
            }
            workload_.begin(&life.store());
            expect_ledger();
            if (life.fatal() != 0) {
                fault("a sound disk was called broken: " + life.why());
            }
            disk_->cut();
        }
        disk_ = disk_->survive(Cut::Kill, random_.u64());
    }

    void settle(Recorder::Found found) {
        if (found == Recorder::Found::Promised || found == Recorder::Found::AndUnder) {
            workload_.settle(found == Recorder::Found::AndUnder);
        }
        verdict_.figures.losses += found == Recorder::Found::Different ? 1 : 0;
    }

    void expect_ledger() {
        const auto differences = workload_.compare();
        if (!differences) {
            if (!disk_->is_off() && disk_->faults_struck() == 0) {
                fault("the store cannot be read");
            }
            return;
        }
        for (const std::string& each : *differences) {
            if (disk_->is_off() || disk_->faults_struck() != 0) {
                return;  // Not read to the end.
            }
            (each.starts_with("fsck") ? verdict_.figures.fsck_findings : verdict_.figures.losses) +=
                1;
            fault(each);
        }
    }

    SeededRandom random_;
    Verdict verdict_;
    std::string when_ = "at first";
    Setting setting_;
    DayClock clock_;
    Recorder recorder_;
    Workload workload_;
    std::shared_ptr<Disk> disk_;
};

}  // namespace

void Figures::add(const Figures& other) {
    states += other.states;
    for (std::size_t i = 0; i < by_cut.size(); ++i) {
        by_cut[i] += other.by_cut[i];
    }
    for (std::size_t i = 0; i < by_op.size(); ++i) {
        by_op[i] += other.by_op[i];
    }
    cuts_in_opening += other.cuts_in_opening;
    cuts_at_points += other.cuts_at_points;
    restarts += other.restarts;
    faults += other.faults;
    fatal += other.fatal;
    commits += other.commits;
    acknowledged += other.acknowledged;
    operations += other.operations;
    losses += other.losses;
    fsck_findings += other.fsck_findings;
}

std::map<std::string, std::uint64_t> probes_passed() {
    std::map<std::string, std::uint64_t> all;
    for (const Place* place = Place::first(); place != nullptr; place = place->next()) {
        if (place->kind() == PlaceKind::Probe) {
            all[std::string(place->name())] = 0;
        }
    }
    const std::scoped_lock lock(probes_mutex);
    for (const auto& [name, count] : probes) {
        all[name] = count;
    }
    return all;
}

Verdict run_chain(std::uint64_t seed, std::uint64_t states) {
    return Chain(seed).run(states);
}

FaultRun run_with_fault(const Fault& fault, std::uint64_t groups, Past past) {
    return Chain(kScriptSeed).run_with(fault, groups, past);
}

}  // namespace godwit::power
