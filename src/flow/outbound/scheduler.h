// Runs what the due board orders: workers that keep their connection while there is work, and reads
// of the due index.
// SMTP-BEHAVIOUR.md M2-M5, M9; STORE.md "Queue". One part per shard; a site lives on one shard.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "flow/outbound/clock_watch.h"
#include "flow/services.h"
#include "net/io/locked.h"
#include "net/io/shard.h"
#include "store/mailbox/change.h"

namespace godwit::flow {

class OutboundScheduler {
public:
    /// All must outlive it. Begins nothing.
    OutboundScheduler(const Services* services, std::vector<net::Shard*> shards);
    ~OutboundScheduler();
    OutboundScheduler(const OutboundScheduler&) = delete;
    OutboundScheduler& operator=(const OutboundScheduler&) = delete;

    /// Finds the sites that have work (one seek a site) and follows the commits. Once, before the
    /// shards run or from one of them.
    Result<> start();
    /// Starts no further attempt; those under way finish or are cancelled with their shard. Any
    /// thread.
    void stop();
    /// Suspensions changed: those that are over hold nothing back any more. Any thread.
    void look_again();
    /// Deliveries under way on the shard that runs now; over all shards at most
    /// limits.deliveries_total, or one a shard where that is more.
    [[nodiscard]] std::uint32_t attempts_here() const;
    /// May age end a message's life now? Not in the hour after a start or a leap of the clock
    /// (ClockWatch). Asked once a minute at the least, so that no leap goes unseen. Any thread.
    [[nodiscard]] bool may_expire();
    [[nodiscard]] bool is_idle_here() const { return attempts_here() == 0; }

private:
    class Part;
    const Services* services_;
    std::vector<std::unique_ptr<Part>> parts_;
    store::ChangeBus::Token token_ = 0;
    bool is_started_ = false;
    net::Locked<ClockWatch> clock_watch_;
};

}  // namespace godwit::flow
