// Stamps who may do what with mailboxes of others, and what each of them has seen there.
// RFC 4314 3.1, 3.2, 4. Rows: mailbox/access.h.
#include <algorithm>
#include <limits>

#include "store/commit/stamper_steps.h"
#include "store/directory/schema.h"
#include "store/kv/key.h"
#include "store/kv/record.h"

namespace godwit::store {

namespace {

struct HeldAccess {
    AccountId grantee;
    AccessRow row;
};

// Damaged rows are passed over, and stay.
Result<std::vector<HeldAccess>> rows_of(const StampContext& context, AccountId account,
                                        MailboxId mailbox) {
    std::vector<HeldAccess> rows;
    const std::string prefix = access_prefix(account, mailbox);
    TRY(context.rows.scan(prefix, prefix_end(prefix),
                          [&](std::string_view key, std::string_view value) -> Result<bool> {
                              if (auto row = TRY(if_sound(key, decode_access(value)))) {
                                  rows.push_back({.grantee = AccountId(key_tail_u32(key)),
                                                  .row = *std::move(row)});
                              }
                              return true;
                          }));
    return rows;
}

void write_access(StampContext& context, Grant grant, AccountId grantee, const AccessRow& row) {
    context.rows.put(access_key(grant.owner, grant.mailbox, grantee), encode(row));
    context.rows.put(grant_key(grantee, row.domain, grant), encode_nothing());
}

void erase_entry(StampContext& context, Grant grant, AccountId grantee, std::string_view domain) {
    context.rows.erase(access_key(grant.owner, grant.mailbox, grantee));
    context.rows.erase(grant_key(grantee, domain, grant));
}

Result<std::string> domain_of_owner(const StampContext& context, AccountId account) {
    const std::optional<std::string> row = TRY(context.rows.get(account_row_key(account)));
    if (!row) {
        return peer_error(ErrorCode::NotFound, "no such account");
    }
    return std::string(domain_of(TRY(decode_account(*row)).name));
}

// RFC 7162 3.2, as for annotations: the mailbox has moved on, and no message with it.
void tell_access(StampContext& context, StampedAccount& account, MailboxId id,
                 StampedMailbox& mailbox) {
    const ModSeq drawn = context.accounts.draw_mod_seq(account, mailbox);
    write_log(context, account.id,
              {.mod_seq = drawn, .kind = LogKind::MailboxChanged, .mailbox = id});
    publish(context, account.id,
            {.mailbox = id, .what = MessagesExpunged{.uids = {}, .mod_seq = drawn}});
    publish(context, account.id, {.mailbox = id, .what = AccessChanged{}});
}

Result<std::vector<std::string>> keys_below(const StampContext& context, const std::string& prefix,
                                            std::size_t count) {
    std::vector<std::string> keys;
    if (count == 0) {
        return keys;
    }
    TRY(context.rows.scan(prefix, prefix_end(prefix),
                          [&](std::string_view key, std::string_view) -> Result<bool> {
                              keys.emplace_back(key);
                              return keys.size() < count;
                          }));
    return keys;
}

Result<std::size_t> erase_below(StampContext& context, const std::string& prefix,
                                std::size_t count) {
    std::vector<std::string> keys = TRY(keys_below(context, prefix, count));
    for (std::string& key : keys) {
        context.rows.erase(std::move(key));
    }
    return keys.size();
}

// A visitor's rows among those of all who have seen anything of the mailbox.
Result<std::size_t> erase_seen_by(StampContext& context, Grant grant, AccountId user,
                                  std::size_t count) {
    std::vector<std::string> keys;
    if (count == 0) {
        return 0;
    }
    const std::string prefix = seen_prefix(grant.owner, grant.mailbox);
    TRY(context.rows.scan(prefix, prefix_end(prefix),
                          [&](std::string_view key, std::string_view) -> Result<bool> {
                              if (key_tail_u32(key) == user.value()) {
                                  keys.emplace_back(key);
                              }
                              return keys.size() < count;
                          }));
    for (std::string& key : keys) {
        context.rows.erase(std::move(key));
    }
    return keys.size();
}

Result<> count_seen(StampContext& context, Grant grant, AccountId user, std::int64_t added) {
    std::string key = seen_count_key(grant.owner, grant.mailbox, user);
    const std::optional<std::string> row = TRY(context.rows.get(key));
    const std::uint64_t before =
        row ? TRY(if_sound(key, decode_number(*row, "seen"))).value_or(0) : 0;
    const std::int64_t after = std::max<std::int64_t>(0, static_cast<std::int64_t>(before) + added);
    context.rows.put(std::move(key), encode_number(static_cast<std::uint64_t>(after)));
    return {};
}

}  // namespace

Result<StepResult> stamp_step(StampContext& context, const SetAccess& step) {
    StampedAccount& account = *TRY(context.accounts.account(step.account));
    StampedMailbox& mailbox = *TRY(context.accounts.mailbox(account, step.mailbox));
    if (step.grantee == step.account) {
        return peer_error(ErrorCode::Denied, "the owner of a mailbox may always do everything");
    }
    if (step.grantee != kAnyone) {
        TRY(context.accounts.account(step.grantee));
    }
    std::vector<HeldAccess> held = TRY(rows_of(context, step.account, step.mailbox));
    const auto known = std::ranges::find(held, step.grantee, &HeldAccess::grantee);
    const Rights before = known == held.end() ? Rights() : known->row.rights;
    if (before == step.rights) {
        return Done{};
    }
    if (before.is_empty()) {
        const auto entries = std::ranges::count_if(
            held, [](const HeldAccess& one) { return !one.row.rights.is_empty(); });
        if (static_cast<std::size_t>(entries) >= access_entries_max) {
            return peer_error(ErrorCode::LimitExceeded, "an access control list has at most " +
                                                            std::to_string(access_entries_max) +
                                                            " entries");
        }
    }
    const Grant grant{.owner = step.account, .mailbox = step.mailbox};
    AccessRow row{.rights = step.rights, .domain = {}};
    if (step.grantee == kAnyone) {
        row.domain = TRY(domain_of_owner(context, step.account));
    }
    if (step.rights.is_empty() && step.grantee == kAnyone) {
        erase_entry(context, grant, kAnyone, row.domain);
    } else {
        write_access(context, grant, step.grantee, row);
    }
    tell_access(context, account, step.mailbox, mailbox);
    return Done{};
}

Result<> copy_access(StampContext& context, AccountId account, MailboxId from, MailboxId to) {
    for (const HeldAccess& held : TRY(rows_of(context, account, from))) {
        if (!held.row.rights.is_empty()) {
            write_access(context, {.owner = account, .mailbox = to}, held.grantee, held.row);
        }
    }
    return {};
}

Result<> erase_access(StampContext& context, AccountId account, MailboxId mailbox) {
    for (const HeldAccess& held : TRY(rows_of(context, account, mailbox))) {
        erase_entry(context, {.owner = account, .mailbox = mailbox}, held.grantee, held.row.domain);
    }
    return {};
}

Result<std::size_t> erase_seen(StampContext& context, AccountId account, MailboxId mailbox,
                               std::size_t count) {
    return erase_below(context, seen_prefix(account, mailbox), count);
}

Result<std::size_t> erase_grants(StampContext& context, AccountId account, std::size_t count) {
    std::size_t erased = 0;
    const std::string own = account_prefix(Family::Access, account);
    for (const std::string& key : TRY(keys_below(context, own, count))) {
        const MailboxId mailbox(key_tail_u32(std::string_view(key).substr(0, key.size() - 4)));
        const AccountId grantee(key_tail_u32(key));
        const std::optional<std::string> value = TRY(context.rows.get(key));
        const auto row = value ? TRY(if_sound(key, decode_access(*value))) : std::nullopt;
        erase_entry(context, {.owner = account, .mailbox = mailbox}, grantee,
                    row ? row->domain : "");
        ++erased;
    }
    erased += TRY(erase_below(context, account_prefix(Family::SeenBy, account), count - erased));
    const std::string elsewhere = grant_prefix(account, {});
    for (const std::string& key : TRY(keys_below(context, elsewhere, count - erased))) {
        if (erased == count) {
            break;
        }
        if (const auto grant = parse_grant_key(key, elsewhere)) {
            erased += TRY(erase_seen_by(context, *grant, account, count - erased));
            erased +=
                TRY(erase_below(context, annotation_key(grant->owner, grant->mailbox, account, {}),
                                count - erased));
            if (erased == count) {
                break;  // The row that leads there stays for the next step.
            }
            context.rows.erase(access_key(grant->owner, grant->mailbox, account));
        }
        context.rows.erase(key);
        ++erased;
    }
    return erased;
}

Result<> forget_seen(StampContext& context, AccountId account, MailboxId mailbox,
                     const std::vector<Uid>& uids) {
    // Nearly no mailbox has visitors: one look at most.
    if (uids.empty() || !TRY(context.rows.has_any(seen_prefix(account, mailbox)))) {
        return {};
    }
    for (auto at = uids.begin(); at != uids.end();) {
        const std::uint32_t number = SeenChunk::number_of(*at);
        const auto end = std::ranges::find_if(
            at, uids.end(), [number](Uid uid) { return SeenChunk::number_of(uid) != number; });
        const std::string prefix = seen_prefix(account, mailbox, number);
        for (const std::string& key :
             TRY(keys_below(context, prefix, std::numeric_limits<std::size_t>::max()))) {
            const AccountId user(key_tail_u32(key));
            StampedSeen seen(context, account, mailbox, user);
            for (auto uid = at; uid != end; ++uid) {
                TRY(seen.set(*uid, false));
            }
            TRY(seen.finish());
        }
        at = end;
    }
    return {};
}

Result<> know_visitor(StampContext& context, AccountId account, MailboxId mailbox, AccountId user) {
    if (!TRY(context.rows.get(access_key(account, mailbox, user)))) {
        write_access(context, {.owner = account, .mailbox = mailbox}, user, {});
    }
    return {};
}

Result<SeenChunk*> StampedSeen::chunk_of(Uid uid) {
    const std::uint32_t number = SeenChunk::number_of(uid);
    if (const auto found = chunks_.find(number); found != chunks_.end()) {
        return &found->second;
    }
    const std::string key = seen_key(account_, mailbox_, number, user_);
    const std::optional<std::string> row = TRY(context_.rows.get(key));
    SeenChunk chunk;
    if (row) {
        chunk = TRY(if_sound(key, SeenChunk::decode(*row))).value_or(SeenChunk());
    }
    return &chunks_.emplace(number, std::move(chunk)).first->second;
}

Result<bool> StampedSeen::has(Uid uid) {
    return TRY(chunk_of(uid))->has(uid);
}

Result<bool> StampedSeen::set(Uid uid, bool is_seen) {
    SeenChunk& chunk = *TRY(chunk_of(uid));
    if (chunk.has(uid) == is_seen) {
        return false;
    }
    chunk.set(uid, is_seen);
    added_ += is_seen ? 1 : -1;
    has_changed_ = true;
    return true;
}

Result<> StampedSeen::finish() {
    if (!has_changed_) {
        return {};
    }
    for (const auto& [number, chunk] : chunks_) {
        std::string key = seen_key(account_, mailbox_, number, user_);
        if (chunk.is_empty()) {
            context_.rows.erase(std::move(key));
        } else {
            context_.rows.put(std::move(key), chunk.encode());
        }
    }
    TRY(know_visitor(context_, account_, mailbox_, user_));
    return count_seen(context_, {.owner = account_, .mailbox = mailbox_}, user_, added_);
}

}  // namespace godwit::store
