// In which form a stored message goes to a next hop: as it is, or with its parts re-encoded where
// the hop takes less than it holds. What may be changed: settings.reencode, and never what others
// signed. RFC 6152 3, RFC 3030 3; SMTP-BEHAVIOUR.md B1, D9, D10.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "flow/services.h"
#include "mail/message/reencode.h"
#include "net/io/task.h"
#include "store/queue/queue.h"
#include "wire/smtp/client.h"

namespace godwit::flow {

/// What the hop takes.
struct HopForm {
    bool eight_bit = false;  ///< 8BITMIME.
    bool binary = false;     ///< BINARYMIME, and CHUNKING to bring it.
};

/// A queued message as it leaves, prefix and body, a piece at a time. One task; `message` outlives
/// it.
class StoredMessage {
public:
    StoredMessage(const Services* services, const store::QueueMessage* message)
        : services_(services), message_(message) {}
    /// At most 64 KiB (or the prefix); empty at the end. Corrupt when the body is shorter than it
    /// should be.
    net::Task<Result<std::string>> next();

private:
    const Services* services_;
    const store::QueueMessage* message_;
    bool has_given_prefix_ = false;
    std::uint64_t offset_ = 0;  ///< In the body.
};

/// How it goes.
struct BodyForm {
    std::uint64_t size = 0;
    bool is_eight_bit = false;
    bool is_binary = false;
    std::shared_ptr<const mail::ReencodePlan> plan;  ///< Null: as it is.
    /// Set: not to this hop, and why.
    std::optional<smtp::Outcome> refusal;
};
/// Reads the message only where something may have to change; then up to three times. Errors are of
/// the store.
net::Task<Result<BodyForm>> decide_form(const Services* services,
                                        const store::QueueMessage* message, HopForm hop);

}  // namespace godwit::flow
