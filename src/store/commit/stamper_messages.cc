// Stamps what happens to messages that are there: flags, expunge, copy and move.
// RFC 9051 6.4.3 (EXPUNGE), 6.4.6 (STORE), 6.4.7 (COPY), 6.4.8 (MOVE); RFC
// 7162 3.1.3. RELIABILITY.md I15, I17, I21, I25.
#include <algorithm>

#include "base/limits.h"
#include "store/commit/stamper_steps.h"
#include "store/kv/key.h"
#include "store/kv/record.h"

namespace godwit::store {

Result<MessageFlags> intern_flags(StampContext& context, StampedAccount& account, MailboxId mailbox,
                                  const FlagNames& names, FullDictionary full) {
    constexpr std::uint8_t kAll = 31;
    MessageFlags flags;
    flags.system = names.system & kAll;
    if (names.keywords.empty()) {
        return flags;
    }
    bool has_grown = false;
    for (const std::string& name : names.keywords) {
        if (const auto known = TRY(context.accounts.find_keyword(account, name))) {
            flags.keywords.add(*known);
            continue;
        }
        const Result<std::uint8_t> added = context.accounts.add_keyword(account, name);
        if (added) {
            has_grown = true;
            flags.keywords.add(*added);
        } else if (full == FullDictionary::Refuse) {
            return std::unexpected(added.error());
        }
    }
    if (has_grown) {
        publish(context, account.id, {.mailbox = mailbox, .what = KeywordsAdded{}});
    }
    return flags;
}

namespace {
constexpr std::uint8_t bit(SystemFlag flag) {
    return static_cast<std::uint8_t>(flag);
}
}  // namespace

MessageFlags masked(MessageFlags flags, const MessageFlags& before, const FlagMask& may) {
    constexpr std::uint8_t kPlain = 31 & ~(bit(SystemFlag::Seen) | bit(SystemFlag::Deleted));
    const unsigned mask = (may.seen ? bit(SystemFlag::Seen) : 0U) |
                          (may.deleted ? bit(SystemFlag::Deleted) : 0U) |
                          (may.others ? kPlain : 0U);
    flags.system = static_cast<std::uint8_t>((flags.system & mask) | (before.system & ~mask));
    if (!may.others) {
        flags.keywords = before.keywords;
    }
    return flags;
}

namespace {

MessageFlags changed_flags(const MessageFlags& before, FlagChange change,
                           const MessageFlags& given) {
    MessageFlags after = before;
    auto& words = after.keywords.words();
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::uint64_t word = given.keywords.words()[i];
        switch (change) {
            case FlagChange::Add: words[i] |= word; break;
            case FlagChange::Remove: words[i] &= ~word; break;
            case FlagChange::Replace: words[i] = word; break;
        }
    }
    switch (change) {
        case FlagChange::Add: after.system |= given.system; break;
        case FlagChange::Remove:
            after.system = static_cast<std::uint8_t>(after.system & ~given.system);
            break;
        case FlagChange::Replace: after.system = given.system; break;
    }
    return after;
}

/// Keywords that are to be removed and nobody has need no place in the dictionary.
Result<MessageFlags> known_flags(StampContext& context, StampedAccount& account,
                                 const FlagNames& names) {
    MessageFlags flags;
    flags.system = names.system;
    for (const std::string& name : names.keywords) {
        if (const auto known = TRY(context.accounts.find_keyword(account, name))) {
            flags.keywords.add(*known);
        }
    }
    return flags;
}

/// Names that the user may not set do not come into the account's dictionary.
Result<MessageFlags> given_flags(StampContext& context, StampedAccount& account,
                                 const ChangeFlags& step) {
    const FlagNames system_only{.system = step.flags.system, .keywords = {}};
    const FlagNames& names = step.may.others ? step.flags : system_only;
    return step.change == FlagChange::Remove
               ? known_flags(context, account, names)
               : intern_flags(context, account, step.mailbox, names, FullDictionary::Refuse);
}

void count_flags(StampedMailbox& mailbox, const MessageFlags& before, const MessageFlags& after) {
    const auto move = [&](SystemFlag flag, std::uint32_t& counter, bool counts_absence) {
        const int was = before.has(flag) != counts_absence ? 1 : 0;
        const int is = after.has(flag) != counts_absence ? 1 : 0;
        counter += static_cast<std::uint32_t>(is - was);
    };
    move(SystemFlag::Seen, mailbox.counters.unseen, true);
    move(SystemFlag::Deleted, mailbox.counters.deleted, false);
    mailbox.counters_moved = true;
}
}  // namespace

