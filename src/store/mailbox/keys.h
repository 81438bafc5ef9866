// The families of rows and the keys of an account's rows. Law: docs/storage.md; the store's
// own families (X, R, Z) and the tools are in kv/key.h. Every key of an account begins with its
// family and the account's number (RELIABILITY.md I28).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "store/kv/key.h"

namespace godwit::store {

/// The first byte of a key. Fields after it are big-endian; text that others follow ends in a NUL.
enum class Family : char {
    AccountHead = 'A',    ///< account -> AccountHead
    Mailbox = 'B',        ///< account mailbox -> MailboxFixed
    Annotation = 'C',     ///< account mailbox user entry -> value of a METADATA entry
    QueueDelivery = 'D',  ///< mail number -> QueueDelivery
    Membership = 'E',     ///< account email -> places, when they differ from the email's first
    SearchIndex = 'F',    ///< account ... -> what follows from its emails (search/rows.h)
    Open = 'G',           ///< text -> rows of upper floors, changed by ChangeRows
    ThreadMember = 'H',   ///< account thread email -> (nothing); not for the email that began it
    MailboxName = 'I',    ///< account name -> mailbox
    Remains = 'J',       ///< account mailbox -> (nothing): rows still to be removed; mailbox 0: all
    Keywords = 'K',      ///< account -> the keyword dictionary
    ChangeLog = 'L',     ///< account mod_seq -> LogRow
    Email = 'M',         ///< account email -> EmailRow
    Counters = 'N',      ///< account mailbox -> MailboxCounters
    Once = 'O',          ///< mail once_key account -> what the append became
    Directory = 'P',     ///< kind ... -> domains, accounts, aliases (directory/schema.h)
    QueueMessage = 'Q',  ///< mail -> QueueMessage
    Due = 'S',           ///< site NUL due mail number -> (nothing)
    ThreadReference = 'T',  ///< account hash -> thread, emails that carry the reference
    Message = 'U',          ///< account mailbox uid -> MessageRow
    Trace = 'V',            ///< mail commit ordinal -> TraceEvent
    UniqueId = 'W',         ///< account text -> the email that POP3 calls so
    Subscription = 'Y',     ///< account name -> (nothing)
    Access = 'a',  ///< account mailbox grantee -> what somebody else may do there (access.h)
    Grant = 'g',   ///< grantee [domain NUL] account mailbox -> (nothing): leads to rows a
    SeenBy = 's',  ///< account mailbox stretch user -> what somebody else has seen there
    Origin = 'o',  ///< account origin -> (nothing): it was imported (mailbox/origins.h)
    UrlKey = 'u',  ///< account mailbox user -> what signs the URLs that user gives out
};

/// Family and account: the key of one-row families, the prefix of the others.
std::string account_prefix(Family family, AccountId account);
/// Families keyed by account and mailbox: Mailbox, Counters, Remains; the prefix of Message.
std::string mailbox_key(Family family, AccountId account, MailboxId mailbox);
std::string message_key(AccountId account, MailboxId mailbox, Uid uid);
/// Families keyed by account and email: Email, Membership.
std::string email_key(Family family, AccountId account, EmailId email);
/// Families keyed by account and text: MailboxName, Subscription, UniqueId, Origin.
std::string name_key(Family family, AccountId account, std::string_view name);
/// Annotations of a mailbox (0: of the server, as the account sees it), of one user or all.
std::string annotation_prefix(AccountId account, MailboxId mailbox);
/// `user` 0: shared. `entry` is in lower case.
std::string annotation_key(AccountId account, MailboxId mailbox, AccountId user,
                           std::string_view entry);
std::string log_key(AccountId account, ModSeq mod_seq);
std::string thread_reference_key(AccountId account, std::uint64_t hash);
std::string thread_member_key(AccountId account, ThreadId thread, EmailId email);

/// Who holds a link; for fsck.
struct BlobLink {
    BlobId blob;
    std::optional<MailId> queued;  ///< Else `account` and `email`.
    AccountId account;
    EmailId email;
};
/// nullopt when the key is no link.
std::optional<BlobLink> parse_link_key(std::string_view key);

std::string once_family_prefix();
std::string once_prefix(MailId mail);
std::string once_key(MailId mail, std::uint64_t once, AccountId account);
std::string trace_prefix(MailId mail);
std::string trace_key(MailId mail, CommitSeq seq, std::uint32_t ordinal);

/// The last four or eight octets of a key that ends in a number; 0 when it is shorter.
std::uint32_t key_tail_u32(std::string_view key);
std::uint64_t key_tail_u64(std::string_view key);

}  // namespace godwit::store
