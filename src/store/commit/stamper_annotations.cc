// Stamps the annotations of mailboxes. RFC 5464 4.1, 4.3.
#include "base/bytes.h"
#include "store/commit/stamper_steps.h"
#include "store/kv/key.h"

namespace godwit::store {

namespace {

struct Held {
    std::size_t count = 0;
    std::size_t size = 0;
};

std::size_t size_of(std::string_view key, std::string_view value) {
    return key.size() + value.size();
}

// Whose an annotation is: 0 where it is shared.
AccountId user_of(std::string_view key) {
    constexpr std::size_t kUserEnds = 13;  // Behind family, account and mailbox.
    return AccountId(key_tail_u32(key.substr(0, kUserEnds)));
}

// Of a visitor's entries, or of all that are no visitor's: bounded by what this lets in.
Result<Held> held_by(const StampContext& context, AccountId account, AccountId user) {
    Held held;
    const std::string prefix = account_prefix(Family::Annotation, account);
    TRY(context.rows.scan(prefix, prefix_end(prefix),
                          [&](std::string_view key, std::string_view value) -> Result<bool> {
                              const AccountId whose = user_of(key);
                              const bool is_counted = is_visitor(account, user)
                                                          ? whose == user
                                                          : !is_visitor(account, whose);
                              held.count += is_counted ? 1 : 0;
                              held.size += is_counted ? size_of(key, value) : 0;
                              return true;
                          }));
    return held;
}

Result<> check_bounds(const StampContext& context, AccountId account, AccountId user) {
    const Held held = TRY(held_by(context, account, user));
    if (is_visitor(account, user) &&
        (held.count > annotations_of_visitor_max || held.size > annotations_of_visitor_size_max)) {
        return peer_error(ErrorCode::LimitExceeded, "a visitor has at most " +
                                                        std::to_string(annotations_of_visitor_max) +
                                                        " annotations of his own in an account");
    }
    if (is_visitor(account, user)) {
        return {};
    }
    if (held.count > annotations_max || held.size > annotations_size_max) {
        return peer_error(ErrorCode::LimitExceeded,
                          "an account has at most " + std::to_string(annotations_max) +
                              " annotations of " + std::to_string(annotations_size_max) +
                              " octets together");
    }
    return {};
}

Result<std::vector<std::pair<std::string, std::string>>> rows_of(const StampContext& context,
                                                                 AccountId account,
                                                                 MailboxId mailbox) {
    std::vector<std::pair<std::string, std::string>> rows;
    const std::string prefix = annotation_prefix(account, mailbox);
    TRY(context.rows.scan(prefix, prefix_end(prefix),
                          [&](std::string_view key, std::string_view value) -> Result<bool> {
                              rows.emplace_back(key, value);
                              return true;
                          }));
    return rows;
}

// RFC 7162 3.2: an annotation that changes moves its mailbox's mod-sequence on. Views hear of it as
// of an expunge that took nothing.
void tell_moved_on(StampContext& context, StampedAccount& account, MailboxId id,
                   StampedMailbox& mailbox) {
    const ModSeq drawn = context.accounts.draw_mod_seq(account, mailbox);
    write_log(context, account.id,
              {.mod_seq = drawn, .kind = LogKind::MailboxChanged, .mailbox = id});
    publish(context, account.id,
            {.mailbox = id, .what = MessagesExpunged{.uids = {}, .mod_seq = drawn}});
}

}  // namespace

Result<StepResult> stamp_step(StampContext& context, const SetAnnotations& step) {
    StampedAccount& account = *TRY(context.accounts.account(step.account));
    StampedMailbox* mailbox = nullptr;
    if (step.mailbox != MailboxId(0)) {
        mailbox = TRY(context.accounts.mailbox(account, step.mailbox));
    }
    bool has_grown = false;
    AnnotationsChanged changed{.user = step.user, .entries = {}};
    for (const SetAnnotations::Entry& entry : step.entries) {
        std::string key = annotation_key(step.account, step.mailbox, step.user, entry.name);
        if (entry.value) {
            context.rows.put(std::move(key), encode_annotation(*entry.value));
            has_grown = true;
            changed.entries.push_back(entry.name);
        } else if (TRY(context.rows.get(key))) {
            context.rows.erase(std::move(key));
            changed.entries.push_back(entry.name);
        }
    }
    if (has_grown) {
        TRY(check_bounds(context, step.account, step.user));
        if (is_visitor(step.account, step.user)) {
            TRY(know_visitor(context, step.account, step.mailbox, step.user));
        }
    }
    if (changed.entries.empty()) {
        return Done{};
    }
    if (mailbox != nullptr) {
        tell_moved_on(context, account, step.mailbox, *mailbox);
    }
    publish(context, step.account, {.mailbox = step.mailbox, .what = std::move(changed)});
    return Done{};
}

Result<> erase_annotations(StampContext& context, AccountId account, MailboxId mailbox) {
    for (auto& [key, value] : TRY(rows_of(context, account, mailbox))) {
        context.rows.erase(std::move(key));
    }
    return {};
}

Result<> copy_annotations(StampContext& context, AccountId account, MailboxId from, MailboxId to) {
    const std::size_t prefix = annotation_prefix(account, from).size();
    for (const auto& [key, value] : TRY(rows_of(context, account, from))) {
        if (is_visitor(account, user_of(key))) {
            continue;  // Nothing would lead to it when he goes: he is not known there.
        }
        context.rows.put(annotation_prefix(account, to) + key.substr(prefix), value);
    }
    // Past the bounds the copies would be refused one by one: the rename is, as a whole.
    return check_bounds(context, account, AccountId(0));
}

}  // namespace godwit::store
