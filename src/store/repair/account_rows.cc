// What is left of an account: its rows read, damaged ones noted.
#include "store/repair/account.h"

#include "mail/message/summary.h"
#include "store/mailbox/unique_ids.h"

namespace godwit::store {

Result<> AccountRepair::load_removals() {
    return work_->each(account_prefix(Family::Remains, account_),
                       [this](std::string_view key, std::string_view) -> Result<> {
                           is_removed_ = is_removed_ || key_tail_u32(key) == 0;
                           leaving_.insert(key_tail_u32(key));
                           return {};
                       });
}

Result<> AccountRepair::load_head() {
    const auto row = TRY(work_->get(account_prefix(Family::AccountHead, account_)));
    if (row) {
        if (const auto head = decode_head(*row)) {
            head_ = *head;
            has_head_ = true;
        }
    }
    return {};
}

Result<> AccountRepair::load_mailboxes() {
    TRY(work_->each(account_prefix(Family::Mailbox, account_),
                    [this](std::string_view key, std::string_view value) -> Result<> {
                        FoundMailbox& mailbox = mailboxes_[MailboxId(second_of(key))];
                        if (auto fixed = decode_fixed(value)) {
                            mailbox.fixed = *std::move(fixed);
                        }
                        return {};
                    }));
    TRY(work_->each(account_prefix(Family::Counters, account_),
                    [this](std::string_view key, std::string_view value) -> Result<> {
                        FoundMailbox& mailbox = mailboxes_[MailboxId(second_of(key))];
                        if (const auto counters = decode_counters(value)) {
                            mailbox.counters = *counters;
                        }
                        return {};
                    }));
    return work_->each(account_prefix(Family::MailboxName, account_),
                       [this](std::string_view key, std::string_view value) -> Result<> {
                           const auto number = decode_number(value, "mailbox name");
                           if (number && *number <= UINT32_MAX && *number != 0 &&
                               !leaving_.contains(static_cast<std::uint32_t>(*number))) {
                               const MailboxId id(static_cast<std::uint32_t>(*number));
                               names_[std::string(key.substr(5))] = id;
                               mailboxes_[id];
                           }
                           return {};
                       });
}

Result<> AccountRepair::load_messages() {
    return work_->each(account_prefix(Family::Message, account_),
                       [this](std::string_view key, std::string_view value) -> Result<> {
                           const MailboxId mailbox(second_of(key));
                           const Uid uid(key_tail_u32(key));
                           if (!is_leaving(mailbox)) {
                               FoundMailbox& found = mailboxes_[mailbox];
                               found.last_uid = std::max(found.last_uid, uid.value());
                           }
                           const auto row = decode_row(uid, value);
                           if (!row) {
                               damaged_messages_.push_back({mailbox, uid});
                               return {};
                           }
                           for (std::size_t i = 0; i < KeywordSet::kCapacity; ++i) {
                               if (row->flags.keywords.has(static_cast<std::uint8_t>(i))) {
                                   last_keyword_ = std::max(last_keyword_, static_cast<int>(i));
                               }
                           }
                           note_email(row->email.value());
                           head_.mod_seq = std::max(head_.mod_seq, row->mod_seq.value());
                           messages_[row->email].push_back({.mailbox = mailbox, .row = *row});
                           taken_.insert({mailbox, uid});
                           all_.insert(row->email);
                           return {};
                       });
}

// Every mod-sequence drawn has its row until the log is trimmed: behind the last gap it is whole.
Result<> AccountRepair::load_log() {
    std::uint64_t expected = std::max<std::uint64_t>(head_.oldest_log, 2);
    const std::uint64_t start = expected;
    bool is_first = true;
    TRY(work_->each(account_prefix(Family::ChangeLog, account_),
                    [&](std::string_view key, std::string_view value) -> Result<> {
                        const std::uint64_t mod_seq = key_tail_u64(key);
                        const auto row = decode_log(ModSeq(mod_seq), value);
                        if (!row) {
                            return work_->erase(std::string(key), "damaged rows of change logs");
                        }
                        if (mod_seq < expected) {
                            return {};
                        }
                        if (mod_seq != expected || (is_first && !has_head_ && mod_seq != start)) {
                            log_begins_ = mod_seq;
                        }
                        is_first = false;
                        expected = mod_seq + 1;
                        for (const EmailId email : row->emails) {
                            note_email(email.value());
                        }
                        const auto mailbox = mailboxes_.find(row->mailbox);
                        if (mailbox != mailboxes_.end()) {
                            mailbox->second.last_change =
                                std::max(mailbox->second.last_change, ModSeq(mod_seq));
                            for (const Uid uid : row->uids) {
                                mailbox->second.last_uid =
                                    std::max(mailbox->second.last_uid, uid.value());
                            }
                        }
                        return {};
                    }));
    for (const auto& [id, mailbox] : mailboxes_) {
        head_.mod_seq =
            std::max(head_.mod_seq, mailbox.counters ? mailbox.counters->highest_mod_seq.value()
                                                     : std::uint64_t{0});
    }
    head_.mod_seq = std::max(head_.mod_seq, expected - 1);
    if (head_.mod_seq >= expected) {
        log_begins_ = head_.mod_seq + 1;
    }
    return {};
}

Result<> AccountRepair::load_emails() {
    return work_->each(account_prefix(Family::Email, account_),
                       [this](std::string_view key, std::string_view value) -> Result<> {
                           const EmailId email(second_of(key));
                           note_email(email.value());
                           all_.insert(email);
                           FoundEmail& found = emails_[email];
                           auto row = decode_email(value);
                           if (!row) {
                               return {};
                           }
                           found.is_sound = true;
                           found.size = row->prefix.size() + row->blob_size;
                           found.sent_at = row->sent_at;
                           if (const auto summary = mail::MessageSummary::decode(row->summary)) {
                               found.message_id = summary->message_id();
                           }
                           found.head = std::move(row->head);
                           return {};
                       });
}

Result<> AccountRepair::load_unique_ids() {
    return work_->each(account_prefix(Family::UniqueId, account_),
                       [this](std::string_view key, std::string_view value) -> Result<> {
                           const auto number = decode_number(value, "unique id");
                           const std::string_view text =
                               key.substr(std::min<std::size_t>(key.size(), 5));
                           if (number && *number <= UINT32_MAX && is_unique_id(text)) {
                               unique_ids_[EmailId(static_cast<std::uint32_t>(*number))] = text;
                           }
                           return {};
                       });
}

// What POP3 calls an email follows from its record.
Result<> AccountRepair::settle_unique_ids() {
    std::map<std::string, EmailId> wanted;
    for (const auto& [email, found] : emails_) {
        if (found.is_sound && !found.head.unique_id.empty()) {
            wanted.emplace(found.head.unique_id, email);
        }
    }
    TRY(work_->each(account_prefix(Family::UniqueId, account_),
                    [&](std::string_view key, std::string_view value) -> Result<> {
                        const auto number = decode_number(value, "unique id");
                        const auto known = wanted.find(
                            std::string(key.substr(std::min<std::size_t>(key.size(), 5))));
                        const bool is_right =
                            number && known != wanted.end() && *number == known->second.value();
                        if (is_right) {
                            wanted.erase(known);
                            return {};
                        }
                        return known != wanted.end()
                                   ? Result<>()
                                   : work_->erase(std::string(key), "unique ids of POP3");
                    }));
    for (const auto& [text, email] : wanted) {
        TRY(work_->put(name_key(Family::UniqueId, account_, text), encode_number(email.value()),
                       "unique ids of POP3"));
    }
    return {};
}

Result<> AccountRepair::load_places() {
    return work_->each(account_prefix(Family::Membership, account_),
                       [this](std::string_view key, std::string_view value) -> Result<> {
                           const EmailId email(second_of(key));
                           note_email(email.value());
                           all_.insert(email);
                           if (auto places = decode_places(value)) {
                               places_[email] = *std::move(places);
                           }
                           return {};
                       });
}

}  // namespace godwit::store
