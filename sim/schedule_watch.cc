#include "sim/schedule_watch.h"

#include "base/limits.h"
#include "sim/node.h"
#include "sim/world.h"
#include "store/queue/queue.h"
#include "store/queue/schedule.h"

namespace godwit::sim {

namespace {
constexpr auto kDisk = store::ReadTier::Disk;
// What times are kept to.
constexpr Duration kGrain = std::chrono::seconds(1);
}  // namespace

Result<> ScheduleWatch::begin(store::Store* store) {
    store_ = store;
    known_.clear();
    if (world_->swarm().clock_jump_every.count() != 0) {
        return {};
    }
    const auto snapshot = store->snapshot();
    MailId after;
    for (bool is_more = true; is_more;) {
        const auto messages =
            TRY(store::list_queue(*snapshot, kDisk, after, limits::scan_rows_max));
        for (const store::QueueMessage& message : messages) {
            after = message.mail;
            for (const store::QueueDelivery& delivery :
                 TRY(store::read_deliveries(*snapshot, kDisk, message.mail))) {
                known_[{message.mail, delivery.number}] = {.due = delivery.due,
                                                           .attempts = delivery.attempts,
                                                           .is_held = delivery.is_held};
            }
        }
        is_more = messages.size() == limits::scan_rows_max;
    }
    store->changes().subscribe_queue(
        [this](const std::shared_ptr<const store::QueueChange>& change) { look(*change); });
    return {};
}

void ScheduleWatch::look(const store::QueueChange& change) {
    // Of a node that has just crashed it is not known what reached its disk.
    if (node_->is_frozen()) {
        return;
    }
    const auto snapshot = store_->snapshot();
    for (const store::QueueChange::Item& item : change.items) {
        look(item, *snapshot);
    }
}

void ScheduleWatch::look(const store::QueueChange::Item& item, const store::Snapshot& snapshot) {
    const auto key = std::make_pair(item.mail, item.delivery);
    const auto before = known_.find(key);
    const auto row = store::read_delivery(snapshot, kDisk, item.mail, item.delivery);
    if (!row) {
        known_.erase(key);  // A read that failed: begun anew with the next change.
        return;
    }
    const WallTime now = node_->wall();
    if (before != known_.end() && !before->second.is_held) {
        const Known& known = before->second;
        const bool is_tried = *row ? (*row)->attempts > known.attempts : !node_->is_ordering();
        const WallTime at = *row && (*row)->last_attempt ? *(*row)->last_attempt : now;
        if (is_tried && at + kGrain < known.due) {
            broken(item, known, "was tried before its time");
        }
    }
    if (!*row) {
        known_.erase(key);
        return;
    }
    const Known after{.due = (*row)->due, .attempts = (*row)->attempts, .is_held = (*row)->is_held};
    if (after.due > now + store::retry_pause_max) {
        broken(item, after, "is due later than any pause reaches");
    }
    known_[key] = after;
}

void ScheduleWatch::broken(const store::QueueChange::Item& item, const Known& known,
                           const std::string& what) {
    world_->count("schedules broken");
    world_->ledger().broken(
        "I6", node_->domain() + ": " + to_string(item.mail) + " for " + item.site + " " + what +
                  ": due in " +
                  std::to_string(
                      std::chrono::duration_cast<std::chrono::seconds>(known.due - node_->wall())
                          .count()) +
                  " s after " + std::to_string(known.attempts) + " attempts");
}

}  // namespace godwit::sim
