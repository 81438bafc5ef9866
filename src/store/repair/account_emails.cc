// Repairs an account's emails: their records, and the messages that say where they are.
#include "store/repair/account.h"

#include "store/commit/stamper_steps.h"

namespace godwit::store {

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

namespace {

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

}  // namespace

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
        if (const auto named = unique_ids_.find(email); named != unique_ids_.end()) {
            row.head.unique_id = named->second;
        }
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
        is_index_wrong_ = true;
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

}  // namespace godwit::store
