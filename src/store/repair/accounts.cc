// Repairs one account at a time: its emails and where they are, messages, mailboxes, change log,
// threads, keywords, counters. What an email says of itself (M) and where messages say they are (U)
// are the sources; all else follows from them.
#include "store/directory/schema.h"
#include "store/repair/account.h"

namespace godwit::store {

// Of an account that is going away only what would stop the removal is taken out.
Result<> AccountRepair::erase_all(std::string_view what) {
    return work_->each(account_prefix(Family::Email, account_),
                       [&](std::string_view key, std::string_view value) -> Result<> {
                           return decode_email_head(value) ? Result<>()
                                                           : work_->erase(std::string(key), what);
                       });
}

std::string AccountRepair::name_of(MailboxId id) const {
    const auto found = mailboxes_.find(id);
    return found != mailboxes_.end() && found->second.fixed ? found->second.fixed->name
                                                            : std::to_string(id.value());
}

Result<> AccountRepair::log(LogKind kind, MailboxId mailbox, Uid uid, EmailId email,
                            ModSeq mod_seq) {
    if (const auto found = mailboxes_.find(mailbox); found != mailboxes_.end()) {
        found->second.last_change = std::max(found->second.last_change, mod_seq);
    }
    const LogRow row{
        .mod_seq = mod_seq,
        .kind = kind,
        .mailbox = mailbox,
        .at = unix_seconds(work_->options().now),
        .uids = uid.value() != 0 ? std::vector<Uid>{uid} : std::vector<Uid>{},
        .emails = uid.value() != 0 ? std::vector<EmailId>{email} : std::vector<EmailId>{}};
    return work_->put(log_key(account_, mod_seq), encode(row), "changes told to clients");
}

Result<> AccountRepair::run() {
    TRY(load_removals());
    const bool is_in_directory = TRY(work_->has(account_row_key(account_)));
    if (is_removed_ && !is_in_directory) {
        return erase_all("damaged rows of removed accounts");
    }
    TRY(load_head());
    TRY(load_mailboxes());
    TRY(load_messages());
    TRY(load_log());
    head_.oldest_log = std::max(head_.oldest_log, log_begins_);
    TRY(load_emails());
    TRY(load_places());
    TRY(load_unique_ids());
    // Places of messages that are damaged belong to whichever email says it is there.
    for (const EmailId email : std::set<EmailId>(all_)) {
        TRY(settle_email(email));
    }
    for (const EmailPlace& place : damaged_messages_) {
        if (!taken_.contains({place.mailbox, place.uid})) {
            work_->lose({.what = "message, its row and its record",
                         .account = account_,
                         .mailbox = name_of(place.mailbox),
                         .uid = place.uid});
            TRY(work_->erase(message_key(account_, place.mailbox, place.uid),
                             "damaged rows of messages"));
            if (!is_leaving(place.mailbox)) {
                TRY(log(LogKind::Expunged, place.mailbox, place.uid, EmailId(0), draw()));
            }
        }
    }
    TRY(settle_mailboxes());
    TRY(settle_annotations());
    TRY(settle_access());
    TRY(settle_url_keys());
    TRY(settle_keywords());
    TRY(settle_threads());
    TRY(settle_unique_ids());
    TRY(settle_search_index());
    return settle_head();
}

// The index follows from the emails: where it may be wrong it goes, and is made anew.
Result<> AccountRepair::settle_search_index() {
    const std::string prefix = account_prefix(Family::SearchIndex, account_);
    TRY(work_->each(prefix, [&](std::string_view, std::string_view value) -> Result<> {
        is_index_wrong_ = is_index_wrong_ || !open_record(value);
        return {};
    }));
    return !is_index_wrong_
               ? Result<>()
               : work_->each(prefix, [&](std::string_view key, std::string_view) -> Result<> {
                     return work_->erase(std::string(key), "rows of search indexes");
                 });
}

Result<> repair_accounts(RepairState& state) {
    for (const AccountId account : TRY(accounts_with_rows(state.work))) {
        if (account.value() == 0) {
            continue;
        }
        AccountRepair one(&state, account);
        TRY(one.run());
    }
    return repair_grants(state);
}

}  // namespace godwit::store
