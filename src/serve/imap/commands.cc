// THE TABLE of IMAP commands. The states, the UID prefix and most of CAPABILITY are read from it.
#include <algorithm>
#include <array>

#include "base/log.h"
#include "base/probe.h"
#include "serve/imap/command.h"
#include "serve/imap/conversation.h"

namespace godwit::serve::imap_desk {

namespace {

constexpr std::uint8_t kFresh = static_cast<std::uint8_t>(State::NotAuthenticated);
constexpr std::uint8_t kIn =
    static_cast<std::uint8_t>(State::Authenticated) | static_cast<std::uint8_t>(State::Selected);
constexpr std::uint8_t kOpen = static_cast<std::uint8_t>(State::Selected);
constexpr std::uint8_t kAny = kFresh | kIn;

constexpr std::array kCommands = {
    CommandRow{"APPEND", Prefix::None, kIn, Expunges::Tell, "MULTIAPPEND", "3501 6.3.11, 3502",
               &run_append},
    CommandRow{"AUTHENTICATE", Prefix::None, kFresh, Expunges::Tell, "SASL-IR", "3501 6.2.2",
               &run_authenticate},
    CommandRow{"CANCELUPDATE", Prefix::None, kOpen, Expunges::Tell, "CONTEXT=SEARCH CONTEXT=SORT",
               "5267 4.3.5", &run_cancelupdate},
    CommandRow{"CAPABILITY", Prefix::None, kAny, Expunges::Tell, "IMAP4rev1", "3501 6.1.1",
               &run_capability},
    CommandRow{"CHECK", Prefix::None, kOpen, Expunges::Tell, "", "3501 6.4.1", &run_check},
    CommandRow{"CLOSE", Prefix::None, kOpen, Expunges::Tell, "", "3501 6.4.2", &run_close},
    CommandRow{"COMPRESS", Prefix::None, kIn, Expunges::Tell, "", "4978 3", &run_compress},
    CommandRow{"COPY", Prefix::Optional, kOpen, Expunges::Tell, "", "3501 6.4.7", &run_copy},
    CommandRow{"CREATE", Prefix::None, kIn, Expunges::Tell, "CREATE-SPECIAL-USE", "3501 6.3.3",
               &run_create},
    CommandRow{"DELETE", Prefix::None, kIn, Expunges::Tell, "", "3501 6.3.4", &run_delete},
    CommandRow{"DELETEACL", Prefix::None, kIn, Expunges::Tell, "", "4314 3.2", &run_deleteacl},
    CommandRow{"ENABLE", Prefix::None, kIn, Expunges::Tell, "ENABLE", "5161 3.1", &run_enable},
    CommandRow{"ESEARCH", Prefix::Optional, kIn, Expunges::Tell, "MULTISEARCH", "7377 2",
               &run_esearch},
    CommandRow{"EXAMINE", Prefix::None, kIn, Expunges::Tell, "", "3501 6.3.2", &run_examine},
    CommandRow{"EXPUNGE", Prefix::Optional, kOpen, Expunges::Tell, "UIDPLUS",
               "3501 6.4.3, 4315 2.1", &run_expunge},
    CommandRow{"FETCH", Prefix::Optional, kOpen, Expunges::Hold, "", "3501 6.4.5", &run_fetch},
    CommandRow{"GENURLAUTH", Prefix::None, kIn, Expunges::Tell, "URLAUTH", "4467 7",
               &run_genurlauth},
    CommandRow{"GETACL", Prefix::None, kIn, Expunges::Tell, "ACL RIGHTS=texk", "4314 3.3",
               &run_getacl},
    CommandRow{"GETMETADATA", Prefix::None, kIn, Expunges::Tell, "METADATA LIST-METADATA",
               "5464 4.2, 9590", &run_getmetadata},
    CommandRow{"GETQUOTA", Prefix::None, kIn, Expunges::Tell,
               "QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE QUOTA=RES-MAILBOX", "9208 4.1.1",
               &run_getquota},
    CommandRow{"GETQUOTAROOT", Prefix::None, kIn, Expunges::Tell, "", "9208 4.1.2",
               &run_getquotaroot},
    CommandRow{"ID", Prefix::None, kAny, Expunges::Tell, "ID", "2971 3.1", &run_id},
    CommandRow{"IDLE", Prefix::None, kIn, Expunges::Tell, "IDLE", "2177 3", &run_idle},
    CommandRow{"LIST", Prefix::None, kIn, Expunges::Tell,
               "CHILDREN SPECIAL-USE LIST-EXTENDED LIST-STATUS LIST-MYRIGHTS", "3501 6.3.8, 5258 3",
               &run_list},
    CommandRow{"LISTRIGHTS", Prefix::None, kIn, Expunges::Tell, "", "4314 3.4", &run_listrights},
    CommandRow{"LOGIN", Prefix::None, kFresh, Expunges::Tell, "", "3501 6.2.3", &run_login},
    CommandRow{"LOGOUT", Prefix::None, kAny, Expunges::Tell, "", "3501 6.1.3", &run_logout},
    CommandRow{"LSUB", Prefix::None, kIn, Expunges::Tell, "", "3501 6.3.9", &run_lsub},
    CommandRow{"MOVE", Prefix::Optional, kOpen, Expunges::Tell, "MOVE", "6851 3.1", &run_move},
    CommandRow{"MYRIGHTS", Prefix::None, kIn, Expunges::Tell, "", "4314 3.5", &run_myrights},
    CommandRow{"NAMESPACE", Prefix::None, kIn, Expunges::Tell, "NAMESPACE", "2342 5",
               &run_namespace},
    CommandRow{"NOOP", Prefix::None, kAny, Expunges::Tell, "", "3501 6.1.2", &run_noop},
    CommandRow{"NOTIFY", Prefix::None, kIn, Expunges::Tell, "NOTIFY", "5465 3.1", &run_notify},
    CommandRow{"RENAME", Prefix::None, kIn, Expunges::Tell, "", "3501 6.3.5", &run_rename},
    CommandRow{"REPLACE", Prefix::Optional, kOpen, Expunges::Tell, "REPLACE", "8508 3",
               &run_replace},
    CommandRow{"RESETKEY", Prefix::None, kIn, Expunges::Tell, "", "4467 7", &run_resetkey},
    CommandRow{"SEARCH", Prefix::Optional, kOpen, Expunges::Hold, "", "3501 6.4.4", &run_search},
    CommandRow{"SELECT", Prefix::None, kIn, Expunges::Tell, "", "3501 6.3.1", &run_select},
    CommandRow{"SETACL", Prefix::None, kIn, Expunges::Tell, "", "4314 3.1", &run_setacl},
    CommandRow{"SETMETADATA", Prefix::None, kIn, Expunges::Tell, "", "5464 4.3", &run_setmetadata},
    CommandRow{"SETQUOTA", Prefix::None, kIn, Expunges::Tell, "", "9208 4.1.3", &run_setquota},
    CommandRow{"SORT", Prefix::Optional, kOpen, Expunges::Hold, "SORT SORT=DISPLAY ESORT",
               "5256 3, 5267 3, 5957", &run_sort},
    CommandRow{"STARTTLS", Prefix::None, kFresh, Expunges::Tell, "", "3501 6.2.1", &run_starttls},
    CommandRow{"STATUS", Prefix::None, kIn, Expunges::Tell, "STATUS=SIZE", "3501 6.3.10",
               &run_status},
    CommandRow{"STORE", Prefix::Optional, kOpen, Expunges::Hold, "", "3501 6.4.6", &run_store},
    CommandRow{"SUBSCRIBE", Prefix::None, kIn, Expunges::Tell, "", "3501 6.3.6", &run_subscribe},
    CommandRow{"THREAD", Prefix::Optional, kOpen, Expunges::Hold,
               "THREAD=ORDEREDSUBJECT THREAD=REFERENCES THREAD=REFS", "5256 3", &run_thread},
    CommandRow{"UNAUTHENTICATE", Prefix::None, kIn, Expunges::Tell, "", "8437 3",
               &run_unauthenticate},
    CommandRow{"UNSELECT", Prefix::None, kOpen, Expunges::Tell, "UNSELECT", "3691 2",
               &run_unselect},
    CommandRow{"UNSUBSCRIBE", Prefix::None, kIn, Expunges::Tell, "", "3501 6.3.7",
               &run_unsubscribe},
    CommandRow{"URLFETCH", Prefix::None, kIn, Expunges::Tell, "", "4467 7", &run_urlfetch},
    CommandRow{"XLIST", Prefix::None, kIn, Expunges::Tell, "", "", &run_xlist},
};
static_assert(std::ranges::is_sorted(kCommands, {}, &CommandRow::name),
              "the table is sorted by name");

}  // namespace

const CommandRow* find_command(std::string_view name) {
    const auto found = std::ranges::lower_bound(kCommands, name, {}, &CommandRow::name);
    return found != kCommands.end() && found->name == name ? &*found : nullptr;
}

std::span<const CommandRow> all_commands() {
    return kCommands;
}

Answer ok(std::string text) {
    return {imap::Condition::Ok, "", std::move(text)};
}

Answer no(std::string_view code, std::string text) {
    return {imap::Condition::No, std::string(code), std::move(text)};
}

Answer bad(std::string text) {
    return {imap::Condition::Bad, "", std::move(text)};
}

Answer uid_required() {
    return {imap::Condition::Bad, std::string(imap::code::kUidRequired),
            "Only UIDs name messages in UIDONLY"};
}

Answer refusal(const Error& error, std::string_view doing) {
    if (error.kind == ErrorKind::Internal) {
        log::error("imap.failed", {{"doing", doing}, {"error", error.text}});
        return no(imap::code::kServerBug, "Internal error, it was logged");
    }
    switch (error.code) {
        case ErrorCode::NotFound: return no(imap::code::kNonExistent, "No such mailbox");
        case ErrorCode::AlreadyExists:
            return no(imap::code::kAlreadyExists, "Mailbox exists already");
        case ErrorCode::OverQuota: return no(imap::code::kOverQuota, "Account is over its quota");
        case ErrorCode::LimitExceeded: return no(imap::code::kLimit, error.text);
        case ErrorCode::Denied:
        case ErrorCode::Invalid:
        case ErrorCode::Unsupported: return no(imap::code::kCannot, error.text);
        case ErrorCode::Corrupt:
            log::error("imap.corrupt", {{"doing", doing}, {"error", error.text}});
            return no(imap::code::kServerBug, "Stored data is damaged, it was logged");
        case ErrorCode::DiskFull:
            log::warn("imap.unavailable", {{"doing", doing}, {"error", error.text}});
            return no(imap::code::kUnavailable,
                      "The server's disk is full; reading and deleting go on");
        default:
            probe<"imap.refused_for_now">();
            log::warn("imap.unavailable", {{"doing", doing}, {"error", error.text}});
            return no(imap::code::kUnavailable, "Not possible now, try again later");
    }
}

}  // namespace godwit::serve::imap_desk
