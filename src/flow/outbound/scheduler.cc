#include "flow/outbound/scheduler.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/probe.h"
#include "flow/outbound/attempt.h"
#include "flow/outbound/due_board.h"
#include "flow/outbound/operator_desk.h"
#include "flow/outbound/route.h"
#include "flow/read.h"
#include "net/io/locked.h"

namespace godwit::flow {

namespace {

// After a read of the due index failed.
constexpr std::chrono::seconds kRefillRetry(5);
// Dropping is nobody's hurry, nor is knowing what is gone: what comes meanwhile goes the same way.
constexpr std::chrono::milliseconds kPatience(100);

}  // namespace

/// The sites of one shard. Its own shard only, but for tell() and the posts that reach it.
class OutboundScheduler::Part {
public:
    /// `index` of `count` parts.
    Part(OutboundScheduler* all, net::Shard* shard, std::size_t index, std::size_t count)
        : services_(all->services_),
          outlets_(&all->outlets_),
          shard_(shard),
          index_(index),
          count_(count),
          board_([all](MailId mail) { return all->traits_of(mail); }) {}
    [[nodiscard]] net::Shard& shard() const { return *shard_; }
    [[nodiscard]] bool owns(const std::string& site) const {
        return std::hash<std::string>()(site) % count_ == index_;
    }

    /// What a commit did to the queue. It is learnt at once when it brings mail to send, else in a
    /// while and with what comes meanwhile: a wake-up of the shard costs more than the rest of it.
    /// Any thread.
    void tell(const std::shared_ptr<const store::QueueChange>& change);
    void learn_sites(const std::vector<store::DueDelivery>& firsts);
    /// There may be room at the outlet of a site that waits for it. Any thread.
    void wake(const std::string& site, const OutletKey& key);
    void run();
    void stop() { is_stopped_ = true; }
    void look_again();
    void try_now(const std::vector<std::string>& sites);
    [[nodiscard]] std::uint32_t workers() const { return board_.workers(); }

private:
    [[nodiscard]] WallTime now() const { return services_->clock->wall(); }
    [[nodiscard]] bool is_discard(const std::string& site) const {
        return discards_all(*services_->settings(), site);
    }
    void take_in();
    net::Task<void> work(store::DueDelivery first);
    [[nodiscard]] bool leave_suspended(const store::DueDelivery& due);
    net::Task<AttemptEnd> attempt(store::DueDelivery due, KeptSession* kept, OutletSlot* slot);
    DueBoard::Entry entry_of(const std::string& site, WallTime at);
    [[nodiscard]] WallTime wall_of(MonoTime until) const {
        return now() + std::chrono::duration_cast<WallTime::duration>(until - outlets_->now());
    }
    void nudge();
    [[nodiscard]] std::uint32_t share_of(std::uint32_t total) const;
    net::Task<void> refill(store::DueRange range);
    void arm(WallTime at);

    struct Inbox {
        std::vector<std::shared_ptr<const store::QueueChange>> changes;
        bool is_coming = false;  // take_in() is posted or set for later.
        bool is_urgent = false;  // It is posted.
    };