Result<std::optional<MessageRow>> read_message(const StampContext& context, AccountId account,
                                               MailboxId mailbox, Uid uid) {
    const std::optional<std::string> row =
        TRY(context.rows.get(message_key(account, mailbox, uid)));
    if (!row) {
        return std::nullopt;
    }
    return TRY(decode_row(uid, *row));
}

Result<std::vector<Uid>> read_uids(const StampContext& context, AccountId account,
                                   MailboxId mailbox, std::size_t count) {
    std::vector<Uid> uids;
    if (count == 0) {
        return uids;
    }
    const std::string prefix = mailbox_key(Family::Message, account, mailbox);
    TRY(context.rows.scan(prefix, prefix_end(prefix),
                          [&](std::string_view key, std::string_view) -> Result<bool> {
                              uids.emplace_back(key_tail_u32(key));
                              return uids.size() < count;
                          }));
    return uids;
}

void count_in(StampedAccount& account, StampedMailbox& mailbox, const MessageRow& row) {
    MailboxCounters& counters = mailbox.counters;
    ++counters.messages;
    counters.unseen += row.flags.has(SystemFlag::Seen) ? 0 : 1;
    counters.deleted += row.flags.has(SystemFlag::Deleted) ? 1 : 0;
    counters.bytes += row.size;
    mailbox.counters_moved = true;
    count_use(account, static_cast<std::int64_t>(row.size), 1);
}

void count_out(StampedAccount& account, StampedMailbox& mailbox, const MessageRow& row) {
    MailboxCounters& counters = mailbox.counters;
    --counters.messages;
    counters.unseen -= row.flags.has(SystemFlag::Seen) ? 0 : 1;
    counters.deleted -= row.flags.has(SystemFlag::Deleted) ? 1 : 0;
    counters.bytes -= row.size;
    mailbox.counters_moved = true;
    count_use(account, -static_cast<std::int64_t>(row.size), -1);
}

Result<> check_quota(const StampedAccount& account, const QuotaUse& more) {
    const StampedDomain* domain = account.numbers.domain;
    const AccountHead& head = account.numbers.head;
    const Quota quota = domain == nullptr
                            ? account.numbers.quota
                            : merge(account.numbers.quota, domain->numbers.account_quota);
    const QuotaUse used{
        .bytes = head.bytes_used, .messages = head.messages_used, .mailboxes = head.mailboxes};
    const std::string who = "account " + std::to_string(account.id.value());
    if (!fits(quota, used, more)) {
        return temporary_error(ErrorCode::OverQuota, who + " is over its quota");
    }
    if (domain != nullptr && !fits(domain->numbers.quota, domain->numbers.used, more)) {
        return temporary_error(ErrorCode::OverQuota,
                               who + ": domain " + domain->name + " is over its quota");
    }
    return {};
}

Result<> check_uids(const std::vector<Uid>& uids) {
    if (uids.size() > limits::plan_rows_max) {
        return internal_error(
            ErrorCode::LimitExceeded,
            std::to_string(uids.size()) + " messages in one step (plan_rows_max)");
    }
    const bool is_rising = std::ranges::adjacent_find(uids, std::greater_equal<>()) == uids.end();
    if (!is_rising || (!uids.empty() && uids.front().value() == 0)) {
        return internal_error(ErrorCode::Invalid, "uids of a step must rise");
    }
    return {};
}

