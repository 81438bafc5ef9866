// Repairs one account at a time: its emails and where they are, messages, mailboxes, change log,
// threads, keywords, counters. What an email says of itself (M) and where messages say they are (U)
// are the sources; all else follows from them.
#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "mail/message/summary.h"
#include "store/commit/stamper_steps.h"
#include "store/directory/schema.h"
#include "store/repair/work.h"

namespace godwit::store {
namespace {

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

std::uint32_t second_of(std::string_view key) {
    ByteReader in(key.substr(std::min<std::size_t>(key.size(), 5)));
    return in.u32();
}

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
    Result<> settle_keywords();
    Result<> settle_threads();
    Result<> settle_head();
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
    std::set<std::uint32_t> leaving_;
    std::map<MailboxId, FoundMailbox> mailboxes_;
    std::map<std::string, MailboxId> names_;
    std::map<EmailId, std::vector<FoundMessage>> messages_;
    std::set<std::pair<MailboxId, Uid>> taken_;
    std::vector<EmailPlace> damaged_messages_;
    std::map<EmailId, FoundEmail> emails_;
    std::map<EmailId, std::vector<EmailPlace>> places_;
    std::set<EmailId> all_;
    std::uint64_t log_begins_ = 0;
    int last_keyword_ = -1;
};

// Of an account that is going away only what would stop the removal is taken out.
Result<> AccountRepair::erase_all(std::string_view what) {
    return work_->each(account_prefix(Family::Email, account_),
                       [&](std::string_view key, std::string_view value) -> Result<> {
                           return decode_email_head(value) ? Result<>()
                                                           : work_->erase(std::string(key), what);
                       });
}

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

Result<> AccountRepair::lose_email(EmailId email, const std::vector<EmailPlace>& places,
                                   std::string what) {
    const auto found = emails_.find(email);
    for (const EmailPlace& place : places) {
        work_->lose({.what = what,
                     .account = account_,
                     .mailbox = name_of(place.mailbox),
                     .uid = place.uid,
                     .message = found != emails_.end() ? found->second.message_id : ""});
    }
    return work_->options().drop_lost ? drop_email(email, places) : Result<>();
}

Result<> AccountRepair::drop_email(EmailId email, const std::vector<EmailPlace>& places) {
    for (const EmailPlace& place : places) {
        TRY(work_->erase(message_key(account_, place.mailbox, place.uid), "lost messages dropped"));
        if (!is_leaving(place.mailbox)) {
            TRY(log(LogKind::Expunged, place.mailbox, place.uid, email, draw()));
        }
    }
    if (const auto found = emails_.find(email); found != emails_.end() && found->second.is_sound) {
        TRY(work_->erase(link_key(found->second.head.blob, account_, email),
                         "lost messages dropped"));
    }
    TRY(work_->erase(email_key(Family::Email, account_, email), "lost messages dropped"));
    TRY(work_->erase(email_key(Family::Membership, account_, email), "lost messages dropped"));
    emails_.erase(email);
    messages_.erase(email);
    return {};
}

/// The trace fields that stood before the body are gone; the message keeps its size, as what a
/// client has of it must stay true (RFC 3501 2.3.4).
std::string stand_in(std::uint64_t size) {
    constexpr std::string_view kName = "X-Godwit-Repaired:";
    constexpr std::size_t kLine = 76;
    std::string text;
    while (size - text.size() >= kName.size() + 4) {
        std::size_t line = std::min<std::uint64_t>(size - text.size(), kLine);
        if (size - text.size() - line != 0 && size - text.size() - line < kName.size() + 4) {
            line = static_cast<std::size_t>(size - text.size());
        }
        text.append(kName).append(" ").append(line - kName.size() - 3, 'x').append("\r\n");
    }
    return text;
}

Result<bool> AccountRepair::rebuild_email(EmailId email, const std::vector<EmailPlace>& places) {
    const auto messages = messages_.find(email);
    const std::uint64_t size = messages != messages_.end() ? messages->second.front().row.size : 0;
    for (const BlobId& blob : TRY(state_->linked_to(account_, email.value()))) {
        const auto value = TRY(work_->get(blob_location_key(blob)));
        const auto location = value ? decode_blob_location(*value) : Result<BlobLocation>();
        if (!value || !location || (size != 0 && location->size > size)) {
            continue;
        }
        const auto body = state_->bodies.read(blob, *location);
        if (!body) {
            continue;
        }
        const MessageRecord record = work_->options().make_record(blob, *body);
        EmailRow row;
        row.head.blob = blob;
        row.head.thread = messages != messages_.end() ? messages->second.front().row.thread
                                                      : ThreadId(email.value());
        row.head.first = places.empty() ? new_place() : places.front();
        row.head.reference_hashes = thread_hashes(record.reference_hashes);
        row.blob_size = location->size;
        row.sent_at = record.sent_at;
        row.prefix = size > location->size ? stand_in(size - location->size) : "";
        row.summary = record.summary;
        FoundEmail& found = emails_[email];
        found = {.head = row.head,
                 .size = row.prefix.size() + row.blob_size,
                 .sent_at = row.sent_at,
                 .message_id = "",
                 .is_sound = true};
        TRY(work_->put(email_key(Family::Email, account_, email), encode(row),
                       "records of messages"));
        return true;
    }
    return false;
}

/// For what nothing says where it was: the inbox, as new mail.
EmailPlace AccountRepair::new_place() {
    FoundMailbox& inbox = mailboxes_[kInbox];
    inbox.last_uid = std::max(
        inbox.last_uid, inbox.counters ? inbox.counters->uid_next.value() - 1 : std::uint32_t{0});
    return {.mailbox = kInbox, .uid = Uid(++inbox.last_uid)};
}

Result<> AccountRepair::rebuild_message(EmailId email, EmailPlace place) {
    const FoundEmail& found = emails_.at(email);
    MessageRow row;
    row.uid = place.uid;
    row.email = email;
    row.thread = found.head.thread;
    row.mod_seq = draw();
    row.saved_at = unix_seconds(work_->options().now);
    row.internal_date = found.sent_at != 0 ? found.sent_at : row.saved_at;
    row.size = found.size;
    TRY(work_->put(message_key(account_, place.mailbox, place.uid), encode(row),
                   "rows of messages"));
    TRY(log(LogKind::FlagsChanged, place.mailbox, place.uid, email, row.mod_seq));
    messages_[email].push_back({.mailbox = place.mailbox, .row = row});
    taken_.insert({place.mailbox, place.uid});
    FoundMailbox& mailbox = mailboxes_[place.mailbox];
    mailbox.last_uid = std::max(mailbox.last_uid, place.uid.value());
    return {};
}

// The messages that say they are this email are there; of the other places those are believed that
// no other message has taken.
Result<> AccountRepair::settle_email(EmailId email) {
    std::vector<EmailPlace> places;
    if (const auto messages = messages_.find(email); messages != messages_.end()) {
        for (const FoundMessage& message : messages->second) {
            places.push_back({message.mailbox, message.row.uid});
        }
    }
    const auto known = emails_.find(email);
    const bool is_known = known != emails_.end() && known->second.is_sound;
    std::vector<EmailPlace> said;
    if (const auto moved = places_.find(email); moved != places_.end()) {
        said = moved->second;
    } else if (is_known && places.empty()) {
        said = {known->second.head.first};
    }
    for (const EmailPlace& place : said) {
        const bool is_there = std::ranges::find(places, place) != places.end();
        if (!is_there && !taken_.contains({place.mailbox, place.uid}) &&
            !is_leaving(place.mailbox)) {
            places.push_back(place);
        }
    }
    if (!is_known && !TRY(rebuild_email(email, places))) {
        if (known == emails_.end() && places_.contains(email) && !messages_.contains(email)) {
            return work_->erase(email_key(Family::Membership, account_, email),
                                "places of no email");
        }
        if (places.empty()) {
            work_->lose({.what = "email without a place",
                         .account = account_,
                         .detail = "email " + std::to_string(email.value())});
            return work_->erase(email_key(Family::Email, account_, email), "records of nothing");
        }
        return lose_email(email, places, "message, its record and which body it had");
    }
    const EmailPlace first = emails_.at(email).head.first;
    if (places.empty() && is_leaving(first.mailbox)) {
        return drop_email(email, {});  // Its mailbox was deleted, and with it this.
    }
    if (places.empty()) {
        places.push_back(taken_.contains({first.mailbox, first.uid}) ? new_place() : first);
    }
    const EmailHead& head = emails_.at(email).head;
    if (state_->lost.contains(head.blob)) {
        TRY(lose_email(email, places, "body of a message"));
        if (work_->options().drop_lost) {
            return {};
        }
    }
    return place_email(email, std::move(places));
}

Result<> AccountRepair::place_email(EmailId email, std::vector<EmailPlace> places) {
    for (const EmailPlace& place : places) {
        if (!taken_.contains({place.mailbox, place.uid}) && !is_leaving(place.mailbox)) {
            TRY(rebuild_message(email, place));
        }
    }
    FoundEmail& found = emails_.at(email);
    for (FoundMessage& message : messages_[email]) {
        if (message.row.size != found.size) {
            message.row.size = found.size;
            TRY(work_->put(message_key(account_, message.mailbox, message.row.uid),
                           encode(message.row), "rows of messages"));
        }
    }
    const std::string key = email_key(Family::Membership, account_, email);
    const auto row = TRY(work_->get(key));
    const auto said = row ? decode_places(*row) : Result<std::vector<EmailPlace>>();
    const bool is_first_alone = places.size() == 1 && places.front() == found.head.first;
    if (!row && is_first_alone) {
        return {};
    }
    if (row && said && std::ranges::is_permutation(*said, places)) {
        return {};
    }
    return is_first_alone ? work_->erase(key, "places of emails")
                          : work_->put(key, encode(places), "places of emails");
}

// RFC 6154 section 2, by the names that new accounts have.
std::string use_of(std::string_view name) {
    for (const std::string_view usual : {"Drafts", "Sent", "Trash", "Junk", "Archive"}) {
        if (name == usual) {
            return "\\" + std::string(usual);
        }
    }
    return "";
}

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
    TRY(settle_keywords());
    TRY(settle_threads());
    return settle_head();
}

}  // namespace

Result<> repair_accounts(RepairState& state) {
    for (const AccountId account : TRY(accounts_with_rows(state.work))) {
        if (account.value() == 0) {
            continue;
        }
        AccountRepair one(&state, account);
        TRY(one.run());
    }
    return {};
}

}  // namespace godwit::store
