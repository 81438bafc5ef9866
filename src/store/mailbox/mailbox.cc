#include "store/mailbox/mailbox.h"

#include <algorithm>

#include "base/limits.h"
#include "store/kv/key.h"
#include "store/kv/meta.h"
#include "store/kv/record.h"
#include "store/mailbox/schema.h"

namespace godwit::store {

namespace {
MailboxState state_of(MailboxId id, MailboxFixed fixed, const MailboxCounters& counters) {
    return {.id = id,
            .name = std::move(fixed.name),
            .special_use = std::move(fixed.special_use),
            .uid_validity = fixed.uid_validity,
            .uid_next = counters.uid_next,
            .highest_mod_seq = counters.highest_mod_seq,
            .messages = counters.messages,
            .unseen = counters.unseen,
            .deleted = counters.deleted,
            .bytes = counters.bytes,
            .recent_after = counters.recent_after,
            .created = fixed.created,
            .is_selectable = fixed.is_selectable};
}

std::unexpected<Error> missing(std::string_view row) {
    return internal_error(ErrorCode::Corrupt,
                          "no row where there must be one: " + std::string(row));
}
}  // namespace

Result<std::optional<AccountHead>> read_head(const Snapshot& snapshot, ReadTier tier,
                                             AccountId account) {
    const std::optional<std::string> row =
        TRY(snapshot.get(account_prefix(Family::AccountHead, account), tier));
    if (!row) {
        return std::nullopt;
    }
    return TRY(decode_head(*row));
}

Result<std::vector<MailboxState>> list_mailboxes(const Snapshot& snapshot, ReadTier tier,
                                                 AccountId account) {
    std::vector<MailboxState> mailboxes;
    const std::string fixed_prefix = account_prefix(Family::Mailbox, account);
    const std::string counters_prefix = account_prefix(Family::Counters, account);
    const std::string fixed_upper = prefix_end(fixed_prefix);
    const std::string counters_upper = prefix_end(counters_prefix);
    const std::unique_ptr<Cursor> fixed = snapshot.cursor(tier, fixed_upper);
    const std::unique_ptr<Cursor> counters = snapshot.cursor(tier, counters_upper);
    // Both families have the same mailboxes in the same order; a stamp writes and erases them
    // together. A mailbox with a damaged or a missing row is left out: the others can be used.
    counters->seek(counters_prefix);
    for (fixed->seek(fixed_prefix); fixed->is_valid() && mailboxes.size() < limits::mailboxes_max;
         fixed->next()) {
        const MailboxId id(key_tail_u32(fixed->key()));
        while (counters->is_valid() && MailboxId(key_tail_u32(counters->key())) < id) {
            counters->next();
        }
        TRY(counters->status());
        if (!counters->is_valid() || MailboxId(key_tail_u32(counters->key())) != id) {
            log_damage(fixed->key(), missing("mailbox counters").error());
            continue;
        }
        auto row = TRY(if_sound(fixed->key(), decode_fixed(fixed->value())));
        const auto counted = TRY(if_sound(counters->key(), decode_counters(counters->value())));
        if (row && counted) {
            mailboxes.push_back(state_of(id, *std::move(row), *counted));
        }
    }
    TRY(fixed->status());
    std::ranges::sort(mailboxes, [](const MailboxState& a, const MailboxState& b) {
        return (a.id == kInbox) != (b.id == kInbox) ? a.id == kInbox : a.name < b.name;
    });
    return mailboxes;
}

Result<std::optional<MailboxState>> find_mailbox(const Snapshot& snapshot, ReadTier tier,
                                                 AccountId account, std::string_view name) {
    const Result<std::string> kept = mailbox_name(name);
    if (!kept) {
        return std::nullopt;  // No mailbox can have such a name.
    }
    const std::optional<std::string> row =
        TRY(snapshot.get(name_key(Family::MailboxName, account, *kept), tier));
    if (!row) {
        return std::nullopt;
    }
    const std::uint64_t id = TRY(decode_number(*row, "mailbox name"));
    return read_mailbox(snapshot, tier, account, MailboxId(static_cast<std::uint32_t>(id)));
}

Result<std::optional<MailboxState>> read_mailbox(const Snapshot& snapshot, ReadTier tier,
                                                 AccountId account, MailboxId mailbox) {
    const std::optional<std::string> fixed =
        TRY(snapshot.get(mailbox_key(Family::Mailbox, account, mailbox), tier));
    if (!fixed) {
        return std::nullopt;
    }
    const std::optional<std::string> counters =
        TRY(snapshot.get(mailbox_key(Family::Counters, account, mailbox), tier));
    if (!counters) {
        return missing("mailbox counters");
    }
    return state_of(mailbox, TRY(decode_fixed(*fixed)), TRY(decode_counters(*counters)));
}

Result<std::vector<Annotation>> read_annotations(const Snapshot& snapshot, ReadTier tier,
                                                 AccountId account, MailboxId mailbox,
                                                 AccountId user) {
    std::vector<Annotation> found;
    const std::string prefix = annotation_key(account, mailbox, user, {});
    const std::string upper = prefix_end(prefix);
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    for (cursor->seek(prefix); cursor->is_valid(); cursor->next()) {
        auto value = TRY(if_sound(cursor->key(), decode_annotation(cursor->value())));
        if (value) {
            found.emplace_back(cursor->key().substr(prefix.size()), *std::move(value));
        }
    }
    TRY(cursor->status());
    return found;
}

Result<std::vector<std::string>> list_subscriptions(const Snapshot& snapshot, ReadTier tier,
                                                    AccountId account) {
    std::vector<std::string> names;
    const std::string prefix = account_prefix(Family::Subscription, account);
    const std::string upper = prefix_end(prefix);
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    for (cursor->seek(prefix); cursor->is_valid() && names.size() < limits::mailboxes_max;
         cursor->next()) {
        names.emplace_back(cursor->key().substr(prefix.size()));
    }
    TRY(cursor->status());
    return names;
}

Result<KeywordNames> read_keywords(const Snapshot& snapshot, ReadTier tier, AccountId account) {
    const std::optional<std::string> row =
        TRY(snapshot.get(account_prefix(Family::Keywords, account), tier));
    KeywordNames names;
    if (!row) {
        return names;
    }
    std::uint8_t number = 0;
    // Without its dictionary an account's keywords have no names; all else can be read.
    auto known = TRY(if_sound(account_prefix(Family::Keywords, account), decode_keywords(*row)));
    for (std::string& name : known.value_or(std::vector<std::string>())) {
        names.emplace(number++, std::move(name));
    }
    return names;
}

Result<std::vector<MessageRow>> read_rows(const Snapshot& snapshot, ReadTier tier,
                                          AccountId account, MailboxId mailbox, Uid from,
                                          std::size_t count) {
    count = std::min(count, limits::scan_rows_max);
    std::vector<MessageRow> rows;
    const std::string upper = prefix_end(mailbox_key(Family::Message, account, mailbox));
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    for (cursor->seek(message_key(account, mailbox, from));
         cursor->is_valid() && rows.size() < count; cursor->next()) {
        const auto row = TRY(
            if_sound(cursor->key(), decode_row(Uid(key_tail_u32(cursor->key())), cursor->value())));
        if (row) {
            rows.push_back(*row);
        }
    }
    TRY(cursor->status());
    return rows;
}

Result<std::optional<MessageRow>> read_row(const Snapshot& snapshot, ReadTier tier,
                                           AccountId account, MailboxId mailbox, Uid uid) {
    const std::optional<std::string> row =
        TRY(snapshot.get(message_key(account, mailbox, uid), tier));
    if (!row) {
        return std::nullopt;
    }
    return TRY(decode_row(uid, *row));
}

namespace {
Result<MessageRecord> decode_record(std::string_view row) {
    EmailRow decoded = TRY(decode_email(row));
    return MessageRecord{.blob = decoded.head.blob,
                         .blob_size = decoded.blob_size,
                         .prefix = std::move(decoded.prefix),
                         .summary = std::move(decoded.summary),
                         .reference_hashes = std::move(decoded.head.reference_hashes),
                         .sent_at = decoded.sent_at};
}

/// Moves to `key` or behind it: by steps when it is near, as the next message's row mostly is.
Result<> move_to(Cursor& cursor, std::string_view key) {
    constexpr int kStepsMax = 4;
    for (int step = 0; step < kStepsMax && cursor.is_valid() && cursor.key() < key; ++step) {
        cursor.next();
    }
    if (!cursor.is_valid() || cursor.key() != key) {
        TRY(cursor.status());
        cursor.seek(key);
    }
    return cursor.status();
}
}  // namespace

Result<std::optional<MessageRecord>> read_record(const Snapshot& snapshot, ReadTier tier,
                                                 AccountId account, EmailId email) {
    const std::optional<std::string> row =
        TRY(snapshot.get(email_key(Family::Email, account, email), tier));
    if (!row) {
        return std::nullopt;
    }
    return TRY(decode_record(*row));
}

Result<std::vector<std::optional<MessageRecord>>> read_records(const Snapshot& snapshot,
                                                               ReadTier tier, AccountId account,
                                                               std::span<const EmailId> emails) {
    std::vector<std::optional<MessageRecord>> records;
    records.reserve(emails.size());
    const std::string upper = prefix_end(account_prefix(Family::Email, account));
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    for (const EmailId email : emails) {
        const std::string key = email_key(Family::Email, account, email);
        TRY(move_to(*cursor, key));
        std::optional<MessageRecord>& record = records.emplace_back();
        if (cursor->is_valid() && cursor->key() == key) {
            MessageRecord damaged;
            damaged.is_damaged = true;
            record =
                TRY(if_sound(key, decode_record(cursor->value()))).value_or(std::move(damaged));
        }
    }
    return records;
}

RecordWalk::RecordWalk(const Snapshot& snapshot, ReadTier tier, AccountId account)
    : account_(account),
      upper_(prefix_end(account_prefix(Family::Email, account))),
      cursor_(snapshot.cursor(tier, upper_)) {}

Result<std::optional<RecordWalk::RecordView>> RecordWalk::find(EmailId email) {
    const std::string key = email_key(Family::Email, account_, email);
    TRY(move_to(*cursor_, key));
    if (!cursor_->is_valid() || cursor_->key() != key) {
        return std::nullopt;
    }
    const auto row = TRY(if_sound(key, view_email(cursor_->value())));
    if (!row) {
        return RecordView{.prefix = {}, .summary = {}, .is_damaged = true};
    }
    return RecordView{.prefix = row->prefix, .summary = row->summary, .blob_size = row->blob_size};
}

Result<std::vector<EmailPlace>> read_places(const Snapshot& snapshot, ReadTier tier,
                                            AccountId account, EmailId email) {
    std::vector<EmailPlace> places;
    const std::optional<std::string> moved =
        TRY(snapshot.get(email_key(Family::Membership, account, email), tier));
    if (moved) {
        places = TRY(decode_places(*moved));
    } else if (const std::optional<std::string> row =
                   TRY(snapshot.get(email_key(Family::Email, account, email), tier))) {
        places.push_back(TRY(decode_email_head(*row)).first);
    }
    // A deleted mailbox may hold its messages for some commits more: they are gone for all readers.
    std::vector<EmailPlace> live;
    for (const EmailPlace& place : places) {
        if (TRY(snapshot.get(mailbox_key(Family::Mailbox, account, place.mailbox), tier))) {
            live.push_back(place);
        }
    }
    return live;
}

Result<std::vector<LogRow>> read_log(const Snapshot& snapshot, ReadTier tier, AccountId account,
                                     ModSeq since, std::size_t count) {
    count = std::min(count, limits::scan_rows_max);
    std::vector<LogRow> rows;
    const std::string upper = prefix_end(account_prefix(Family::ChangeLog, account));
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    for (cursor->seek(log_key(account, ModSeq(since.value() + 1)));
         cursor->is_valid() && rows.size() < count; cursor->next()) {
        auto row = TRY(if_sound(cursor->key(),
                                decode_log(ModSeq(key_tail_u64(cursor->key())), cursor->value())));
        if (row) {
            rows.push_back(*std::move(row));
        }
    }
    TRY(cursor->status());
    return rows;
}

Result<std::optional<std::vector<Uid>>> read_expunged(const Snapshot& snapshot, ReadTier tier,
                                                      AccountId account, MailboxId mailbox,
                                                      ModSeq since) {
    const std::optional<AccountHead> head = TRY(read_head(snapshot, tier, account));
    if (!head || since.value() + 1 < head->oldest_log) {
        return std::nullopt;
    }
    std::vector<Uid> uids;
    std::size_t scanned = 0;
    const std::string upper = prefix_end(account_prefix(Family::ChangeLog, account));
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    for (cursor->seek(log_key(account, ModSeq(since.value() + 1))); cursor->is_valid();
         cursor->next()) {
        if (++scanned > limits::change_log_scan_max) {
            return std::nullopt;
        }
        // Every mod-sequence that was drawn has its row. One that is missing might be the expunge.
        const std::uint64_t drawn = key_tail_u64(cursor->key());
        if (drawn != since.value() + scanned) {
            return std::nullopt;
        }
        const auto row = TRY(if_sound(cursor->key(), decode_log(ModSeq(drawn), cursor->value())));
        if (!row) {
            return std::nullopt;
        }
        if (row->kind == LogKind::Expunged && row->mailbox == mailbox) {
            uids.insert(uids.end(), row->uids.begin(), row->uids.end());
        }
    }
    TRY(cursor->status());
    if (since.value() + scanned < head->mod_seq) {
        return std::nullopt;
    }
    std::ranges::sort(uids);
    return uids;
}

Result<CommitSeq> read_commit_seq(const Snapshot& snapshot, ReadTier tier) {
    const std::optional<std::string> row = TRY(snapshot.get(commit_seq_key(), tier));
    return row ? TRY(decode_commit_seq(*row)) : CommitSeq(0);
}

Result<std::vector<TraceEvent>> read_trace(const Snapshot& snapshot, ReadTier tier, MailId mail) {
    std::vector<TraceEvent> events;
    const std::string prefix = trace_prefix(mail);
    const std::string upper = prefix_end(prefix);
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    for (cursor->seek(prefix); cursor->is_valid() && events.size() < limits::trace_events_max;
         cursor->next()) {
        auto event = TRY(if_sound(cursor->key(), decode_trace(mail, cursor->value())));
        if (event) {
            events.push_back(*std::move(event));
        }
    }
    TRY(cursor->status());
    return events;
}

}  // namespace godwit::store
