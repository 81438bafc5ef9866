#include "store/backup/restored_rows.h"

#include <algorithm>

#include "base/bytes.h"
#include "store/backup/restore_whole.h"
#include "store/directory/schema.h"
#include "store/kv/meta.h"
#include "store/mailbox/schema.h"
#include "store/queue/queue.h"

namespace godwit::store {
namespace {

/// A counter that is so high already stays: better some ids twice than none any more.
std::uint32_t skip(std::uint32_t next, std::uint32_t gap) {
    return next > UINT32_MAX - gap ? next : next + gap;
}

AccountId account_in(std::string_view key) {
    ByteReader in(key.substr(std::min<std::size_t>(key.size(), 1)));
    return AccountId(in.u32());
}

Result<std::string> restored_head(AccountHead head) {
    head.next_email = skip(head.next_email, restore_uid_gap);
    head.next_mailbox = skip(head.next_mailbox, restore_mailbox_gap);
    head.mod_seq += restore_mod_seq_gap;
    // The change log is not restored: whoever asks for changes gets everything.
    head.oldest_log = head.mod_seq + 1;
    return encode(head);
}

}  // namespace

std::optional<std::string> RestoredRows::restored(std::string_view key, std::string_view value) {
    const char letter = key.front();
    // The search index is made anew from what is restored.
    if (letter == static_cast<char>(Family::ChangeLog) || key == format_key() ||
        letter == static_cast<char>(Family::SearchIndex) ||
        (letter == static_cast<char>(Family::Due) && !how_.release_queue)) {
        return std::nullopt;
    }
    auto row = changed(key, value);
    if (!row) {
        ++damaged_;
        return std::string(value);
    }
    return *std::move(row);
}

std::optional<ModSeq> RestoredRows::mod_seq_of(std::string_view key) const {
    const auto found = mod_seqs_.find(account_in(key));
    return found == mod_seqs_.end() ? std::nullopt : std::optional(found->second);
}

Result<std::string> RestoredRows::changed(std::string_view key, std::string_view value) {
    if (key == mail_id_reservation_key()) {
        return encode_mail_id_reservation(TRY(decode_mail_id_reservation(value)) +
                                          restore_mail_id_gap);
    }
    if (key == next_account_key()) {
        const std::uint64_t next = TRY(decode_number(value, "next account"));
        return encode_number(next > UINT32_MAX - restore_mailbox_gap ? next
                                                                     : next + restore_mailbox_gap);
    }
    switch (static_cast<Family>(key.front())) {
        case Family::AccountHead: {
            const AccountHead head = TRY(decode_head(value));
            mod_seqs_[account_in(key)] = ModSeq(head.mod_seq + restore_mod_seq_gap);
            return restored_head(head);
        }
        case Family::Counters: {
            MailboxCounters counters = TRY(decode_counters(value));
            counters.uid_next = Uid(skip(counters.uid_next.value(), restore_uid_gap));
            counters.highest_mod_seq = mod_seq_of(key).value_or(counters.highest_mod_seq);
            return encode(counters);
        }
        case Family::Message: {
            MessageRow row = TRY(decode_row(Uid(key_tail_u32(key)), value));
            row.mod_seq = mod_seq_of(key).value_or(row.mod_seq);
            return encode(row);
        }
        case Family::QueueMessage: {
            QueueMessage message = TRY(decode_queue_message(value));
            if (!how_.release_queue) {
                message.expires_at = std::max(message.expires_at, how_.now + restore_queue_keep);
            }
            return encode(message);
        }
        case Family::QueueDelivery: {
            QueueDelivery delivery = TRY(decode_queue_delivery(value));
            if (!how_.release_queue && !delivery.is_held) {
                delivery.is_held = true;
                delivery.held_reason = "restored from backup";
                ++held_;
            }
            return encode(delivery);
        }
        default: return std::string(value);
    }
}

}  // namespace godwit::store
