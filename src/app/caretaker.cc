// The caretaker: asks for the next step of a clean-up, commits it, asks again until there is none.
#include "app/caretaker.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/outbound/expire_held.h"
#include "flow/outbound/operator_desk.h"
#include "flow/outbound/recall_far.h"
#include "flow/outbound/recall_held.h"
#include "flow/outbound/scheduler.h"
#include "flow/read.h"
#include "net/io/offload.h"
#include "store/directory/directory.h"
#include "store/mailbox/removal.h"
#include "store/scrub.h"
#include "store/store.h"

namespace godwit::app {
namespace {

using NextStep = Result<std::optional<store::Plan>>;

/// Commits steps until there is none left. `next` makes one; it holds values only.
template <class Next>
net::Task<Result<>> run_steps(const flow::Services* services, Next next) {
    for (;;) {
        auto plan = CO_TRY(co_await flow::read(services, next));
        if (!plan) {
            co_return Result<>();
        }
        crash_point<"caretaker.step_planned">();
        auto done = co_await flow::commit_all(services->store, std::move(*plan));
        crash_point<"caretaker.step_committed">();
        // Stale: somebody was faster; the next step is made from what is there now.
        if (!done && done.error().code != ErrorCode::Stale) {
            co_return done;
        }
        co_await net::yield_now();
    }
}

net::Task<Result<>> trim_logs(const flow::Services* services, WallTime before) {
    const auto accounts = CO_TRY(
        co_await flow::read(services, [](const store::Snapshot& snapshot, store::ReadTier tier) {
            return store::list_accounts(snapshot, tier);
        }));
    for (const store::Account& account : accounts) {
        const AccountId id = account.id;
        const Result<> done = co_await run_steps(
            services,
            [id, before](const store::Snapshot& snapshot, store::ReadTier tier) -> NextStep {
                return store::plan_log_trim(snapshot, tier, id, before);
            });
        if (!done) {
            log::warn("caretaker.failed", {{"account", id.value()}, {"error", done.error().text}});
        }
    }
    co_return Result<>();
}

/// Gives the space of dead bodies back: at most kTendStepsMax steps, with a rest after each, so
/// that a large clean-up neither holds the disk nor waits for the commits it ordered.
net::Task<Result<>> tend_store(const flow::Services* services) {
    constexpr unsigned kTendStepsMax = 256;
    constexpr std::chrono::milliseconds kRest(100);
    store::Store* const store = services->store;
    for (unsigned step = 0; step < kTendStepsMax; ++step) {
        crash_point<"caretaker.tending">();
        const bool is_more =
            CO_TRY(co_await net::offload(services->offload, [store] { return store->tend(); }));
        if (!is_more) {
            break;
        }
        crash_point<"caretaker.tended">();
        co_await net::sleep_for(kRest);
    }
    co_return Result<>();
}

void note(std::string_view duty, const Result<>& done) {
    if (!done) {
        log::warn("caretaker.failed", {{"duty", duty}, {"error", done.error().text}});
    }
}

/// One duty that fails keeps none of the others.
net::Task<void> one_round(const flow::Services* services, bool is_hourly) {
    const WallTime now = services->clock->wall();
    const bool may_expire = services->scheduler == nullptr || services->scheduler->may_expire();
    note("removal",
         co_await run_steps(services,
                            [](const store::Snapshot& snapshot, store::ReadTier tier) -> NextStep {
                                return store::plan_removal(snapshot, tier);
                            }));
    if (services->operators != nullptr) {
        note("orders", co_await services->operators->tend());
    }
    const WallTime trails = now - std::chrono::days(services->settings()->trace_keep_days);
    note("trails",
         co_await run_steps(
             services, [trails](const store::Snapshot& snapshot, store::ReadTier tier) -> NextStep {
                 return store::plan_trace_trim(snapshot, tier, trails);
             }));
    if (is_hourly) {
        note("far", co_await flow::recall_far(services));
        if (may_expire) {
            note("held", co_await flow::expire_held(services));
        }
        note("logs", co_await trim_logs(services, now - limits::change_log_keep));
    }
    note("space", co_await tend_store(services));
}

}  // namespace

namespace {

/// Reads all again at a bounded rate (store/scrub.h). Its state is committed once a minute of work,
/// with what was found at once.
net::Task<Result<>> scrub_pass(const flow::Services* services) {
    store::Store* const store = services->store;
    auto state = CO_TRY(
        co_await flow::read(services, [](const store::Snapshot& snapshot, store::ReadTier tier) {
            return store::read_scrub_state(snapshot, tier);
        }));
    WallTime kept = services->clock->wall();
    while (store::is_scrub_due(state, services->clock->wall())) {
        const WallTime now = services->clock->wall();
        store::ScrubStep step =
            CO_TRY(co_await net::offload(services->offload, [store, state, now] {
                return store::scrub_step(store->kv(), store->blobs(), state, now);
            }));
        const bool is_told = !step.found.empty() || !step.mended.empty() ||
                             !step.state.is_under_way || !state.is_under_way ||
                             now - kept >= std::chrono::minutes(1);
        if (is_told) {
            CO_TRY(co_await flow::commit_all(services->store, store::plan_scrub(step)));
            kept = now;
        }
        state = std::move(step.state);
        const auto rest =
            std::chrono::microseconds(step.octets * 1'000'000 / store::scrub_octets_per_second);
        co_await net::sleep_for(std::max<Duration>(rest, std::chrono::milliseconds(10)));
    }
    co_return Result<>();
}

net::Task<void> scrub(const flow::Services* services, std::shared_ptr<CareBell::Rings> rings) {
    for (;;) {
        static_cast<void>(
            co_await rings->scrub.wait(net::Shard::here().now() + limits::caretaker_pause));
        rings->scrub.reset();
        note("scrub", co_await scrub_pass(services));
    }
}

// SMTP-BEHAVIOUR.md M4: at a start with other settings, and when they change.
net::Task<void> free_routed(const flow::Services* services,
                            std::shared_ptr<CareBell::Rings> rings) {
    for (;;) {
        rings->settings.reset();
        note("held for want of a route", co_await flow::recall_held(services));
        static_cast<void>(co_await rings->settings.wait());
    }
}

}  // namespace

void CareBell::ring_for_scrub() {
    shard_->post([rings = rings_] { rings->scrub.set(); });
}

void CareBell::ring_for_settings() {
    shard_->post([rings = rings_] { rings->settings.set(); });
}

net::Task<void> take_care(const flow::Services* services, const CareBell* bell) {
    net::spawn(net::Shard::here(), "scrubber", scrub(services, bell->rings()));
    net::spawn(net::Shard::here(), "router", free_routed(services, bell->rings()));
    constexpr unsigned kRoundsPerHour = 60;
    for (unsigned round = 0;; ++round) {
        co_await one_round(services, round % kRoundsPerHour == 0);
        co_await net::sleep_for(limits::caretaker_pause);
    }
}

}  // namespace godwit::app
