// One account's repair: what is found of it, and what is put right. Its parts: account_rows.cc
// reads what is there, account_emails.cc settles emails and where they are, account_mailboxes.cc
// mailboxes, keywords, threads and counters, accounts.cc has their order.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "store/repair/work.h"

namespace godwit::store {

struct FoundMessage {
    MailboxId mailbox;
    MessageRow row;
};
struct FoundEmail {
    EmailHead head;
    std::uint64_t size = 0;  // Of prefix and body.
    std::int64_t sent_at = 0;
    std::string message_id;
    bool is_sound = false;
};
struct FoundMailbox {
    std::optional<MailboxFixed> fixed;
    std::optional<MailboxCounters> counters;
    MailboxCounters recount;
    std::uint32_t last_uid = 0;  // That any row speaks of.
    ModSeq last_change;
};

/// The number behind an account's in a key: a mailbox, an email, a thread.
inline std::uint32_t second_of(std::string_view key) {
    ByteReader in(key.substr(std::min<std::size_t>(key.size(), 5)));
    return in.u32();
}

/// Lives for one repair of one account; what it names must outlive it. One thread.
class AccountRepair {
public:
    AccountRepair(RepairState* state, AccountId account)
        : state_(state), work_(&state->work), account_(account) {}
    Result<> run();

private:
    Result<> load_removals();
    Result<> load_head();
    Result<> load_mailboxes();
    Result<> load_messages();
    Result<> load_log();
    Result<> load_emails();
    Result<> load_places();
    Result<> settle_email(EmailId email);
    Result<bool> rebuild_email(EmailId email, const std::vector<EmailPlace>& places);
    Result<> place_email(EmailId email, std::vector<EmailPlace> places);
    Result<> rebuild_message(EmailId email, EmailPlace place);
    EmailPlace new_place();
    Result<> drop_email(EmailId email, const std::vector<EmailPlace>& places);
    Result<> lose_email(EmailId email, const std::vector<EmailPlace>& places, std::string what);
    Result<> settle_mailboxes();
    Result<> settle_mailbox(MailboxId id, FoundMailbox& mailbox);
    Result<> settle_annotations();
    Result<> settle_access();
    Result<> settle_seen();
    Result<> settle_url_keys();
    Result<> settle_keywords();
    Result<> settle_threads();
    Result<> settle_head();
    Result<> settle_search_index();
    Result<> load_unique_ids();
    Result<> settle_unique_ids();
    Result<> log(LogKind kind, MailboxId mailbox, Uid uid, EmailId email, ModSeq mod_seq);
    [[nodiscard]] std::string name_of(MailboxId id) const;
    [[nodiscard]] bool is_leaving(MailboxId id) const { return leaving_.contains(id.value()); }
    ModSeq draw() { return ModSeq(++head_.mod_seq); }
    void note_email(std::uint64_t email) {
        head_.next_email = std::max(head_.next_email, static_cast<std::uint32_t>(email + 1));
    }
    Result<> erase_all(std::string_view what);

    RepairState* state_;
    RepairWork* work_;
    AccountId account_;
    bool has_head_ = false;
    AccountHead head_;
    bool is_removed_ = false;
    bool is_index_wrong_ = false;  // Some email is not as it was when it was read for it.
    std::set<std::uint32_t> leaving_;
    std::map<MailboxId, FoundMailbox> mailboxes_;
    std::map<std::string, MailboxId> names_;
    std::map<EmailId, std::vector<FoundMessage>> messages_;
    std::set<std::pair<MailboxId, Uid>> taken_;
    std::vector<EmailPlace> damaged_messages_;
    std::map<EmailId, FoundEmail> emails_;
    std::map<EmailId, std::vector<EmailPlace>> places_;
    std::map<EmailId, std::string> unique_ids_;  // As rows W say.
    std::set<EmailId> all_;
    std::uint64_t log_begins_ = 0;
    int last_keyword_ = -1;
};

}  // namespace godwit::store
