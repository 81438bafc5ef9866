#include "flow/outbound/scheduler.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include "base/log.h"
#include "flow/outbound/attempt.h"
#include "flow/outbound/route.h"
#include "flow/read.h"

namespace godwit::flow {

namespace {

// After a read of the due index failed.
constexpr std::chrono::seconds kRefillRetry(5);
// Dropping is nobody's hurry: what comes meanwhile is dropped in the same commit.
constexpr std::chrono::milliseconds kDiscardPatience(100);

using Entry = std::pair<MailId, std::uint32_t>;
struct EntryHash {
    std::size_t operator()(const Entry& entry) const {
        return std::hash<MailId>()(entry.first) ^ entry.second;
    }
};

struct Site {
    std::string name;
    std::set<std::tuple<WallTime, MailId, std::uint32_t>> waiting;  ///< Earliest first; bounded.
    std::unordered_map<Entry, WallTime, EntryHash> due;             ///< The same, by id.
    std::set<Entry> in_hand;
    std::uint32_t workers = 0;
    bool has_more_on_disk = false;
    bool is_refilling = false;
    WallTime paused_until{};  ///< The store or a read failed: not at once again.

    void remove(const Entry& entry) {
        const auto found = due.find(entry);
        if (found != due.end()) {
            waiting.erase({found->second, entry.first, entry.second});
            due.erase(found);
        }
    }
    void add(const Entry& entry, WallTime at) {
        remove(entry);
        waiting.emplace(at, entry.first, entry.second);
        due.emplace(entry, at);
        if (waiting.size() > limits::outbound_window_max) {
            const auto last = std::prev(waiting.end());
            due.erase({std::get<1>(*last), std::get<2>(*last)});
            waiting.erase(last);
            has_more_on_disk = true;
        }
    }
};

}  // namespace

/// The sites of one shard. Its own shard only, but for the posts that reach it.
class OutboundScheduler::Part {
public:
    Part(const Services* services, net::Shard* shard) : services_(services), shard_(shard) {}
    [[nodiscard]] net::Shard& shard() const { return *shard_; }

    void learn(const store::QueueChange::Item& item);
    void learn_site(const std::string& name);
    void run();
    void stop() { is_stopped_ = true; }
    [[nodiscard]] bool is_idle() const { return workers_ == 0; }

private:
    Site& site(const std::string& name);
    void run_site(Site& at);
    [[nodiscard]] WallTime next_due(const Site& at) const;
    std::optional<store::DueDelivery> take(Site& at);
    net::Task<void> work(Site* at);
    net::Task<void> refill(Site* at);
    void arm();

