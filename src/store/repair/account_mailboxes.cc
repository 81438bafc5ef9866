// Repairs what follows from an account's messages: mailboxes with their counters, keywords, threads
// and the account's head.
#include "store/mailbox/url_keys.h"
#include "store/repair/account.h"

namespace godwit::store {

namespace {

// RFC 6154 section 2, by the names that new accounts have.
std::string use_of(std::string_view name) {
    for (const std::string_view usual : {"Drafts", "Sent", "Trash", "Junk", "Archive"}) {
        if (name == usual) {
            return "\\" + std::string(usual);
        }
    }
    return "";
}

}  // namespace

Result<> AccountRepair::settle_mailbox(MailboxId id, FoundMailbox& mailbox) {
    if (!mailbox.fixed) {
        MailboxFixed fixed;
        const auto named =
            std::ranges::find_if(names_, [&](const auto& name) { return name.second == id; });
        fixed.name = id == kInbox            ? "INBOX"
                     : named != names_.end() ? named->first
                                             : "Recovered-" + std::to_string(id.value());
        fixed.special_use = use_of(fixed.name);
        // What clients know of its numbers nobody can vouch for any more (RFC 3501 2.3.1.1).
        const auto now = static_cast<std::uint32_t>(
            std::clamp<std::int64_t>(unix_seconds(work_->options().now), 1, UINT32_MAX));
        head_.last_uid_validity = std::max(head_.last_uid_validity + 1, now);
        fixed.uid_validity = UidValidity(head_.last_uid_validity);
        fixed.created = draw();
        TRY(log(LogKind::MailboxCreated, id, Uid(0), EmailId(0), fixed.created));
        mailbox.fixed = std::move(fixed);
    }
    head_.last_uid_validity =
        std::max(head_.last_uid_validity, mailbox.fixed->uid_validity.value());
    MailboxCounters counters = mailbox.counters.value_or(MailboxCounters{});
    const bool is_blind = !mailbox.counters && head_.oldest_log > mailbox.fixed->created.value();
    if (is_blind) {
        // Numbers may have been given of which nothing is left, and none may be given twice.
        const auto now = static_cast<std::uint32_t>(
            std::clamp<std::int64_t>(unix_seconds(work_->options().now), 1, UINT32_MAX));
        head_.last_uid_validity = std::max(head_.last_uid_validity + 1, now);
        mailbox.fixed->uid_validity = UidValidity(head_.last_uid_validity);
    }
    const MailboxCounters& recount = mailbox.recount;
    counters.messages = recount.messages;
    counters.unseen = recount.unseen;
    counters.deleted = recount.deleted;
    counters.bytes = recount.bytes;
    counters.uid_next = std::max(counters.uid_next, Uid(mailbox.last_uid + 1));
    counters.highest_mod_seq = std::max({counters.highest_mod_seq, recount.highest_mod_seq,
                                         mailbox.last_change, mailbox.fixed->created});
    TRY(work_->put(mailbox_key(Family::Mailbox, account_, id), encode(*mailbox.fixed),
                   "mailboxes"));
    TRY(work_->put(mailbox_key(Family::Counters, account_, id), encode(counters),
                   "counters of mailboxes"));
    TRY(work_->put(name_key(Family::MailboxName, account_, mailbox.fixed->name),
                   encode_number(id.value()), "names of mailboxes"));
    mailbox.counters = counters;
    return {};
}

Result<> AccountRepair::settle_mailboxes() {
    for (const auto& [email, messages] : messages_) {
        for (const FoundMessage& message : messages) {
            if (is_leaving(message.mailbox)) {
                continue;
            }
            MailboxCounters& counters = mailboxes_[message.mailbox].recount;
            ++counters.messages;
            counters.unseen += message.row.flags.has(SystemFlag::Seen) ? 0 : 1;
            counters.deleted += message.row.flags.has(SystemFlag::Deleted) ? 1 : 0;
            counters.bytes += message.row.size;
            counters.highest_mod_seq = std::max(counters.highest_mod_seq, message.row.mod_seq);
        }
    }
    mailboxes_[kInbox];
    for (auto& [id, mailbox] : mailboxes_) {
        if (!is_leaving(id)) {
            TRY(settle_mailbox(id, mailbox));
        }
    }
    return work_->each(
        account_prefix(Family::MailboxName, account_),
        [this](std::string_view key, std::string_view value) -> Result<> {
            const auto number = decode_number(value, "mailbox name");
            const auto found = number
                                   ? mailboxes_.find(MailboxId(static_cast<std::uint32_t>(*number)))
                                   : mailboxes_.end();
            const bool is_right = found != mailboxes_.end() && found->second.fixed &&
                                  found->second.fixed->name == key.substr(5);
            return is_right ? Result<>() : work_->erase(std::string(key), "names of mailboxes");
        });
}

Result<> AccountRepair::settle_annotations() {
    return work_->each(
        account_prefix(Family::Annotation, account_),
        [this](std::string_view key, std::string_view value) -> Result<> {
            constexpr std::size_t kSmallestKey = 14;  // Family, account, mailbox, user, a name.
            const auto found = mailboxes_.find(MailboxId(second_of(key)));
            const bool has_place =
                key.size() >= kSmallestKey &&
                (second_of(key) == 0 || (found != mailboxes_.end() && found->second.fixed));
            if (has_place && decode_annotation(value)) {
                return {};
            }
            work_->lose({.what = "annotation of a mailbox", .detail = key_text(key)});
            return work_->erase(std::string(key), "annotations of mailboxes");
        });
}

Result<> AccountRepair::settle_url_keys() {
    return work_->each(account_prefix(Family::UrlKey, account_),
                       [this](std::string_view key, std::string_view value) -> Result<> {
                           constexpr std::size_t kKeySize = 13;  // Family, account, mailbox, user.
                           const auto found = mailboxes_.find(MailboxId(second_of(key)));
                           if (key.size() == kKeySize && found != mailboxes_.end() &&
                               found->second.fixed && decode_url_key(value)) {
                               return {};
                           }
                           work_->lose({.what = "key of URLs", .detail = key_text(key)});
                           return work_->erase(std::string(key), "keys of URLs");
                       });
}

Result<> AccountRepair::settle_keywords() {
    const std::string key = account_prefix(Family::Keywords, account_);
    const auto row = TRY(work_->get(key));
    const auto known = row ? decode_keywords(*row) : Result<std::vector<std::string>>();
    std::vector<std::string> names;
    if (row && known) {
        names = *known;
    }
    if ((row && !known) || static_cast<int>(names.size()) <= last_keyword_) {
        work_->lose({.what = "names of keywords",
                     .account = account_,
                     .detail = "they are called $Lost0, $Lost1 ... now"});
        while (static_cast<int>(names.size()) <= last_keyword_) {
            names.push_back("$Lost" + std::to_string(names.size()));
        }
        return work_->put(key, encode_keywords(names), "keyword dictionaries");
    }
    return {};
}

Result<> AccountRepair::settle_threads() {
    std::map<std::uint64_t, ThreadReference> references;
    for (const auto& [email, found] : emails_) {
        if (!found.is_sound) {
            continue;
        }
        for (const std::uint64_t hash : found.head.reference_hashes) {
            ThreadReference& reference =
                references.try_emplace(hash, ThreadReference{.thread = found.head.thread})
                    .first->second;
            ++reference.emails;
        }
        if (found.head.thread.value() != email.value()) {
            TRY(work_->put(thread_member_key(account_, found.head.thread, email), encode_nothing(),
                           "members of threads"));
        }
    }
    TRY(work_->each(account_prefix(Family::ThreadMember, account_),
                    [this](std::string_view key, std::string_view) -> Result<> {
                        const auto found = emails_.find(EmailId(key_tail_u32(key)));
                        const bool is_right = found != emails_.end() && found->second.is_sound &&
                                              found->second.head.thread.value() == second_of(key);
                        return is_right ? Result<>()
                                        : work_->erase(std::string(key), "members of threads");
                    }));
    TRY(work_->each(account_prefix(Family::ThreadReference, account_),
                    [&](std::string_view key, std::string_view value) -> Result<> {
                        const auto found = references.find(key_tail_u64(key));
                        if (found == references.end()) {
                            return work_->erase(std::string(key), "references of threads");
                        }
                        if (const auto row = decode_thread_reference(value)) {
                            found->second.thread = row->thread;
                        }
                        return {};
                    }));
    for (const auto& [hash, reference] : references) {
        TRY(work_->put(thread_reference_key(account_, hash), encode(reference),
                       "references of threads"));
    }
    return {};
}

Result<> AccountRepair::settle_head() {
    head_.bytes_used = 0;
    head_.messages_used = 0;
    head_.mailboxes = 0;
    head_.subscriptions = 0;
    for (const auto& [id, mailbox] : mailboxes_) {
        head_.next_mailbox = std::max(head_.next_mailbox, id.value() + 1);
        if (is_leaving(id) || !mailbox.counters) {
            continue;
        }
        ++head_.mailboxes;
        head_.bytes_used += mailbox.counters->bytes;
        head_.messages_used += mailbox.counters->messages;
        head_.mod_seq = std::max(head_.mod_seq, mailbox.counters->highest_mod_seq.value());
    }
    for (const std::uint32_t mailbox : leaving_) {
        head_.next_mailbox = std::max(head_.next_mailbox, mailbox + 1);
    }
    if (!has_head_) {
        // Numbers of emails that are gone must not come again.
        head_.next_email += 1024;
    }
    TRY(work_->each(account_prefix(Family::Subscription, account_),
                    [this](std::string_view, std::string_view) -> Result<> {
                        ++head_.subscriptions;
                        return {};
                    }));
    return work_->put(account_prefix(Family::AccountHead, account_), encode(head_),
                      "heads of accounts");
}

}  // namespace godwit::store
