// Sends one message to those of its recipients that share a next hop: through the connection the
// worker has, or host by host and address by address until one takes it. Within what the hop's
// outlet allows. SMTP-BEHAVIOUR.md C3, C10, E9, E10, E16-E18, H3-H6.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "flow/outbound/in_hand.h"
#include "flow/outbound/outlets.h"
#include "flow/outbound/remote.h"
#include "flow/outbound/route.h"
#include "flow/outbound/settle.h"
#include "flow/services.h"
#include "net/io/task.h"
#include "store/queue/queue.h"

namespace godwit::flow {

/// The connection a worker keeps between deliveries; null when there is none.
using KeptSession = std::unique_ptr<RemoteSession>;

/// E18: a connection is not used for a further message after this, so that mail does not gather at
/// the host that is slowest to answer; as Postfix's smtp_connection_reuse_time_limit.
inline constexpr std::chrono::seconds outbound_reuse_time_max(300);
/// Octets of a host's last words that operators are shown.
inline constexpr std::size_t outlet_reply_size_max = 300;

struct Loaded {
    store::QueueMessage message;
    store::QueueDelivery delivery;
    InHandGuard* in_hand = nullptr;  ///< While it is tried; null where none is kept.
};
struct Group {
    RelayHop hop;
    std::vector<std::size_t> recipients;  ///< Of the delivery; all waiting.
};
enum class GroupEnd : std::uint8_t {
    Done,         ///< Each recipient has a result.
    DamagedBody,  ///< The results say nothing.
    NoRoom,       ///< Nothing was tried: the outlet has all the connections it may have.
    Paused,       ///< Nothing was tried: the outlet rests until `until`.
};
struct GroupResult {
    GroupEnd end = GroupEnd::Done;
    MonoTime until{};
    std::vector<AttemptResult> results{};
};
struct GroupOrder {
    Group group;
    OutletSlot* slot = nullptr;  ///< Outlives the call, as `loaded` and `kept` do.
    bool must_go = false;        ///< Another group of the delivery was sent: room or not, now.
    bool was_or_may_be_sent =
        false;  ///< By another group: so says the register of what is in hand.
};
net::Task<GroupResult> send_group(const Services* services, const Loaded* loaded, GroupOrder order,
                                  KeptSession* kept);

/// One outcome for all.
std::vector<AttemptResult> same_for_all(const std::vector<std::size_t>& recipients,
                                        const smtp::Outcome& outcome, const std::string& remote);
/// What we say ourselves.
smtp::Outcome outcome_of(smtp::Reply reply);

/// Somebody has the message, or may have it (W1).
bool was_or_may_be_sent(const std::vector<AttemptResult>& results);

/// A peer spoke for itself about the message or one of its recipients, or took it. Pure.
bool is_answered(const std::vector<AttemptResult>& results);

/// What an attempt's results mean for its outlet. Pure.
OutletReport report_of(const std::vector<AttemptResult>& results);

}  // namespace godwit::flow
