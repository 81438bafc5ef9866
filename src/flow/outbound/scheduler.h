// Runs what the due board orders: workers that keep their connection while there is work, and reads
// of the due index.
// SMTP-BEHAVIOUR.md M2-M5, M9; STORE.md "Queue". One part per shard; a site lives on one shard.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "flow/outbound/clock_watch.h"
#include "flow/outbound/due_board.h"
#include "flow/outbound/outlets.h"
#include "flow/services.h"
#include "net/io/locked.h"
#include "net/io/shard.h"
#include "store/mailbox/change.h"

namespace godwit::flow {

/// Messages whose sender and size are remembered from their coming, for whose turn it is: some 80
/// octets each. Of others nothing is known, as after a restart.
inline constexpr std::size_t outbound_traits_max = 32 * 1024;

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
    /// An operator wants what is due for these sites tried now: no host's silence and no provider's
    /// wish holds it back. Any thread.
    void try_now(const std::vector<std::string>& sites);
    /// Deliveries under way on the shard that runs now; over all shards at most
    /// limits.deliveries_total, or one a shard where that is more.
    [[nodiscard]] std::uint32_t attempts_here() const;
    /// May age end a message's life now? Not in the hour after a start or a leap of the clock
    /// (ClockWatch). Asked once a minute at the least, so that no leap goes unseen. Any thread.
    [[nodiscard]] bool may_expire();
    /// Before the commit that queues a message. Any thread.
    void introduce(MailId mail, const std::string& sender, std::uint64_t size, int priority);
    /// Where mail goes now: connections, pauses and their reasons. Any thread.
    [[nodiscard]] Outlets& outlets() { return outlets_; }
    [[nodiscard]] bool is_idle_here() const { return attempts_here() == 0; }

private:
    class Part;
    DueTraits traits_of(MailId mail);
    const Services* services_;
    Outlets outlets_;
    net::Locked<Recent<MailId, DueTraits>> traits_{outbound_traits_max};
    std::vector<std::unique_ptr<Part>> parts_;
    store::ChangeBus::Token token_ = 0;
    bool is_started_ = false;
    net::Locked<ClockWatch> clock_watch_;
};

}  // namespace godwit::flow
