// Repairs the queue: messages, deliveries, the due index. What a trail still tells stands in for
// what is lost, but nothing is sent by it before an operator has looked: it is held.
#include <algorithm>

#include "base/json.h"
#include "base/limits.h"
#include "mail/address/address.h"
#include "store/queue/queue.h"
#include "store/repair/work.h"

namespace godwit::store {
namespace {

constexpr std::string_view kRepaired = "repaired: look at it before you release it";

/// What "accepted" in a message's trail says.
struct Accepted {
    std::string sender;
    std::vector<std::string> recipients;
    WallTime at{};
};
Result<std::optional<Accepted>> read_accepted(RepairWork& work, MailId mail) {
    std::optional<Accepted> accepted;
    TRY(work.each(trace_prefix(mail), [&](std::string_view, std::string_view value) -> Result<> {
        const auto event = decode_trace(mail, value);
        const auto detail = parse_json(event ? event->detail : "");
        if (!event || event->kind != "accepted" || !detail) {
            return {};
        }
        accepted =
            Accepted{.sender = detail->string_or("from", ""), .recipients = {}, .at = event->at};
        const JsonValue* to = detail->find("to");
        if (to != nullptr && to->array() != nullptr) {
            for (const JsonValue& address : *to->array()) {
                accepted->recipients.push_back(address.string() != nullptr ? *address.string()
                                                                           : "");
            }
        }
        return {};
    }));
    return accepted;
}

class MailRepair {
public:
    MailRepair(RepairState* state, MailId mail) : state_(state), work_(&state->work), mail_(mail) {}
    Result<> run(const std::vector<DueDelivery>& due);

private:
    Result<bool> load_message();
    Result<bool> rebuild_message();
    Result<> load_deliveries();
    Result<> rebuild_delivery(std::uint32_t number, const std::string& site);
    Result<> put(const QueueDelivery& delivery, std::string_view what);
    Result<> give_up(std::string what, std::string detail);