void write_log(StampContext& context, AccountId account, LogRow row) {
    row.at = unix_seconds(context.now);
    context.rows.put(log_key(account, row.mod_seq), encode(row));
}

void publish(StampContext& context, AccountId account, MailboxChange change) {
    context.changes.emplace_back(account, std::move(change));
}

Result<> mark_seen(StampContext& context, AccountId account, MailboxId mailbox, AccountId user,
                   const std::vector<Uid>& uids) {
    StampedSeen seen(context, account, mailbox, user);
    for (const Uid uid : uids) {
        TRY(seen.set(uid, true));
    }
    return seen.finish();
}

namespace {
bool differ_in_seen_at_most(MessageFlags one, const MessageFlags& other) {
    one.system = static_cast<std::uint8_t>((one.system & ~bit(SystemFlag::Seen)) |
                                           (other.system & bit(SystemFlag::Seen)));
    return one == other;
}

/// What becomes of the \Seen that a visitor has for himself; nullopt: nothing.
std::optional<bool> visitor_sees(const ChangeFlags& step) {
    if (!is_visitor(step.account, step.user) || !step.may.seen) {
        return std::nullopt;
    }
    const bool is_named = (step.flags.system & bit(SystemFlag::Seen)) != 0;
    if (step.change == FlagChange::Replace) {
        return is_named;
    }
    return is_named ? std::optional(step.change == FlagChange::Add) : std::nullopt;
}
}  // namespace

Result<StepResult> stamp_step(StampContext& context, const ChangeFlags& step) {
    TRY(check_uids(step.uids));
    AccountStates& accounts = context.accounts;
    StampedAccount& account = *TRY(accounts.account(step.account));
    StampedMailbox& mailbox = *TRY(accounts.selectable(account, step.mailbox));
    // Names that the user may not set do not come into the account's dictionary.
    FlagNames named{.system = step.flags.system, .keywords = {}};
    if (step.may.others) {
        named.keywords = step.flags.keywords;
    }
    std::optional<MessageFlags> given;
    FlagsChanged result;
    MessageFlagsChanged published{
        .rows = {},
        .only_seen = {},
        .seen_by = is_visitor(step.account, step.user) ? step.user : step.account};
    LogRow log{.kind = LogKind::FlagsChanged, .mailbox = step.mailbox};
    std::vector<MessageFlags> before;
    // A visitor's \Seen is beside the row; the message's mod-sequence moves on all the same.
    const std::optional<bool> sees = visitor_sees(step);
    FlagMask may = step.may;
    may.seen = may.seen && !is_visitor(step.account, step.user);
    StampedSeen seen(context, step.account, step.mailbox, step.user);
    SeenChanged told{.user = step.user, .uids = {}, .is_seen = sees.value_or(false)};
    for (const Uid uid : step.uids) {
        std::optional<MessageRow> row = TRY(read_message(context, step.account, step.mailbox, uid));
        if (!row) {
            continue;
        }
        if (step.unchanged_since && row->mod_seq > *step.unchanged_since) {
            result.rejected.push_back(uid);
            continue;
        }
        if (!given) {
            // Only now: a change that meets no message leaves the dictionary alone.
            given = TRY(given_flags(context, account, step));
        }
        const MessageFlags after =
            masked(changed_flags(row->flags, step.change, *given), row->flags, may);
        const bool is_seen_anew = sees && TRY(seen.set(uid, *sees));
        if (is_seen_anew) {
            told.uids.push_back(uid);
        } else if (after == row->flags) {
            continue;
        }
        if (differ_in_seen_at_most(after, row->flags)) {
            published.only_seen.push_back(uid);
        }
        before.push_back(row->flags);
        row->flags = after;
        published.rows.push_back(*row);
    }
    result.mod_seq = mailbox.counters.highest_mod_seq;
    if (published.rows.empty()) {
        return result;
    }
    result.mod_seq = accounts.draw_mod_seq(account, mailbox);
    for (std::size_t i = 0; i < published.rows.size(); ++i) {
        MessageRow& row = published.rows[i];
        row.mod_seq = result.mod_seq;
        count_flags(mailbox, before[i], row.flags);
        context.rows.put(message_key(step.account, step.mailbox, row.uid), encode(row));
        result.changed.push_back(row.uid);
        log.emails.push_back(row.email);
    }
    log.mod_seq = result.mod_seq;
    log.uids = result.changed;
    write_log(context, step.account, std::move(log));
    publish(context, step.account, {.mailbox = step.mailbox, .what = std::move(published)});
    if (!told.uids.empty()) {
        TRY(seen.finish());
        publish(context, step.account, {.mailbox = step.mailbox, .what = std::move(told)});
    }
    return result;
}

