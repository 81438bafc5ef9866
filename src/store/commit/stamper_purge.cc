// Stamps clean-up in bounded steps: what deleted mailboxes and accounts left, old log and trace
// rows. RELIABILITY.md I19: a body goes with its last link and not before.
#include <algorithm>

#include "base/limits.h"
#include "store/commit/stamper_steps.h"
#include "store/kv/key.h"
#include "store/kv/record.h"

namespace godwit::store {

namespace {
struct Row {
    std::string key;
    std::string value;
};
/// Up to `count` rows that begin with `prefix`.
Result<std::vector<Row>> first_rows(const StampContext& context, const std::string& prefix,
                                    std::size_t count) {
    std::vector<Row> rows;
    if (count == 0) {
        return rows;
    }
    TRY(context.rows.scan(prefix, prefix_end(prefix),
                          [&](std::string_view key, std::string_view value) -> Result<bool> {
                              rows.push_back(
                                  {.key = std::string(key), .value = std::string(value)});
                              return rows.size() < count;
                          }));
    return rows;
}

/// Everything of an account that the directory no longer has. Gives whether nothing is left.
Result<bool> purge_account(StampContext& context, StampedAccount& account, Purged& purged,
                           std::size_t messages_max) {
    context.accounts.forget(account);
    const std::string emails = account_prefix(Family::Email, account.id);
    for (const Row& row : TRY(first_rows(context, emails, messages_max))) {
        // A damaged row does not say which body it held: that stays until a repair.
        if (const auto head = TRY(if_sound(row.key, decode_email_head(row.value)))) {
            const EmailId email(key_tail_u32(row.key));
            unlink_body(context, head->blob, link_key(head->blob, account.id, email));
        }
        context.rows.erase(row.key);
        ++purged.messages;
    }
    // The head goes last: while it is there, something may be.
    constexpr Family kRest[] = {Family::Message,      Family::Membership,      Family::ChangeLog,
                                Family::ThreadMember, Family::ThreadReference, Family::Counters,
                                Family::MailboxName,  Family::Mailbox,         Family::Subscription,
                                Family::Keywords,     Family::Annotation,      Family::SearchIndex,
                                Family::UniqueId,     Family::Origin,          Family::UrlKey,
                                Family::AccountHead,  Family::Remains};
    // A message has about this many rows beside its email.
    constexpr std::size_t kRowsPerMessage = 6;
    std::size_t left = (messages_max - purged.messages) * kRowsPerMessage;
    left -= TRY(erase_grants(context, account.id, left));
    for (const Family family : kRest) {
        const std::string prefix = account_prefix(family, account.id);
        for (const Row& row : TRY(first_rows(context, prefix, left))) {
            context.rows.erase(row.key);
            --left;
        }
        if (left == 0) {
            break;
        }
    }
    if (left == 0) {
        context.rows.put(mailbox_key(Family::Remains, account.id, MailboxId(0)), encode_nothing());
        return false;
    }
    return true;
}
}  // namespace

Result<std::size_t> purge_mailbox(StampContext& context, StampedAccount& account, MailboxId mailbox,
                                  std::size_t count) {
    count = std::min(count, limits::plan_rows_max);
    const std::vector<Uid> uids = TRY(read_uids(context, account.id, mailbox, count));
    const std::size_t seen = TRY(erase_seen(context, account.id, mailbox, count - uids.size()));
    if (uids.empty()) {
        return seen;
    }
    LogRow log{.kind = LogKind::Expunged, .mailbox = mailbox, .uids = uids};
    for (const Uid uid : uids) {
        const std::string key = message_key(account.id, mailbox, uid);
        const auto row = TRY(if_sound(key, read_message(context, account.id, mailbox, uid)));
        context.rows.erase(key);
        if (!row || !*row) {
            // A damaged row does not say which email it placed: that stays until a repair.
            log.emails.emplace_back(0);
            continue;
        }
        const MessageRow& message = **row;
        TRY(remove_place(context, account.id, message.email, {.mailbox = mailbox, .uid = uid}));
        log.emails.push_back(message.email);
    }
    log.mod_seq = context.accounts.draw_mod_seq(account);
    write_log(context, account.id, std::move(log));
    return uids.size() + seen;
}

Result<StepResult> stamp_step(StampContext& context, const PurgeRemains& step) {
    StampedAccount& account = *TRY(context.accounts.account_or_remains(step.account));
    const std::size_t messages_max =
        std::clamp<std::size_t>(step.messages_max, 1, limits::plan_rows_max);
    Purged purged;
    if (!account.numbers.is_there) {
        purged.is_done = TRY(purge_account(context, account, purged, messages_max));
        return purged;
    }
    const std::string prefix = account_prefix(Family::Remains, step.account);
    // Mailboxes left behind are few; each costs one seek.
    for (const Row& row : TRY(first_rows(context, prefix, messages_max))) {
        const std::size_t left = messages_max - purged.messages;
        if (left == 0) {
            return purged;
        }
        const std::size_t removed =
            TRY(purge_mailbox(context, account, MailboxId(key_tail_u32(row.key)), left));
        purged.messages += removed;
        if (removed < left) {
            context.rows.erase(row.key);
        }
    }
    purged.is_done = !TRY(context.rows.has_any(prefix));
    return purged;
}

Result<StepResult> stamp_step(StampContext& context, const TrimChangeLog& step) {
    StampedAccount& account = *TRY(context.accounts.account(step.account));
    const std::size_t rows_max = std::clamp<std::size_t>(step.rows_max, 1, limits::plan_rows_max);
    const std::string prefix = account_prefix(Family::ChangeLog, step.account);
    std::vector<std::string> keys;
    bool met_newer = false;
    TRY(context.rows.scan(prefix, prefix_end(prefix),
                          [&](std::string_view key, std::string_view value) -> Result<bool> {
                              const auto row =
                                  TRY(if_sound(key, decode_log(ModSeq(key_tail_u64(key)), value)));
                              met_newer = row && row->at >= unix_seconds(step.before);
                              if (!met_newer) {
                                  keys.emplace_back(key);
                              }
                              return !met_newer && keys.size() < rows_max;
                          }));
    for (const std::string& key : keys) {
        account.head().oldest_log = key_tail_u64(key) + 1;
        account.numbers.head_moved = true;
        context.rows.erase(key);
    }
    return Trimmed{.rows = keys.size(), .is_done = met_newer || keys.size() < rows_max};
}

Result<StepResult> stamp_step(StampContext& context, const TrimTrace& step) {
    const std::size_t rows_max = std::clamp<std::size_t>(step.rows_max, 1, limits::plan_rows_max);
    const std::string prefix(1, static_cast<char>(Family::Trace));
    constexpr std::size_t kMailAt = 1;
    std::vector<std::string> keys;
    std::optional<MailId> last;
    bool met_newer = false;
    // Ids rise with time, so the first message that is young enough ends the walk. Its first event
    // tells a message's age.
    TRY(context.rows.scan(prefix, prefix_end(prefix),
                          [&](std::string_view key, std::string_view value) -> Result<bool> {
                              const MailId mail(
                                  key_tail_u64(key.substr(0, kMailAt + sizeof(std::uint64_t))));
                              if (mail != last) {
                                  if (keys.size() >= rows_max) {
                                      return false;
                                  }
                                  const auto event = TRY(if_sound(key, decode_trace(mail, value)));
                                  met_newer = event && event->at >= step.before;
                                  if (met_newer) {
                                      return false;
                                  }
                                  last = mail;
                              }
                              keys.emplace_back(key);
                              return true;
                          }));
    for (std::string& key : keys) {
        context.rows.erase(std::move(key));
    }
    Trimmed trimmed{.rows = keys.size(), .is_done = met_newer || keys.size() < rows_max};
    if (last) {
        // Once-keys of messages that old are spent: nothing of them is queued any more.
        const std::string from(1, static_cast<char>(Family::Once));
        std::vector<std::string> spent;
        TRY(context.rows.scan(from, once_prefix(MailId(last->value() + 1)),
                              [&](std::string_view key, std::string_view) -> Result<bool> {
                                  spent.emplace_back(key);
                                  return spent.size() < rows_max;
                              }));
        for (std::string& key : spent) {
            context.rows.erase(std::move(key));
        }
    }
    return trimmed;
}

}  // namespace godwit::store
