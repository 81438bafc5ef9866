// The arguments of NOTIFY. RFC 5465 6, 8.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/imap/fetch.h"
#include "wire/imap/lexer.h"
#include "wire/imap/mailbox_name.h"

namespace godwit::imap {

/// Groups of events, and mailbox names of all groups together, that one NOTIFY may have.
inline constexpr std::size_t notify_groups_max = 32;
inline constexpr std::size_t notify_names_max = 256;

/// What a client may be told of, as bits. RFC 5465 5.
enum class NotifyEvent : std::uint8_t {
    MessageNew = 1,
    MessageExpunge = 2,
    FlagChange = 4,
    MailboxName = 8,
    SubscriptionChange = 16,
    MailboxMetadataChange = 32,
    ServerMetadataChange = 64,
};
using NotifyEvents = std::uint8_t;
constexpr bool has_event(NotifyEvents events, NotifyEvent event) {
    return (events & static_cast<NotifyEvents>(event)) != 0;
}
inline constexpr NotifyEvents kMessageEvents = 7;
/// Those of kMessageEvents and the rest, as BADEVENT lists them.
inline constexpr std::string_view kNotifyEventNames =
    "MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange "
    "ServerMetadataChange";

/// Which mailboxes a group is about, besides the selected one.
enum class NotifyScope : std::uint8_t { Inboxes, Personal, Subscribed, Subtree, Mailboxes };

struct NotifyGroup {
    NotifyScope scope = NotifyScope::Personal;
    std::vector<std::string> names;  ///< Of Subtree and Mailboxes.
    NotifyEvents events = 0;
};

/// The selected mailbox, whichever it is at the time.
struct NotifySelected {
    bool is_delayed = false;  ///< Expunges wait for a command that may tell them.
    NotifyEvents events = 0;
    FetchAttributes fetch;  ///< Of each new message.
    bool has_fetch = false;
};

struct NotifyArguments {
    bool is_none = false;
    bool status = false;
    std::optional<NotifySelected> selected;
    std::vector<NotifyGroup> groups;
    bool has_unknown_event = false;  ///< RFC 5465 3.1: NO with BADEVENT.
};

/// Peer errors: what RFC 5465 5 and 6.1 call BAD, and more than the bounds above.
Result<NotifyArguments> parse_notify(Lexer& lexer, NameSpelling spelling);

}  // namespace godwit::imap