Result<StepResult> stamp_step(StampContext& context, const ExpungeMessages& step) {
    TRY(check_uids(step.uids));
    StampedAccount& account = *TRY(context.accounts.account(step.account));
    StampedMailbox& mailbox = *TRY(context.accounts.selectable(account, step.mailbox));
    Expunged result;
    LogRow log{.kind = LogKind::Expunged, .mailbox = step.mailbox};
    for (const Uid uid : step.uids) {
        const std::optional<MessageRow> row =
            TRY(read_message(context, step.account, step.mailbox, uid));
        if (!row && step.must_be_there) {
            return temporary_error(ErrorCode::NotFound, "a message to expunge is gone");
        }
        if (!row || (step.only_deleted && !row->flags.has(SystemFlag::Deleted))) {
            continue;
        }
        TRY(remove_place(context, step.account, row->email, {.mailbox = step.mailbox, .uid = uid}));
        context.rows.erase(message_key(step.account, step.mailbox, uid));
        count_out(account, mailbox, *row);
        result.uids.push_back(uid);
        log.emails.push_back(row->email);
    }
    result.mod_seq = mailbox.counters.highest_mod_seq;
    if (result.uids.empty()) {
        return result;
    }
    result.mod_seq = context.accounts.draw_mod_seq(account, mailbox);
    TRY(forget_seen(context, step.account, step.mailbox, result.uids));
    log.mod_seq = result.mod_seq;
    log.uids = result.uids;
    write_log(context, step.account, std::move(log));
    publish(context, step.account,
            {.mailbox = step.mailbox,
             .what = MessagesExpunged{.uids = result.uids, .mod_seq = result.mod_seq}});
    return result;
}

namespace {
/// Gives the copy of a message its email: the same one, or a new one with the same body when the
/// target holds it already (an email is in a mailbox at most once).
Result<> place_copy(StampContext& context, StampedAccount& account, const CopyMessages& step,
                    Uid source, MessageRow& copy) {
    std::vector<EmailPlace> places = TRY(read_places(context, account.id, copy.email));
    if (step.move) {
        std::erase(places, EmailPlace{.mailbox = step.source, .uid = source});
    }
    const EmailPlace place{.mailbox = step.target, .uid = copy.uid};
    const bool is_there = std::ranges::any_of(
        places, [&step](const EmailPlace& held) { return held.mailbox == step.target; });
    if (!is_there) {
        places.push_back(place);
        write_places(context, account.id, copy.email, places);
        return {};
    }
    const std::optional<std::string> value =
        TRY(context.rows.get(email_key(Family::Email, account.id, copy.email)));
    if (!value) {
        return internal_error(ErrorCode::Corrupt, "a copied message has no email row");
    }
    if (step.move) {
        write_places(context, account.id, copy.email, places);
    }
    EmailRow email = TRY(decode_email(*value));
    email.head.first = place;
    email.head.unique_id.clear();  // The other one keeps it: a maildrop may hold both.
    copy.email = TRY(context.accounts.draw_email(account));
    copy.thread = TRY(add_email(context, account.id, copy.email, std::move(email), copy.thread));
    return {};
}
}  // namespace