    const Services* services_;
    Outlets* outlets_;
    net::Shard* shard_;
    std::size_t index_;
    std::size_t count_;
    net::Locked<Inbox> inbox_;
    DueBoard board_;
    std::set<std::string> suspended_;  // Sites that are paused for that, until look_again().
    bool is_stopped_ = false;
    net::Timer timer_;
    net::Timer patience_;
    std::set<OutletKey> nudges_;
    net::Timer nudge_timer_;
};

void OutboundScheduler::Part::tell(const std::shared_ptr<const store::QueueChange>& change) {
    bool is_concerned = false;
    bool is_urgent = false;
    for (const store::QueueChange::Item& item : change->items) {
        if (owns(item.site)) {
            is_concerned = true;
            is_urgent = is_urgent || (!item.is_gone && !item.is_held && !is_discard(item.site));
        }
    }
    if (!is_concerned) {
        return;
    }
    const bool must_post = inbox_.with([&](Inbox& inbox) {
        inbox.changes.push_back(change);
        const bool is_known = is_urgent ? inbox.is_urgent : inbox.is_coming;
        inbox.is_coming = true;
        inbox.is_urgent = inbox.is_urgent || is_urgent;
        return !is_known;
    });
    if (must_post && is_urgent) {
        shard_->post([this] { take_in(); });
    } else if (must_post) {
        shard_->post([this] { patience_ = shard_->call_after(kPatience, [this] { take_in(); }); });
    }
}

void OutboundScheduler::Part::take_in() {
    const Inbox arrived = inbox_.with([](Inbox& inbox) { return std::exchange(inbox, {}); });
    crash_point<"scheduler.told">();
    for (const auto& change : arrived.changes) {
        for (const store::QueueChange::Item& item : change->items) {
            if (owns(item.site)) {
                board_.learn(item, now());
            }
        }
    }
    run();
}

void OutboundScheduler::Part::learn_sites(const std::vector<store::DueDelivery>& firsts) {
    for (const store::DueDelivery& first : firsts) {
        board_.learn_site(first);
        crash_point<"scheduler.site_learnt">();
    }
    run();
}

// The parts know nothing of each other: each has its share of what all may do, and one at the
// least.
std::uint32_t OutboundScheduler::Part::share_of(std::uint32_t total) const {
    const auto parts = static_cast<std::uint32_t>(count_);
    const std::uint32_t share = total / parts + (index_ < total % parts ? 1 : 0);
    return std::max(share, 1U);
}

void OutboundScheduler::Part::run() {
    if (is_stopped_) {
        return;
    }
    const SettingsPtr settings = services_->settings();
    DueBoard::Bounds bounds;
    bounds.workers_max = share_of(settings->limits.deliveries_total);
    bounds.site_workers_max = [&](const std::string& site) {
        return is_discard(site) ? 1 : settings->limits.deliveries_per_site;
    };
    const WallTime looked_at = now();
    bounds.entry = [this, looked_at](const std::string& site) { return entry_of(site, looked_at); };
    // One look at the clock for both: what falls due between two would be in neither.
    const WallTime at = looked_at;
    DueBoard::Orders orders = board_.plan(at, bounds);
    // Before anything begins: what begins may end at once and come here again.
    arm(at);
    for (store::DueRange& range : orders.refills) {
        net::spawn(*shard_, "queue.refill", refill(std::move(range)));
    }
    for (store::DueDelivery& first : orders.workers) {
        net::spawn(*shard_, "queue.worker", work(std::move(first)));
    }
}

net::Task<void> OutboundScheduler::Part::work(store::DueDelivery first) {
    const std::string site = first.site;
    KeptSession kept;
    {
        OutletSlot slot(outlets_, {.part = index_, .site = site});
        std::optional<store::DueDelivery> due = std::move(first);
        std::uint32_t given = 0;
        while (due && !is_stopped_ && !leave_suspended(*due)) {
            const AttemptEnd end = co_await attempt(*std::move(due), &kept, &slot);
            due.reset();
            switch (end.kind) {
                case AttemptEnd::Kind::Settled:
                    due = board_.take(site, now(), ++given, slot.others_wait());
                    break;
                case AttemptEnd::Kind::Refused:
                    probe<"outbound.site_paused">();
                    board_.pause(site, now() + limits::outbound_store_pause);
                    break;
                case AttemptEnd::Kind::NoRoom: board_.wait_for_room(site); break;
                case AttemptEnd::Kind::Paused: board_.pause(site, wall_of(end.until)); break;
            }
        }
        if (kept != nullptr) {
            co_await kept->close();
        }
    }
    board_.worker_ended(site);
    crash_point<"scheduler.worker_ended">();
    run();
}

// An operator has suspended its site: it goes back to wait, and the site rests.
bool OutboundScheduler::Part::leave_suspended(const store::DueDelivery& due) {
    if (services_->operators == nullptr) {
        return false;
    }
    const auto table = services_->operators->suspensions();
    const Suspension* suspension = table->of_site(due.site, now());
    if (suspension == nullptr) {
        return false;
    }
    probe<"outbound.site_suspended">();
    suspended_.insert(due.site);
    board_.pause(due.site, suspension->until.value_or(WallTime::max()));
    static_cast<void>(board_.done(due, {.is_settled = false, .now = now(), .took = {}}));
    return true;
}

void OutboundScheduler::Part::try_now(const std::vector<std::string>& sites) {
    for (const std::string& site : sites) {
        board_.pause(site, WallTime{});
    }
    run();
}

void OutboundScheduler::Part::look_again() {
    for (const std::string& site : std::exchange(suspended_, {})) {
        board_.pause(site, WallTime{});
    }
    run();
}

// One delivery, or as many as fit one commit where they are only dropped.
net::Task<AttemptEnd> OutboundScheduler::Part::attempt(store::DueDelivery due, KeptSession* kept,
                                                       OutletSlot* slot) {
    std::vector<store::DueDelivery> batch = {std::move(due)};
    DueBoard::Ending ending;
    AttemptEnd end;
    const MonoTime began = shard_->now();
    if (is_discard(batch.front().site)) {
        while (batch.size() < limits::outbound_batch_max) {
            std::optional<store::DueDelivery> more = board_.take(batch.front().site, now(), 0);
            if (!more) {
                break;
            }
            batch.push_back(*std::move(more));
        }
        end.kind = co_await discard_deliveries(services_, batch) ? AttemptEnd::Kind::Settled
                                                                 : AttemptEnd::Kind::Refused;
        end.is_answered = true;
    } else {
        end = co_await attempt_delivery(services_, batch.front(), kept, slot);
    }
    ending.is_settled = end.kind == AttemptEnd::Kind::Settled;
    ending.is_answered = end.is_answered;
    // The commit's own word (posted before this resumes) has the new time, if there is one.
    ending.now = now();
    ending.took = shard_->now() - began;
    bool is_more_welcome = false;
    for (const store::DueDelivery& done : batch) {
        is_more_welcome = board_.done(done, ending) || is_more_welcome;
    }
    if (is_more_welcome) {
        run();
    }
    co_return end;
}

// Of a site whose outlet is known: what would be told there is told before a worker begins.
DueBoard::Entry OutboundScheduler::Part::entry_of(const std::string& site, WallTime at) {
    const OutletBook::Answer answer =
        is_discard(site) ? OutletBook::Answer{} : outlets_->ask({.part = index_, .site = site});
    switch (answer.kind) {
        case OutletBook::Answer::Kind::Granted: break;
        case OutletBook::Answer::Kind::Full: return {.kind = DueBoard::Entry::Kind::Wait};
        case OutletBook::Answer::Kind::Paused:
            return {.kind = DueBoard::Entry::Kind::Until,
                    .until = std::max(wall_of(answer.until), at + std::chrono::seconds(1))};
    }
    return {};
}

void OutboundScheduler::Part::wake(const std::string& site, const OutletKey& key) {
    shard_->post([this, site, key] {
        board_.wake(site);
        // It may have nothing to send any more; then it is the next one's turn.
        if (nudges_.empty()) {
            nudge_timer_ =
                shard_->call_after(outlet_wake_patience + kPatience, [this] { nudge(); });
        }
        nudges_.insert(key);
        run();
    });
}

void OutboundScheduler::Part::nudge() {
    for (const OutletKey& key : std::exchange(nudges_, {})) {
        outlets_->nudge(key);
    }
}

net::Task<void> OutboundScheduler::Part::refill(store::DueRange range) {
    const Result<std::vector<store::DueDelivery>> found =
        co_await read(services_, [range](const store::Snapshot& snapshot, store::ReadTier tier) {
            return store::due_deliveries(snapshot, tier, range);
        });
    if (!found) {
        log::error("queue.refill_failed", {{"site", range.site}, {"error", found.error().text}});
        board_.refill_failed(range.site, now() + kRefillRetry);
    } else {
        crash_point<"scheduler.refilled">();
        board_.refilled(range, *found);
    }
    run();
}

// `at` is the time of the plan that was just made.
void OutboundScheduler::Part::arm(WallTime at) {
    const WallTime next = board_.next_look(at);
    if (next == WallTime::max()) {
        // Nothing waits; or all workers are busy, and one that ends calls run() again.
        timer_ = net::Timer();
        return;
    }
    // Wall time may jump; look again after an hour at the latest (I6).
    const Duration wait =
        std::clamp<Duration>(next - at, std::chrono::milliseconds(1), std::chrono::hours(1));
    timer_ = shard_->call_after(wait, [this] { run(); });
}

OutboundScheduler::OutboundScheduler(const Services* services, std::vector<net::Shard*> shards)
    : services_(services), outlets_(services, [this](const OutletUser& user, const OutletKey& key) {
          parts_.at(user.part)->wake(user.site, key);
      }) {
    for (net::Shard* shard : shards) {
        parts_.push_back(std::make_unique<Part>(this, shard, parts_.size(), shards.size()));
    }
}

OutboundScheduler::~OutboundScheduler() {
    if (is_started_) {
        services_->store->changes().unsubscribe(token_);
    }
}

void OutboundScheduler::introduce(MailId mail, const std::string& sender, std::uint64_t size,
                                  int priority) {
    const DueTraits traits{.sender = std::max<std::uint64_t>(std::hash<std::string>()(sender), 1),
                           .size = size,
                           .priority = static_cast<std::int8_t>(std::clamp(priority, -9, 9))};
    traits_.with([&](auto& known) {
        known.set(mail, traits);
        return 0;
    });
}

DueTraits OutboundScheduler::traits_of(MailId mail) {
    return traits_.with([mail](auto& known) {
        const DueTraits* found = known.find(mail);
        return found == nullptr ? DueTraits{} : *found;
    });
}

bool OutboundScheduler::may_expire() {
    return clock_watch_.with([this](ClockWatch& watch) {
        return watch.look(services_->clock->wall(), services_->clock->mono());
    });
}

Result<> OutboundScheduler::start() {
    is_started_ = true;
    static_cast<void>(may_expire());
    token_ = services_->store->changes().subscribe_queue(
        [this](const std::shared_ptr<const store::QueueChange>& change) {
            for (const std::unique_ptr<Part>& part : parts_) {
                part->tell(change);
            }
        });
    std::string after;
    for (;;) {
        const std::vector<store::DueDelivery> sites = TRY(store::due_sites(
            *services_->store->snapshot(), store::ReadTier::Disk, after, limits::scan_rows_max));
        for (const std::unique_ptr<Part>& owner : parts_) {
            std::vector<store::DueDelivery> firsts;
            std::ranges::copy_if(
                sites, std::back_inserter(firsts),
                [&owner](const store::DueDelivery& first) { return owner->owns(first.site); });
            if (!firsts.empty()) {
                owner->shard().post([part = owner.get(), firsts = std::move(firsts)] {
                    part->learn_sites(firsts);
                });
            }
        }
        if (sites.size() < limits::scan_rows_max) {
            return {};
        }
        after = sites.back().site;
    }
}

void OutboundScheduler::look_again() {
    for (const std::unique_ptr<Part>& part : parts_) {
        Part* target = part.get();
        target->shard().post([target] { target->look_again(); });
    }
}

void OutboundScheduler::try_now(const std::vector<std::string>& sites) {
    outlets_.end_pauses(sites);
    for (const std::unique_ptr<Part>& part : parts_) {
        std::vector<std::string> own;
        std::ranges::copy_if(sites, std::back_inserter(own),
                             [&part](const std::string& site) { return part->owns(site); });
        if (!own.empty()) {
            Part* target = part.get();
            target->shard().post([target, own = std::move(own)] { target->try_now(own); });
        }
    }
}

void OutboundScheduler::stop() {
    for (const std::unique_ptr<Part>& part : parts_) {
        Part* target = part.get();
        target->shard().post([target] { target->stop(); });
    }
}

std::uint32_t OutboundScheduler::attempts_here() const {
    std::uint32_t attempts = 0;
    for (const std::unique_ptr<Part>& part : parts_) {
        attempts += &part->shard() == net::Shard::current() ? part->workers() : 0;
    }
    return attempts;
}

}  // namespace godwit::flow
