// Cleans up behind deletions and lets go of what is too old, in small steps between other work.
#pragma once

#include <memory>

#include "flow/services.h"
#include "net/io/shard.h"
#include "net/io/sync.h"
#include "net/io/task.h"

namespace godwit::app {

/// Wakes the caretaker for what somebody waits for. Rung from any thread; may die before it is
/// heard.
class CareBell {
public:
    /// Of the shard that take_care() runs on.
    explicit CareBell(net::Shard* shard) : shard_(shard), rings_(std::make_shared<Rings>()) {}
    /// A pass of the scrubber was asked for (store/scrub.h).
    void ring_for_scrub();
    /// The settings changed.
    void ring_for_settings();

    /// On the shard only. Two lifetimes: what was posted, and the bell.
    struct Rings {
        net::Event scrub;
        net::Event settings;
    };
    [[nodiscard]] const std::shared_ptr<Rings>& rings() const { return rings_; }

private:
    net::Shard* shard_;
    std::shared_ptr<Rings> rings_;
};

/// Runs until its shard stops. At its beginning and when the bell says that the settings changed it
/// frees what was held for want of a route. Removes what deleted accounts and mailboxes left,
/// trails of messages older than `trace.keep`, and about once an hour change log rows older than
/// limits::change_log_keep and held mail past its expiry (with a report); then gives the disk space
/// of bodies that nothing refers to back. `services` and `bell` outlive it.
net::Task<void> take_care(const flow::Services* services, const CareBell* bell);

}  // namespace godwit::app
