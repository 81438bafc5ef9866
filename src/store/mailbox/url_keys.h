// What signs the URLs of a mailbox's messages that its user gives out: a secret for each mailbox
// and user, drawn at first use. It goes with the mailbox, with its account, and when it is
// forgotten. RFC 4467 2.2 (mailbox access key), 7 (RESETKEY). Law: docs/storage.md, row u.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "store/commit/plan.h"
#include "store/kv/kv.h"

namespace godwit::store {

/// Octets of a new secret; RFC 4467 2.2 asks for 16 at the least.
inline constexpr std::size_t url_key_size = 32;

/// Whose URLs, of which mailbox.
struct UrlKeyName {
    AccountId account;  ///< Whose mailbox it is.
    MailboxId mailbox;
    AccountId user;  ///< Who gives the URLs out.
};

std::string encode_url_key(std::string_view secret);
Result<std::string> decode_url_key(std::string_view row);

/// nullopt while nothing was signed. One whose row is damaged is an error (Corrupt).
Result<std::optional<std::string>> read_url_key(const Snapshot& snapshot, ReadTier tier,
                                                UrlKeyName name);
/// `secret` signs from now on, and what another one signed is worth nothing. NotFound when the
/// mailbox is not there; Stale when it, or the key, is another one by the time of the stamp.
Result<Plan> plan_url_key(const Snapshot& snapshot, ReadTier tier, UrlKeyName name,
                          std::string_view secret);
/// All that the user's keys of the account's mailboxes signed is worth nothing. Bounded by
/// limits::mailboxes_max.
Result<Plan> plan_forget_url_keys(const Snapshot& snapshot, ReadTier tier, AccountId account,
                                  AccountId user);

}  // namespace godwit::store
