// Which of the queue's deliveries an operator means, and how each stands: what list, why and every
// change share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flow/outbound/suspension.h"
#include "serve/admin/calls.h"
#include "store/queue/queue.h"

namespace godwit::serve {

/// How deliveries stand, in words that are an interface: docs/operating/cli.md.
enum class QueueState : std::uint8_t {
    Waiting,      ///< For its time, or for its turn.
    Sending,      ///< An attempt is under way.
    Suspended,    ///< Its site, its sender or everything is.
    Held,         ///< Until released.
    Quarantined,  ///< Held, since it was in hand at two crashes.
    Damaged,      ///< Its row cannot be read.
};
std::string_view to_string(QueueState state);

/// What a call looks at beside the rows: taken once, for all of them.
struct QueueView {
    WallTime now{};
    std::shared_ptr<const flow::SuspensionTable> suspensions;
    const flow::Services* services = nullptr;  ///< Null when no server runs.

    [[nodiscard]] QueueState state_of(const store::QueueMessage& message,
                                      const store::QueueDelivery& delivery) const;
};
Result<QueueView> view_queue(const AdminHost& host, const store::Snapshot& snapshot);

struct QueueSelection {
    std::vector<MailId> ids;
    bool is_all = false;
    std::string site;
    std::string domain;                 ///< Of a recipient.
    std::optional<std::string> sender;  ///< An address, "@domain", or "" for the null sender.
    std::optional<Duration> age;        ///< Accepted at least this long ago.
    std::optional<QueueState> state;
    bool is_due = false;  ///< Waiting, and its time has come.

    [[nodiscard]] bool covers(const QueueView& view, const store::QueueMessage& message,
                              const store::QueueDelivery& delivery) const;
    /// Nothing but ids says which.
    [[nodiscard]] bool has_filter() const {
        return is_all || !site.empty() || !domain.empty() || sender || age || state || is_due;
    }
};
/// Peer error for filters that make no sense.
Result<QueueSelection> read_selection(const AdminArguments& arguments);

/// An address, "@domain", "<>" or "": as a selection or a suspension keeps it; lower case.
std::string normalize_sender(std::string_view text);

/// Has what waits of a sender tried now; in pieces, as queue.retry.
Result<std::string> make_sender_due(const AdminHost& host, const AdminArguments& arguments,
                                    std::string sender);

}  // namespace godwit::serve