    const Services* services_;
    net::Shard* shard_;
    std::unordered_map<std::string, std::unique_ptr<Site>> sites_;
    std::uint32_t workers_ = 0;
    bool is_stopped_ = false;
    net::Timer timer_;
};

Site& OutboundScheduler::Part::site(const std::string& name) {
    std::unique_ptr<Site>& slot = sites_[name];
    if (slot == nullptr) {
        slot = std::make_unique<Site>();
        slot->name = name;
    }
    return *slot;
}

void OutboundScheduler::Part::learn_site(const std::string& name) { site(name).has_more_on_disk = true; }

void OutboundScheduler::Part::learn(const store::QueueChange::Item& item) {
    Site& at = site(item.site);
    const Entry entry{item.mail, item.delivery};
    if (item.is_gone || item.is_held) {
        at.remove(entry);
    } else {
        at.add(entry, item.due);
    }
}

void OutboundScheduler::Part::run() {
    if (is_stopped_) {
        return;
    }
    for (auto at = sites_.begin(); at != sites_.end();) {
        run_site(*at->second);
        const Site& looked = *at->second;
        const bool is_empty = looked.waiting.empty() && looked.in_hand.empty() && looked.workers == 0 &&
                              !looked.has_more_on_disk && !looked.is_refilling;
        at = is_empty ? sites_.erase(at) : std::next(at);
    }
    arm();
}

// The earliest entry that nobody works on; max when there is none.
WallTime OutboundScheduler::Part::next_due(const Site& at) const {
    for (const auto& [due, mail, number] : at.waiting) {
        if (!at.in_hand.contains({mail, number})) {
            return std::max(due, at.paused_until);
        }
    }
    return WallTime::max();
}

void OutboundScheduler::Part::run_site(Site& at) {
    const SettingsPtr settings = services_->settings();
    const WallTime now = services_->clock->wall();
    if (at.has_more_on_disk && !at.is_refilling && at.waiting.size() < limits::outbound_window_max / 2 &&
        at.paused_until <= now) {
        at.is_refilling = true;
        net::spawn(*shard_, "queue.refill", refill(&at));
    }
    // As many workers as there is work, up to the bounds; each takes what is due when it runs.
    std::size_t ready = 0;
    for (const auto& [due, mail, number] : at.waiting) {
        if (due > now || ready > settings->limits.deliveries_per_site) {
            break;
        }
        ready += at.in_hand.contains({mail, number}) ? 0 : 1;
    }
    const bool is_discard =
        std::holds_alternative<DiscardHop>(decide_next_hop(*settings, at.name));
    const std::uint32_t workers_max = is_discard ? 1 : settings->limits.deliveries_per_site;
    while (at.paused_until <= now && ready > 0 && at.workers < workers_max &&
           workers_ < settings->limits.deliveries_total) {
        ++at.workers;
        ++workers_;
        --ready;
        net::spawn(*shard_, "queue.worker", work(&at));
    }
}

std::optional<store::DueDelivery> OutboundScheduler::Part::take(Site& at) {
    const WallTime now = services_->clock->wall();
    if (is_stopped_ || at.paused_until > now) {
        return std::nullopt;
    }
    for (const auto& [due, mail, number] : at.waiting) {
        if (due > now) {
            return std::nullopt;
        }
        if (at.in_hand.insert({mail, number}).second) {
            return store::DueDelivery{at.name, due, mail, number};
        }
    }
    return std::nullopt;
}

net::Task<void> OutboundScheduler::Part::work(Site* at) {
    KeptSession kept;
    const bool is_discard = std::holds_alternative<DiscardHop>(
        decide_next_hop(*services_->settings(), at->name));
    if (is_discard && at->waiting.size() < limits::outbound_batch_max) {
        co_await net::sleep_for(kDiscardPatience);
    }
    while (std::optional<store::DueDelivery> due = take(*at)) {
        std::vector<store::DueDelivery> batch = {*due};
        while (is_discard && batch.size() < limits::outbound_batch_max) {
            std::optional<store::DueDelivery> more = take(*at);
            if (!more) {
                break;
            }
            batch.push_back(*more);
        }
        bool is_settled = false;
        if (is_discard) {
            is_settled = co_await discard_deliveries(services_, batch);
        } else {
            is_settled = co_await attempt_delivery(services_, *due, &kept);
        }
        for (const store::DueDelivery& done : batch) {
            const Entry entry{done.mail, done.number};
            at->in_hand.erase(entry);
            const auto found = at->due.find(entry);
            // The commit's own word (posted before this resumes) has the new time, if there is one.
            if (is_settled && found != at->due.end() && found->second == done.due) {
                at->remove(entry);
            }
        }
        if (!is_settled) {
            at->paused_until = services_->clock->wall() + limits::outbound_store_pause;
            break;
        }
    }
    if (kept != nullptr) {
        co_await kept->close();
    }
    --at->workers;
    --workers_;
    run();
}

net::Task<void> OutboundScheduler::Part::refill(Site* at) {
    store::DueRange range;
    range.site = at->name;
    range.until = WallTime::max();
    range.count = std::min(limits::outbound_window_max, limits::scan_rows_max);
    if (!at->waiting.empty()) {
        range.from = std::get<0>(*at->waiting.rbegin());
    }
    Result<std::vector<store::DueDelivery>> found =
        co_await read(services_, [range](const store::Snapshot& snapshot, store::ReadTier tier) {
            return store::due_deliveries(snapshot, tier, range);
        });
    at->is_refilling = false;
    if (!found) {
        log::error("queue.refill_failed", {{"site", at->name}, {"error", found.error().text}});
        at->paused_until = services_->clock->wall() + kRefillRetry;
    } else {
        at->has_more_on_disk = found->size() >= range.count;
        for (const store::DueDelivery& due : *found) {
            const Entry entry{due.mail, due.number};
            if (!at->due.contains(entry) && !at->in_hand.contains(entry)) {
                at->add(entry, due.due);
            }
        }
    }
    run();
}

void OutboundScheduler::Part::arm() {
    WallTime earliest = WallTime::max();
    for (const auto& [name, at] : sites_) {
        WallTime due = next_due(*at);
        if (at->has_more_on_disk && !at->is_refilling) {
            due = std::min(due, at->paused_until);
        }
        earliest = std::min(earliest, due);
    }
    const WallTime now = services_->clock->wall();
    if (earliest == WallTime::max() || (earliest <= now && workers_ > 0)) {
        // A worker that ends calls run() again.
        timer_ = net::Timer();
        return;
    }
    // Wall time may jump; look again after an hour at the latest (I6).
    const Duration wait = std::clamp<Duration>(earliest - now, std::chrono::milliseconds(1), std::chrono::hours(1));
    timer_ = shard_->call_after(wait, [this] { run(); });
}

OutboundScheduler::OutboundScheduler(const Services* services, std::vector<net::Shard*> shards)
    : services_(services) {
    for (net::Shard* shard : shards) {
        parts_.push_back(std::make_unique<Part>(services, shard));
    }
}

OutboundScheduler::~OutboundScheduler() {
    if (is_started_) {
        services_->store->changes().unsubscribe(token_);
    }
}

Result<> OutboundScheduler::start() {
    const auto part_of = [this](const std::string& site) -> Part& {
        return *parts_[std::hash<std::string>()(site) % parts_.size()];
    };
    is_started_ = true;
    token_ = services_->store->changes().subscribe_queue(
        [this, part_of](const std::shared_ptr<const store::QueueChange>& change) {
            for (const std::unique_ptr<Part>& part : parts_) {
                const bool is_concerned = std::any_of(
                    change->items.begin(), change->items.end(),
                    [&](const store::QueueChange::Item& item) { return &part_of(item.site) == part.get(); });
                if (!is_concerned) {
                    continue;
                }
                Part* target = part.get();
                target->shard().post([target, change, part_of] {
                    for (const store::QueueChange::Item& item : change->items) {
                        if (&part_of(item.site) == target) {
                            target->learn(item);
                        }
                    }
                    target->run();
                });
            }
        });
    std::string after;
    for (;;) {
        const std::vector<store::DueDelivery> sites = TRY(store::due_sites(
            *services_->store->snapshot(), store::ReadTier::Disk, after, limits::scan_rows_max));
        for (const store::DueDelivery& site : sites) {
            Part* part = &part_of(site.site);
            part->shard().post([part, name = site.site] {
                part->learn_site(name);
                part->run();
            });
            after = site.site;
        }
        if (sites.size() < limits::scan_rows_max) {
            return {};
        }
    }
}

void OutboundScheduler::stop() {
    for (const std::unique_ptr<Part>& part : parts_) {
        Part* target = part.get();
        target->shard().post([target] { target->stop(); });
    }
}

bool OutboundScheduler::is_idle_here() const {
    return std::all_of(parts_.begin(), parts_.end(), [](const std::unique_ptr<Part>& part) {
        return &part->shard() != net::Shard::current() || part->is_idle();
    });
}

}  // namespace godwit::flow
