// Reads a delivery status notification as its reader's program would: a second reading of RFC 3464
// and RFC 6522, on purpose not by mail/message.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::sim {

struct Notification {
    struct Part {
        std::string action;     ///< "failed", "delayed", ... in small letters.
        std::string recipient;  ///< Final-Recipient, without its type.
        std::string original;   ///< Original-Recipient, the same; "" when not stated.
        std::string status;     ///< "5.1.1"
    };
    std::string message_id;  ///< Of the report itself, with its brackets.
    std::vector<Part> parts;
    std::string returned;  ///< The message reported on, or its header.
};

/// nullopt: no multipart/report with a delivery status.
std::optional<Notification> read_notification(std::string_view text);

/// The value of the first field `name` of a header block, unfolded and trimmed; "" when there is
/// none.
std::string field_of(std::string_view header, std::string_view name);

}  // namespace godwit::sim
