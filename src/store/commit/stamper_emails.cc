// Emails, their bodies' links and their threads, as the stamper writes them.
// RELIABILITY.md I19 (links), I22 (threads).
#include <algorithm>

#include "base/limits.h"
#include "store/commit/stamper_steps.h"
#include "store/kv/key.h"
#include "store/kv/record.h"
#include "store/mailbox/unique_ids.h"

namespace godwit::store {

Result<bool> is_body_there(const StampContext& context, const BlobId& blob) {
    const bool is_carried = std::ranges::any_of(
        context.plan->bodies, [&blob](const NewBody& body) { return body.id == blob; });
    if (is_carried) {
        return true;
    }
    return context.rows.has_any(link_prefix(blob));
}

void link_body(StampContext& context, const BlobId& blob, std::string key) {
    context.rows.put(std::move(key), encode_nothing());
    context.linked.push_back(blob);
}

void unlink_body(StampContext& context, const BlobId& blob, std::string key) {
    context.rows.erase(std::move(key));
    context.unlinked.push_back(blob);
}

std::vector<std::uint64_t> thread_hashes(const std::vector<std::uint64_t>& hashes) {
    // The own Message-ID and the thread's root stand in front; the nearest ancestors last.
    constexpr std::size_t kFront = 3;
    std::vector<std::uint64_t> chosen;
    const auto take = [&chosen](std::uint64_t hash) {
        if (std::ranges::find(chosen, hash) == chosen.end()) {
            chosen.push_back(hash);
        }
    };
    const std::size_t front = std::min(hashes.size(), kFront);
    for (std::size_t i = 0; i < front; ++i) {
        take(hashes[i]);
    }
    const std::size_t rest = limits::thread_references_max - kFront;
    for (std::size_t i = std::max(front, hashes.size() - std::min(hashes.size(), rest));
         i < hashes.size(); ++i) {
        take(hashes[i]);
    }
    return chosen;
}

namespace {
/// Finds the thread that the first known reference leads to, and counts the email in at each.
Result<ThreadId> join_thread(StampContext& context, AccountId account, EmailId email,
                             const std::vector<std::uint64_t>& hashes,
                             std::optional<ThreadId> thread) {
    std::vector<std::optional<ThreadReference>> known;
    known.reserve(hashes.size());
    for (const std::uint64_t hash : hashes) {
        const std::optional<std::string> row =
            TRY(context.rows.get(thread_reference_key(account, hash)));
        std::optional<ThreadReference> reference;
        if (row) {
            // Mail must not be refused because a row that only groups it is damaged.
            reference =
                TRY(if_sound(thread_reference_key(account, hash), decode_thread_reference(*row)));
        }
        if (reference) {
            thread = thread ? thread : reference->thread;
        }
        known.push_back(reference);
    }
    const ThreadId joined = thread.value_or(ThreadId(email.value()));
    for (std::size_t i = 0; i < hashes.size(); ++i) {
        ThreadReference reference = known[i].value_or(ThreadReference{.thread = joined});
        ++reference.emails;
        context.rows.put(thread_reference_key(account, hashes[i]), encode(reference));
    }
    if (joined.value() != email.value()) {
        context.rows.put(thread_member_key(account, joined, email), encode_nothing());
    }
    return joined;
}

Result<> leave_thread(StampContext& context, AccountId account, EmailId email,
                      const EmailHead& head) {
    for (const std::uint64_t hash : head.reference_hashes) {
        const std::string key = thread_reference_key(account, hash);
        const std::optional<std::string> row = TRY(context.rows.get(key));
        auto reference = row ? TRY(if_sound(key, decode_thread_reference(*row)))
                             : std::optional<ThreadReference>();
        if (!reference) {
            continue;  // Missing or damaged: left to a repair, which counts anew.
        }
        if (reference->emails <= 1) {
            context.rows.erase(key);
            continue;
        }
        --reference->emails;
        context.rows.put(key, encode(*reference));
    }
    if (head.thread.value() != email.value()) {
        context.rows.erase(thread_member_key(account, head.thread, email));
    }
    return {};
}

Result<EmailHead> read_email_head(const StampContext& context, AccountId account, EmailId email) {
    const std::optional<std::string> row =
        TRY(context.rows.get(email_key(Family::Email, account, email)));
    if (!row) {
        return internal_error(ErrorCode::Corrupt,
                              "email " + std::to_string(email.value()) + " has no row");
    }
    return decode_email_head(*row);
}
}  // namespace

Result<ThreadId> add_email(StampContext& context, AccountId account, EmailId email, EmailRow row,
                           std::optional<ThreadId> thread) {
    row.head.thread = TRY(join_thread(context, account, email, row.head.reference_hashes, thread));
    link_body(context, row.head.blob, link_key(row.head.blob, account, email));
    context.rows.put(email_key(Family::Email, account, email), encode(row));
    if (!row.head.unique_id.empty()) {
        context.rows.put(name_key(Family::UniqueId, account, row.head.unique_id),
                         encode_number(email.value()));
    }
    return row.head.thread;
}

Result<std::string> free_unique_id(StampContext& context, StampedAccount& account,
                                   std::string_view text) {
    if (text.empty()) {
        return std::string();
    }
    if (!is_unique_id(text)) {
        return internal_error(ErrorCode::Invalid, "a unique id has 1 to 70 octets of 0x21 to 0x7E");
    }
    const StampedMailbox& inbox = *TRY(context.accounts.mailbox(account, kInbox));
    const bool is_taken =
        may_be_given(text, inbox.fixed.uid_validity) ||
        TRY(context.rows.get(name_key(Family::UniqueId, account.id, text))).has_value();
    return is_taken ? std::string() : std::string(text);
}

Result<std::vector<EmailPlace>> read_places(const StampContext& context, AccountId account,
                                            EmailId email) {
    const std::optional<std::string> row =
        TRY(context.rows.get(email_key(Family::Membership, account, email)));
    if (row) {
        return decode_places(*row);
    }
    const EmailHead head = TRY(read_email_head(context, account, email));
    return std::vector<EmailPlace>{head.first};
}

void write_places(StampContext& context, AccountId account, EmailId email,
                  const std::vector<EmailPlace>& places) {
    context.rows.put(email_key(Family::Membership, account, email), encode(places));
}

Result<> remove_place(StampContext& context, AccountId account, EmailId email, EmailPlace place) {
    const std::string membership = email_key(Family::Membership, account, email);
    const std::optional<std::string> row = TRY(context.rows.get(membership));
    if (row) {
        std::optional<std::vector<EmailPlace>> places =
            TRY(if_sound(membership, decode_places(*row)));
        if (!places) {
            return {};  // Where else the email is only a repair finds out.
        }
        std::erase(*places, place);
        if (!places->empty()) {
            context.rows.put(membership, encode(*places));
            return {};
        }
        context.rows.erase(membership);
    }
    // A message whose email's row is damaged or missing can still be deleted; a repair clears up
    // its link and its thread.
    const auto head = TRY(if_sound(email_key(Family::Email, account, email),
                                   read_email_head(context, account, email)));
    if (head) {
        TRY(leave_thread(context, account, email, *head));
        unlink_body(context, head->blob, link_key(head->blob, account, email));
        if (!head->unique_id.empty()) {
            context.rows.erase(name_key(Family::UniqueId, account, head->unique_id));
        }
    }
    context.rows.erase(email_key(Family::Email, account, email));
    return {};
}

}  // namespace godwit::store
