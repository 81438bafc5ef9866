// The values of an account's rows, and their codecs. Law: docs/storage.md.
// Every value is sealed (kv/record.h). Decoders are total: any octets give a value or an Error
// (Corrupt, Unsupported), never a read past the end or an unbounded allocation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "store/commit/plan.h"
#include "store/mailbox/change.h"
#include "store/mailbox/keys.h"
#include "store/mailbox/mailbox.h"

namespace godwit::store {

/// Row B: what of a mailbox changes seldom.
struct MailboxFixed {
    std::string name{};
    std::string special_use{};
    UidValidity uid_validity{};
    ModSeq created{};
    bool is_selectable = true;
    bool operator==(const MailboxFixed&) const = default;
};
/// Row N: what changes with every message.
struct MailboxCounters {
    Uid uid_next{1};
    ModSeq highest_mod_seq;
    std::uint32_t messages = 0;
    std::uint32_t unseen = 0;
    std::uint32_t deleted = 0;
    std::uint64_t bytes = 0;
    Uid recent_after;
    bool operator==(const MailboxCounters&) const = default;
};

/// Where an email is: it belongs to one or more mailboxes, at most once to each.
struct EmailPlace {
    MailboxId mailbox;
    Uid uid;
    bool operator==(const EmailPlace&) const = default;
};
/// The front of row M: what removing an email needs, without its summary.
struct EmailHead {
    BlobId blob;
    ThreadId thread;
    EmailPlace first;  ///< Where it came in; its only place while there is no row E.
    std::vector<std::uint64_t> reference_hashes;
    std::string unique_id{};  ///< What POP3 calls it (unique_ids.h); empty for nearly all.
};
/// Row M: an email. Written once.
struct EmailRow {
    EmailHead head;
    MailId mail;
    std::uint64_t blob_size = 0;
    std::int64_t sent_at = 0;
    std::string prefix;
    std::string summary;
};

enum class LogKind : std::uint8_t {
    Appended = 1,
    FlagsChanged = 2,
    Expunged = 3,
    MailboxCreated = 4,
    MailboxChanged = 5,  ///< Renamed, subscribed, made selectable.
    MailboxDeleted = 6,
};
/// Row L: what one step did to one mailbox. The mod-sequence is in the key.
struct LogRow {
    ModSeq mod_seq{};
    LogKind kind = LogKind::Appended;
    MailboxId mailbox{};
    std::int64_t at = 0;            ///< Unix seconds.
    std::vector<Uid> uids{};        ///< Rising.
    std::vector<EmailId> emails{};  ///< Of those uids, in their order.
};

/// Row T: the thread that a Message-ID's hash leads to, and how many emails carry the hash.
struct ThreadReference {
    ThreadId thread;
    std::uint32_t emails = 0;
};

std::string encode(const AccountHead& head);
Result<AccountHead> decode_head(std::string_view value);
std::string encode(const MailboxFixed& fixed);
Result<MailboxFixed> decode_fixed(std::string_view value);
std::string encode(const MailboxCounters& counters);
Result<MailboxCounters> decode_counters(std::string_view value);
/// Row U; the uid is in the key.
std::string encode(const MessageRow& row);
Result<MessageRow> decode_row(Uid uid, std::string_view value);
std::string encode(const EmailRow& row);
Result<EmailRow> decode_email(std::string_view value);
Result<EmailHead> decode_email_head(std::string_view value);
/// What readers of many rows need of row M, without a copy.
struct EmailView {
    std::string_view prefix;   ///< Into the value.
    std::string_view summary;  ///< Into the value.
    std::uint64_t blob_size = 0;
};
Result<EmailView> view_email(std::string_view value);
std::string encode(const std::vector<EmailPlace>& places);
Result<std::vector<EmailPlace>> decode_places(std::string_view value);
std::string encode(const LogRow& row);
Result<LogRow> decode_log(ModSeq mod_seq, std::string_view value);
std::string encode(const ThreadReference& reference);
Result<ThreadReference> decode_thread_reference(std::string_view value);
std::string encode_keywords(const std::vector<std::string>& names);
Result<std::vector<std::string>> decode_keywords(std::string_view value);
std::string encode(const TraceEvent& event);
Result<TraceEvent> decode_trace(MailId mail, std::string_view value);
std::string encode(const Appended& appended);
Result<Appended> decode_once(std::string_view value);
/// One number: MailboxName, rows of the directory.
std::string encode_number(std::uint64_t number);
Result<std::uint64_t> decode_number(std::string_view value, std::string_view name);
/// Row C: the octets of an annotation's value.
std::string encode_annotation(std::string_view value);
Result<std::string> decode_annotation(std::string_view row);
/// The value of rows whose key says all.
std::string encode_nothing();

/// The mailboxes an email is in, deleted ones left out; empty when there is no such email.
Result<std::vector<EmailPlace>> read_places(const Snapshot& snapshot, ReadTier tier,
                                            AccountId account, EmailId email);
/// Change log rows with a mod-sequence greater than `since`, rising, at most `count`
/// (scan_rows_max).
Result<std::vector<LogRow>> read_log(const Snapshot& snapshot, ReadTier tier, AccountId account,
                                     ModSeq since, std::size_t count);

/// True for families that ChangeRows may write: Directory, Open and UrlKey.
bool is_open_family(Family family);

/// A mailbox name as it is kept: its first level in capitals when it is "inbox" in any case
/// (RFC 9051 5.1). Invalid when it is empty, too long, too deep, not UTF-8, has controls or an
/// empty level. Does not normalise (NFC is the caller's).
Result<std::string> mailbox_name(std::string_view name);
/// The part before the last '/', or nullopt at the top.
std::optional<std::string_view> parent_name(std::string_view name);

}  // namespace godwit::store
