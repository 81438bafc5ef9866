// Stamps what happens to mailboxes: create, rename, delete, subscribe, roles.
// RFC 3501 6.3.3-6.3.7, RFC 9051 6.3.4-6.3.8. RELIABILITY.md I16, I26.
#include <algorithm>

#include "base/limits.h"
#include "store/commit/stamper_steps.h"
#include "store/kv/key.h"

namespace godwit::store {

namespace {
Result<std::optional<MailboxId>> find_name(const StampContext& context, AccountId account,
                                           std::string_view name) {
    const std::optional<std::string> row =
        TRY(context.rows.get(name_key(Family::MailboxName, account, name)));
    if (!row) {
        return std::nullopt;
    }
    return MailboxId(static_cast<std::uint32_t>(TRY(decode_number(*row, "mailbox name"))));
}

std::unexpected<Error> exists_already(std::string_view name) {
    return peer_error(ErrorCode::AlreadyExists, "mailbox exists already: " + std::string(name));
}

/// Names below `name` with their mailboxes, in order.
Result<std::vector<std::pair<std::string, MailboxId>>> inferiors(const StampContext& context,
                                                                 AccountId account,
                                                                 std::string_view name,
                                                                 std::size_t count) {
    std::vector<std::pair<std::string, MailboxId>> found;
    const std::string prefix = name_key(Family::MailboxName, account, std::string(name) + '/');
    const std::size_t name_at = prefix.size() - name.size() - 1;
    TRY(context.rows.scan(prefix, prefix_end(prefix),
                          [&](std::string_view key, std::string_view value) -> Result<bool> {
                              const std::uint64_t id = TRY(decode_number(value, "mailbox name"));
                              found.emplace_back(key.substr(name_at),
                                                 MailboxId(static_cast<std::uint32_t>(id)));
                              return found.size() < count;
                          }));
    return found;
}

/// Every level above must be a mailbox: names without a parent would be out of reach of RENAME.
Result<> check_parent(const StampContext& context, AccountId account, std::string_view name) {
    const std::optional<std::string_view> parent = parent_name(name);
    if (parent && !TRY(find_name(context, account, *parent))) {
        return peer_error(ErrorCode::NotFound, "no parent mailbox: " + std::string(*parent));
    }
    return {};
}

void write_mailbox(StampContext& context, AccountId account, MailboxId id,
                   const MailboxFixed& fixed) {
    context.rows.put(mailbox_key(Family::Mailbox, account, id), encode(fixed));
    context.rows.put(name_key(Family::MailboxName, account, fixed.name), encode_number(id.value()));
}

struct ListEvent {
    MailboxId mailbox;
    LogKind kind = LogKind::MailboxChanged;
    MailboxListChanged change;
    ModSeq mod_seq;
};
void tell_list(StampContext& context, AccountId account, const ListEvent& event) {
    write_log(context, account,
              {.mod_seq = event.mod_seq, .kind = event.kind, .mailbox = event.mailbox});
    publish(context, account, {.mailbox = event.mailbox, .what = event.change});
}

/// Makes a mailbox that has no row yet. The name was checked.
Result<MailboxCreated> make_mailbox(StampContext& context, StampedAccount& account,
                                    MailboxFixed fixed) {
    AccountHead& head = account.head();
    if (head.mailboxes >= limits::mailboxes_max) {
        return peer_error(ErrorCode::LimitExceeded, "an account has at most " +
                                                        std::to_string(limits::mailboxes_max) +
                                                        " mailboxes (limits.h: mailboxes_max)");
    }
    // What a deleted mailbox leaves for its inferiors is none more, whatever the quota is by now.
    if (fixed.is_selectable) {
        TRY(check_quota(account, {.mailboxes = 1}));
    }
    const MailboxId id(head.next_mailbox);
    if (id == kInbox && fixed.name != "INBOX") {
        return internal_error(ErrorCode::Invalid, "an account's first mailbox is INBOX");
    }
    if (head.next_mailbox == UINT32_MAX) {
        return internal_error(ErrorCode::LimitExceeded, "mailbox ids: all numbers are given");
    }
    ++head.next_mailbox;
    ++head.mailboxes;
    fixed.uid_validity = TRY(context.accounts.draw_uid_validity(account, context.now));
    fixed.created = context.accounts.draw_mod_seq(account);
    write_mailbox(context, account.id, id, fixed);
    const MailboxCreated created{.mailbox = id, .uid_validity = fixed.uid_validity};
    const ModSeq drawn = fixed.created;
    if (const auto parent = parent_name(fixed.name)) {
        if (const auto above = TRY(find_name(context, account.id, *parent))) {
            TRY(copy_access(context, account.id, *above, id));
        }
    }
    context.accounts.add_mailbox(account, id, std::move(fixed)).counters.highest_mod_seq = drawn;
    tell_list(context, account.id,
              {.mailbox = id, .kind = LogKind::MailboxCreated, .change = {}, .mod_seq = drawn});
    return created;
}

Result<> set_subscription(StampContext& context, StampedAccount& account, std::string_view name,
                          bool subscribed) {
    std::string key = name_key(Family::Subscription, account.id, name);
    const bool was = TRY(context.rows.get(key)).has_value();
    if (was == subscribed) {
        return {};
    }
    AccountHead& head = account.head();
    account.numbers.head_moved = true;
    if (!subscribed) {
        --head.subscriptions;
        context.rows.erase(std::move(key));
        return {};
    }
    if (head.subscriptions >= limits::mailboxes_max) {
        return peer_error(ErrorCode::LimitExceeded,
                          "too many subscriptions (limits.h: mailboxes_max)");
    }
    ++head.subscriptions;
    context.rows.put(std::move(key), encode_nothing());
    return {};
}

/// Q4: the one mailbox of that role. The scan is bounded by mailboxes_max, and only steps that give
/// a role pay for it.
Result<std::optional<MailboxId>> find_use(const StampContext& context, AccountId account,
                                          std::string_view special_use) {
    std::optional<MailboxId> found;
    const std::string prefix = account_prefix(Family::Mailbox, account);
    TRY(context.rows.scan(prefix, prefix_end(prefix),
                          [&](std::string_view key, std::string_view value) -> Result<bool> {
                              const auto fixed = decode_fixed(value);
                              if (fixed && fixed->special_use == special_use) {
                                  found = MailboxId(key_tail_u32(key));
                              }
                              return !found;
                          }));
    return found;
}

Result<> write_use(StampContext& context, StampedAccount& account, MailboxId id,
                   std::string special_use) {
    StampedMailbox& mailbox = *TRY(context.accounts.mailbox(account, id));
    mailbox.fixed.special_use = std::move(special_use);
    write_mailbox(context, account.id, id, mailbox.fixed);
    tell_list(context, account.id,
              {.mailbox = id,
               .kind = LogKind::MailboxChanged,
               .change = {},
               .mod_seq = context.accounts.draw_mod_seq(account)});
    return {};
}

/// What was signed with them is worth nothing from now on. RFC 4467 2.2: one for each user.
Result<> erase_url_keys(StampContext& context, AccountId account, MailboxId mailbox) {
    std::vector<std::string> keys;
    const std::string prefix = mailbox_key(Family::UrlKey, account, mailbox);
    TRY(context.rows.scan(prefix, prefix_end(prefix),
                          [&](std::string_view key, std::string_view) -> Result<bool> {
                              keys.emplace_back(key);
                              return true;
                          }));
    for (std::string& key : keys) {
        context.rows.erase(std::move(key));
    }
    return {};
}

/// A \Noselect name becomes a mailbox again. It never held messages, but its number of validity may
/// have been seen: a new one.
Result<MailboxCreated> revive(StampContext& context, StampedAccount& account, MailboxId id,
                              std::string special_use) {
    StampedMailbox& mailbox = *TRY(context.accounts.mailbox(account, id));
    if (mailbox.fixed.is_selectable) {
        return exists_already(mailbox.fixed.name);
    }
    mailbox.fixed.is_selectable = true;
    mailbox.fixed.special_use = std::move(special_use);
    mailbox.fixed.uid_validity = TRY(context.accounts.draw_uid_validity(account, context.now));
    write_mailbox(context, account.id, id, mailbox.fixed);
    const ModSeq drawn = context.accounts.draw_mod_seq(account, mailbox);
    tell_list(context, account.id,
              {.mailbox = id, .kind = LogKind::MailboxChanged, .change = {}, .mod_seq = drawn});
    return MailboxCreated{.mailbox = id, .uid_validity = mailbox.fixed.uid_validity};
}
}  // namespace

Result<StepResult> stamp_step(StampContext& context, const CreateMailbox& step) {
    StampedAccount& account = *TRY(context.accounts.account(step.account));
    const std::string name = TRY(mailbox_name(step.name));
    TRY(check_parent(context, step.account, name));
    const std::optional<MailboxId> known = TRY(find_name(context, step.account, name));
    std::string use = step.special_use;
    if (!use.empty() && TRY(find_use(context, step.account, use))) {
        if (step.must_have_use) {
            return peer_error(ErrorCode::Denied, "another mailbox is " + use + " already");
        }
        use.clear();
    }
    const MailboxCreated created =
        known ? TRY(revive(context, account, *known, std::move(use)))
              : TRY(make_mailbox(context, account, {.name = name, .special_use = std::move(use)}));
    if (step.subscribed) {
        TRY(set_subscription(context, account, name, true));
    }
    return created;
}

namespace {
/// RFC 3501 6.3.5: renaming INBOX moves its messages to a new mailbox and leaves INBOX empty; its
/// inferiors stay.
Result<StepResult> rename_inbox(StampContext& context, StampedAccount& account,
                                const std::string& name) {
    const MailboxCreated created = TRY(make_mailbox(context, account, {.name = name}));
    CopyMessages moved{.account = account.id,
                       .source = kInbox,
                       .target = created.mailbox,
                       .uids = {},
                       .move = true};
    // One more than allowed: then the copy says that it is too large, and the caller moves in
    // pieces.
    moved.uids = TRY(read_uids(context, account.id, kInbox, limits::plan_rows_max + 1));
    TRY(stamp_step(context, moved));
    TRY(copy_annotations(context, account.id, kInbox, created.mailbox));
    return created;
}

Result<> rename_one(StampContext& context, StampedAccount& account, MailboxId id,
                    std::string name) {
    StampedMailbox& mailbox = *TRY(context.accounts.mailbox(account, id));
    context.rows.erase(name_key(Family::MailboxName, account.id, mailbox.fixed.name));
    mailbox.fixed.name = std::move(name);
    write_mailbox(context, account.id, id, mailbox.fixed);
    tell_list(context, account.id,
              {.mailbox = id,
               .kind = LogKind::MailboxChanged,
               .change = {.was_renamed = true},
               .mod_seq = context.accounts.draw_mod_seq(account)});
    return {};
}
}  // namespace

Result<StepResult> stamp_step(StampContext& context, const RenameMailbox& step) {
    StampedAccount& account = *TRY(context.accounts.account(step.account));
    const std::string name = TRY(mailbox_name(step.name));
    const StampedMailbox& mailbox = *TRY(context.accounts.mailbox(account, step.mailbox));
    const std::string before = mailbox.fixed.name;
    if (TRY(find_name(context, step.account, name))) {
        return exists_already(name);
    }
    if (name.starts_with(before + '/') && step.mailbox != kInbox) {
        return peer_error(ErrorCode::Invalid, "a mailbox cannot become its own inferior");
    }
    TRY(check_parent(context, step.account, name));
    if (step.mailbox == kInbox) {
        return rename_inbox(context, account, name);
    }
    const auto below = TRY(inferiors(context, step.account, before, limits::mailboxes_max));
    TRY(rename_one(context, account, step.mailbox, name));
    for (const auto& [inferior, id] : below) {
        TRY(rename_one(context, account, id,
                       TRY(mailbox_name(name + inferior.substr(before.size())))));
    }
    return Done{};
}

Result<StepResult> stamp_step(StampContext& context, const SetSpecialUse& step) {
    StampedAccount& account = *TRY(context.accounts.account(step.account));
    const StampedMailbox& mailbox = *TRY(context.accounts.mailbox(account, step.mailbox));
    if (mailbox.fixed.special_use == step.special_use) {
        return Done{};
    }
    if (!step.special_use.empty()) {
        if (const auto before = TRY(find_use(context, step.account, step.special_use))) {
            TRY(write_use(context, account, *before, {}));
        }
    }
    TRY(write_use(context, account, step.mailbox, step.special_use));
    return Done{};
}

Result<StepResult> stamp_step(StampContext& context, const AdoptUids& step) {
    StampedAccount& account = *TRY(context.accounts.account(step.account));
    StampedMailbox& mailbox = *TRY(context.accounts.selectable(account, step.mailbox));
    MailboxListChanged change;
    if (step.uid_validity && *step.uid_validity != mailbox.fixed.uid_validity) {
        const std::uint32_t wanted = step.uid_validity->value();
        if (wanted == 0 || wanted > adopted_uid_validity_max) {
            return peer_error(ErrorCode::Invalid, "a UIDVALIDITY that is taken over is from 1 to " +
                                                      std::to_string(adopted_uid_validity_max));
        }
        if (mailbox.counters.uid_next != Uid(1)) {
            return peer_error(ErrorCode::Denied,
                              mailbox.fixed.name + " has given UIDs of its own already");
        }
        // What is drawn later must not be equal.
        AccountHead& head = account.head();
        head.last_uid_validity = std::max(head.last_uid_validity, wanted);
        account.numbers.head_moved = true;
        mailbox.fixed.uid_validity = *step.uid_validity;
        change.uid_validity = step.uid_validity;
    }
    if (step.uid_next && *step.uid_next > mailbox.counters.uid_next) {
        mailbox.counters.uid_next = *step.uid_next;
        mailbox.counters_moved = true;
        change.uid_next = step.uid_next;
    }
    if (!change.uid_validity && !change.uid_next) {
        return Done{};
    }
    write_mailbox(context, step.account, step.mailbox, mailbox.fixed);
    tell_list(context, step.account,
              {.mailbox = step.mailbox,
               .kind = LogKind::MailboxChanged,
               .change = change,
               .mod_seq = context.accounts.draw_mod_seq(account, mailbox)});
    return Done{};
}

Result<StepResult> stamp_step(StampContext& context, const DeleteMailbox& step) {
    StampedAccount& account = *TRY(context.accounts.account(step.account));
    if (step.mailbox == kInbox) {
        return peer_error(ErrorCode::Denied, "INBOX cannot be deleted");  // RFC 3501 6.3.4.
    }
    StampedMailbox& mailbox = *TRY(context.accounts.mailbox(account, step.mailbox));
    const std::string name = mailbox.fixed.name;
    const bool has_inferiors = !TRY(inferiors(context, step.account, name, 1)).empty();
    if (has_inferiors && !mailbox.fixed.is_selectable) {
        // RFC 3501 6.3.4: an error for a \Noselect name with inferiors.
        return peer_error(ErrorCode::Denied, "a name with inferiors cannot be deleted");
    }
    AccountHead& head = account.head();
    const MailboxCounters counters = mailbox.counters;
    count_use(account, -static_cast<std::int64_t>(counters.bytes),
              -static_cast<std::int64_t>(counters.messages));
    --head.mailboxes;
    context.rows.erase(mailbox_key(Family::Mailbox, step.account, step.mailbox));
    context.rows.erase(mailbox_key(Family::Counters, step.account, step.mailbox));
    context.rows.erase(name_key(Family::MailboxName, step.account, name));
    context.accounts.remove_mailbox(account, step.mailbox);
    TRY(erase_annotations(context, step.account, step.mailbox));
    TRY(erase_access(context, step.account, step.mailbox));
    TRY(erase_url_keys(context, step.account, step.mailbox));
    tell_list(context, step.account,
              {.mailbox = step.mailbox,
               .kind = LogKind::MailboxDeleted,
               .change = {.was_deleted = true},
               .mod_seq = context.accounts.draw_mod_seq(account)});
    if (has_inferiors) {
        // RFC 3501 6.3.4: the messages go, the name stays as \Noselect. A new id, since the old
        // one's uids must never be seen again.
        TRY(make_mailbox(context, account, {.name = name, .is_selectable = false}));
    }
    const std::size_t removed =
        TRY(purge_mailbox(context, account, step.mailbox, limits::delete_inline_messages_max));
    if (removed >= limits::delete_inline_messages_max) {
        context.rows.put(mailbox_key(Family::Remains, step.account, step.mailbox),
                         encode_nothing());
    }
    return Done{};
}

Result<StepResult> stamp_step(StampContext& context, const SubscribeMailbox& step) {
    StampedAccount& account = *TRY(context.accounts.account(step.account));
    const std::string name = TRY(mailbox_name(step.name));
    TRY(set_subscription(context, account, name, step.subscribed));
    if (const std::optional<MailboxId> id = TRY(find_name(context, step.account, name))) {
        tell_list(context, step.account,
                  {.mailbox = *id,
                   .kind = LogKind::MailboxChanged,
                   .change = {},
                   .mod_seq = context.accounts.draw_mod_seq(account)});
    } else {
        publish(context, step.account, {.mailbox = MailboxId(0), .what = MailboxListChanged{}});
    }
    return Done{};
}

}  // namespace godwit::store