Result<StepResult> stamp_step(StampContext& context, const CopyMessages& step) {
    TRY(check_uids(step.uids));
    AccountStates& accounts = context.accounts;
    StampedAccount& account = *TRY(accounts.account(step.account));
    StampedMailbox& source = *TRY(accounts.selectable(account, step.source));
    StampedMailbox& target = *TRY(accounts.selectable(account, step.target));
    Copied result{.uid_validity = target.fixed.uid_validity};
    MessagesAppended arrived;
    LogRow came{.kind = LogKind::Appended, .mailbox = step.target};
    LogRow went{.kind = LogKind::Expunged, .mailbox = step.source};
    StampedSeen seen(context, step.account, step.source, step.user);
    SeenChanged told{.user = step.user, .uids = {}, .is_seen = true};
    for (const Uid uid : step.uids) {
        const std::optional<MessageRow> found =
            TRY(read_message(context, step.account, step.source, uid));
        if (!found) {
            continue;
        }
        if (!step.move) {
            TRY(check_quota(account, {.bytes = found->size, .messages = 1}));
        }
        if (arrived.rows.empty()) {
            came.mod_seq = accounts.draw_mod_seq(account, target);
        }
        MessageRow copy = *found;
        copy.uid = TRY(accounts.draw_uid(target));
        copy.mod_seq = came.mod_seq;
        copy.saved_at =
            unix_seconds(context.now);  // RFC 8514 section 3: COPY and MOVE set it anew.
        copy.flags = masked(copy.flags, {}, step.may);
        if (is_visitor(step.account, step.user) && step.may.seen && TRY(seen.has(uid))) {
            told.uids.push_back(copy.uid);
        }
        TRY(place_copy(context, account, step, uid, copy));
        context.rows.put(message_key(step.account, step.target, copy.uid), encode(copy));
        count_in(account, target, copy);
        if (step.move) {
            context.rows.erase(message_key(step.account, step.source, uid));
            count_out(account, source, *found);
            went.emails.push_back(found->email);
        }
        came.emails.push_back(copy.email);
        result.source.push_back(uid);
        result.target.push_back(copy.uid);
        arrived.rows.push_back(copy);
    }
    if (arrived.rows.empty()) {
        return result;
    }
    came.uids = result.target;
    write_log(context, step.account, std::move(came));
    publish(context, step.account, {.mailbox = step.target, .what = std::move(arrived)});
    if (!told.uids.empty()) {
        TRY(mark_seen(context, step.account, step.target, step.user, told.uids));
        publish(context, step.account, {.mailbox = step.target, .what = std::move(told)});
    }
    if (step.move) {
        TRY(forget_seen(context, step.account, step.source, result.source));
        went.mod_seq = accounts.draw_mod_seq(account, source);
        went.uids = result.source;
        publish(context, step.account,
                {.mailbox = step.source,
                 .what = MessagesExpunged{.uids = result.source, .mod_seq = went.mod_seq}});
        write_log(context, step.account, std::move(went));
    }
    return result;
}

Result<StepResult> stamp_step(StampContext& context, const ClaimRecent& step) {
    StampedAccount& account = *TRY(context.accounts.account(step.account));
    StampedMailbox& mailbox = *TRY(context.accounts.selectable(account, step.mailbox));
    const RecentClaimed claimed{.after = mailbox.counters.recent_after};
    const Uid last(mailbox.counters.uid_next.value() - 1);
    if (last > claimed.after) {
        mailbox.counters.recent_after = last;
        mailbox.counters_moved = true;
    }
    return claimed;
}

}  // namespace godwit::store