    RepairState* state_;
    RepairWork* work_;
    MailId mail_;
    bool must_hold_ = false;
    QueueMessage message_;
    std::map<std::uint32_t, QueueDelivery> deliveries_;
    std::vector<std::uint32_t> damaged_;
};

Result<bool> MailRepair::load_message() {
    const auto row = TRY(work_->get(queue_message_key(mail_)));
    const auto message = row ? decode_queue_message(*row) : Result<QueueMessage>();
    if (!row || !message) {
        return false;
    }
    message_ = *message;
    return true;
}

Result<> MailRepair::load_deliveries() {
    return work_->each(queue_delivery_prefix(mail_),
                       [this](std::string_view key, std::string_view value) -> Result<> {
                           if (key.size() != 1 + 8 + 4) {
                               return work_->erase(std::string(key), "rows with a strange key");
                           }
                           if (auto delivery = decode_queue_delivery(value)) {
                               deliveries_[key_tail_u32(key)] = *std::move(delivery);
                           } else {
                               damaged_.push_back(key_tail_u32(key));
                           }
                           return {};
                       });
}

Result<bool> MailRepair::rebuild_message() {
    const auto accepted = TRY(read_accepted(*work_, mail_));
    for (const BlobId& blob : TRY(state_->linked_to(AccountId(0), mail_.value()))) {
        const auto value = TRY(work_->get(blob_location_key(blob)));
        const auto location = value ? decode_blob_location(*value) : Result<BlobLocation>();
        const auto body =
            value && location ? state_->bodies.read(blob, *location) : Result<std::string>();
        if (!value || !location || !body) {
            continue;
        }
        message_.mail = mail_;
        message_.blob = blob;
        message_.blob_size = location->size;
        message_.sender = accepted ? accepted->sender : "";
        message_.accepted_at = accepted ? accepted->at : work_->options().now;
        constexpr auto kLifetime = std::chrono::days(5);  // RFC 5321 4.5.4.1: four or five days.
        message_.expires_at = work_->options().now + kLifetime;
        message_.is_8bit =
            std::ranges::any_of(*body, [](char c) { return static_cast<std::uint8_t>(c) >= 0x80; });
        message_.deliveries = static_cast<std::uint32_t>(deliveries_.size() + damaged_.size());
        TRY(work_->put(queue_message_key(mail_), encode(message_), "queued messages"));
        must_hold_ = true;
        return true;
    }
    return false;
}

Result<> MailRepair::put(const QueueDelivery& delivery, std::string_view what) {
    TRY(work_->put(queue_delivery_key(mail_, delivery.number), encode(delivery), what));
    const std::string due = due_key(delivery.site, delivery.due, mail_, delivery.number);
    return delivery.is_held ? work_->erase(due, "due index")
                            : work_->put(due, encode_nothing(), "due index");
}

// Some of them may have been served already: a person decides.
Result<> MailRepair::rebuild_delivery(std::uint32_t number, const std::string& site) {
    const auto accepted = TRY(read_accepted(*work_, mail_));
    QueueDelivery delivery;
    delivery.number = number;
    delivery.due = work_->options().now;
    delivery.is_held = true;
    delivery.held_reason = kRepaired;
    delivery.site = site;
    for (const std::string& text : accepted ? accepted->recipients : std::vector<std::string>()) {
        const auto address = mail::parse_address(text);
        const bool is_elsewhere = std::ranges::any_of(deliveries_, [&](const auto& other) {
            return std::ranges::any_of(other.second.recipients, [&](const QueueRecipient& one) {
                return one.address == text;
            });
        });
        if (!address || is_elsewhere || (!site.empty() && address->domain != site)) {
            continue;
        }
        if (delivery.site.empty()) {
            delivery.site = address->domain;
        }
        if (address->domain == delivery.site) {
            QueueRecipient recipient;
            recipient.address = text;
            delivery.recipients.push_back(std::move(recipient));
        }
    }
    if (delivery.recipients.empty()) {
        work_->lose({.what = "recipients of a queued message",
                     .message = to_string(mail_),
                     .detail = site.empty() ? "of one delivery" : "at " + site});
        return work_->options().drop_lost
                   ? work_->erase(queue_delivery_key(mail_, number), "lost deliveries dropped")
                   : Result<>();
    }
    work_->lose({.what = "state of a delivery",
                 .message = to_string(mail_),
                 .detail = "held: some of its recipients may have it already"});
    TRY(put(delivery, "deliveries"));
    deliveries_[number] = std::move(delivery);
    return {};
}

Result<> MailRepair::give_up(std::string what, std::string detail) {
    for (const auto& [number, delivery] : deliveries_) {
        for (const QueueRecipient& recipient : delivery.recipients) {
            detail += detail.empty() ? "to " + recipient.address : ", " + recipient.address;
        }
    }
    work_->lose(
        {.what = std::move(what), .message = to_string(mail_), .detail = std::move(detail)});
    if (!work_->options().drop_lost) {
        return {};
    }
    TRY(work_->erase(queue_message_key(mail_), "lost queued messages dropped"));
    for (const auto& [number, delivery] : deliveries_) {
        TRY(work_->erase(queue_delivery_key(mail_, number), "lost queued messages dropped"));
        TRY(work_->erase(due_key(delivery.site, delivery.due, mail_, number), "due index"));
    }
    for (const std::uint32_t number : damaged_) {
        TRY(work_->erase(queue_delivery_key(mail_, number), "lost queued messages dropped"));
    }
    return {};
}

Result<> MailRepair::run(const std::vector<DueDelivery>& due) {
    TRY(load_deliveries());
    const bool has_row = TRY(work_->has(queue_message_key(mail_)));
    if (!has_row && deliveries_.empty() && damaged_.empty()) {
        // Only index rows are left: an end that was not tidied.
        return {};
    }
    bool is_whole = TRY(load_message());
    if (!is_whole) {
        is_whole = TRY(rebuild_message());
    }
    if (!is_whole) {
        return give_up("queued message, its envelope and which body it had", "");
    }
    if (state_->lost.contains(message_.blob)) {
        for (auto& [number, delivery] : deliveries_) {
            if (!delivery.is_held) {
                delivery.is_held = true;
                delivery.held_reason = "the stored body is damaged";
                TRY(put(delivery, "deliveries"));
            }
        }
        return give_up("body of a queued message", "");
    }
    std::map<std::uint32_t, std::string> missing;
    for (const DueDelivery& row : due) {
        if (!deliveries_.contains(row.number)) {
            missing[row.number] = row.site;
        }
    }
    for (const std::uint32_t number : damaged_) {
        missing.try_emplace(number, "");
    }
    for (auto& [number, delivery] : deliveries_) {
        if (must_hold_ && !delivery.is_held) {
            delivery.is_held = true;
            delivery.held_reason = kRepaired;
        }
        delivery.number = number;
        TRY(put(delivery, "deliveries"));
    }
    if (deliveries_.empty() && missing.empty()) {
        missing.emplace(0, "");
    }
    for (const auto& [number, site] : missing) {
        TRY(rebuild_delivery(number, site));
    }
    return deliveries_.empty() && work_->options().drop_lost
               ? work_->erase(queue_message_key(mail_), "lost queued messages dropped")
               : Result<>();
}

}  // namespace

Result<> repair_queue(RepairState& state) {
    RepairWork& work = state.work;
    std::map<MailId, std::vector<DueDelivery>> due;
    std::set<MailId> mails;
    // Only what leads to no sound row: that is as much as is damaged.
    TRY(work.each(Family::Due, [&](std::string_view key, std::string_view) -> Result<> {
        auto row = parse_due_key(key);
        const auto value = row ? TRY(work.get(queue_delivery_key(row->mail, row->number)))
                               : std::optional<std::string>();
        if (row && (!value || !decode_queue_delivery(*value))) {
            due[row->mail].push_back(*row);
        }
        return {};
    }));
    for (const Family family : {Family::QueueMessage, Family::QueueDelivery}) {
        TRY(work.each(family, [&](std::string_view key, std::string_view) -> Result<> {
            mails.insert(MailId(key_tail_u64(key.substr(0, std::min<std::size_t>(9, key.size())))));
            return {};
        }));
    }
    for (const MailId mail : mails) {
        const auto rows = due.find(mail);
        MailRepair one(&state, mail);
        TRY(one.run(rows == due.end() ? std::vector<DueDelivery>() : rows->second));
    }
    std::uint64_t count = 0;
    TRY(work.each(Family::QueueMessage, [&](std::string_view, std::string_view) -> Result<> {
        ++count;
        return {};
    }));
    // Without a row it is counted at the next change.
    if (TRY(work.has(queue_count_key()))) {
        TRY(work.put(queue_count_key(), encode_queue_count(count), "numbers of queued messages"));
    }
    return work.each(Family::Due, [&](std::string_view key, std::string_view) -> Result<> {
        const auto row = parse_due_key(key);
        const auto value = row ? TRY(work.get(queue_delivery_key(row->mail, row->number)))
                               : std::optional<std::string>();
        const auto delivery = value ? decode_queue_delivery(*value) : Result<QueueDelivery>();
        const bool is_right = row && value && delivery && !delivery->is_held &&
                              delivery->site == row->site && delivery->due == row->due;
        return is_right ? Result<>() : work.erase(std::string(key), "due index");
    });
}

}  // namespace godwit::store
