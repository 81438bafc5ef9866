// Stamps a message that comes in. RFC 9051 6.3.12 (APPEND). RELIABILITY.md I15, I17, P3.
#include "store/commit/stamper_steps.h"
#include "store/kv/key.h"
#include "store/kv/record.h"
#include "store/mailbox/origins.h"

namespace godwit::store {

namespace {
/// The next message gets `uid`.
Result<> skip_to_uid(StampedMailbox& mailbox, Uid uid) {
    Uid& next = mailbox.counters.uid_next;
    if (uid < next) {
        return peer_error(ErrorCode::Denied, "UID " + std::to_string(uid.value()) +
                                                 " is given already, the next is " +
                                                 std::to_string(next.value()));
    }
    next = uid;
    return {};
}

/// Rows that say that an append happened; empty where nothing asks for them.
struct AppendMarks {
    std::string once;
    std::string origin;
};

Result<AppendMarks> append_marks(const AppendMessage& step) {
    AppendMarks marks;
    if (step.once_key != 0) {
        marks.once = once_key(step.mail, step.once_key, step.account);
    }
    if (!step.origin.empty()) {
        if (!is_origin(step.origin)) {
            return internal_error(ErrorCode::Invalid, "an origin has 16 octets");
        }
        marks.origin = name_key(Family::Origin, step.account, step.origin);
    }
    return marks;
}

/// What the append became when it happened before; nullopt: it did not.
Result<std::optional<Appended>> find_appended(const StampContext& context, const AppendMarks& marks,
                                              UidValidity validity) {
    const Appended unknown{.uid_validity = validity,
                           .uid = Uid(1),
                           .email = EmailId(1),
                           .mod_seq = ModSeq(1),
                           .was_duplicate = true};
    if (!marks.once.empty()) {
        if (const std::optional<std::string> seen = TRY(context.rows.get(marks.once))) {
            // That it is there says that the append happened, whatever it became.
            return TRY(if_sound(marks.once, decode_once(*seen))).value_or(unknown);
        }
    }
    if (!marks.origin.empty() && TRY(context.rows.get(marks.origin))) {
        return unknown;
    }
    return std::nullopt;
}

EmailRow email_row(const AppendMessage& step, Uid uid) {
    EmailRow email;
    email.head.blob = step.record.blob;
    email.head.first = {.mailbox = step.mailbox, .uid = uid};
    email.head.reference_hashes = thread_hashes(step.record.reference_hashes);
    email.mail = step.mail;
    email.blob_size = step.record.blob_size;
    email.sent_at = step.record.sent_at;
    email.prefix = step.record.prefix;
    email.summary = step.record.summary;
    return email;
}
}  // namespace

Result<StepResult> stamp_step(StampContext& context, const AppendMessage& step) {
    AccountStates& accounts = context.accounts;
    StampedAccount& account = *TRY(accounts.account(step.account));
    StampedMailbox& mailbox = *TRY(accounts.selectable(account, step.mailbox));
    AppendMarks marks = TRY(append_marks(step));
    if (auto before = TRY(find_appended(context, marks, mailbox.fixed.uid_validity))) {
        return *before;
    }
    MessageRow row;
    row.size = step.record.prefix.size() + step.record.blob_size;
    TRY(check_quota(account, {.bytes = row.size, .messages = 1}));
    if (!TRY(is_body_there(context, step.record.blob))) {
        return temporary_error(ErrorCode::Stale, "the message's body is neither given nor stored");
    }
    // Delivered mail must not bounce because a client filled the dictionary, nor a move fail.
    row.flags =
        TRY(intern_flags(context, account, step.mailbox, step.flags,
                         step.mail.value() != 0 || !step.origin.empty() ? FullDictionary::LeaveOut
                                                                        : FullDictionary::Refuse));
    if (step.uid) {
        TRY(skip_to_uid(mailbox, *step.uid));
    }
    row.uid = TRY(accounts.draw_uid(mailbox));
    const bool is_seen_by_visitor =
        is_visitor(step.account, step.user) && row.flags.has(SystemFlag::Seen);
    if (is_seen_by_visitor) {
        row.flags = masked({}, row.flags, {.seen = true, .deleted = false, .others = false});
        TRY(mark_seen(context, step.account, step.mailbox, step.user, {row.uid}));
    }
    row.email = TRY(accounts.draw_email(account));
    row.mod_seq = accounts.draw_mod_seq(account, mailbox);
    row.internal_date = step.internal_date;
    row.saved_at = unix_seconds(context.now);
    EmailRow email = email_row(step, row.uid);
    email.head.unique_id = TRY(free_unique_id(context, account, step.unique_id));
    row.thread = TRY(add_email(context, step.account, row.email, std::move(email), std::nullopt));
    context.rows.put(message_key(step.account, step.mailbox, row.uid), encode(row));
    count_in(account, mailbox, row);
    write_log(context, step.account,
              {.mod_seq = row.mod_seq,
               .kind = LogKind::Appended,
               .mailbox = step.mailbox,
               .uids = {row.uid},
               .emails = {row.email}});
    const Appended appended{.uid_validity = mailbox.fixed.uid_validity,
                            .uid = row.uid,
                            .email = row.email,
                            .mod_seq = row.mod_seq};
    if (!marks.once.empty()) {
        context.has_once_keys = true;
        context.rows.put(std::move(marks.once), encode(appended));
    }
    if (!marks.origin.empty()) {
        context.rows.put(std::move(marks.origin), encode_nothing());
    }
    publish(context, step.account, {.mailbox = step.mailbox, .what = MessagesAppended{{row}}});
    if (is_seen_by_visitor) {
        publish(context, step.account,
                {.mailbox = step.mailbox,
                 .what = SeenChanged{.user = step.user, .uids = {row.uid}, .is_seen = true}});
    }
    return appended;
}

}  // namespace godwit::store
