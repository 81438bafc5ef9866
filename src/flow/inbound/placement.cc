#include "flow/inbound/placement.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/json.h"
#include "flow/inbound/receipt.h"
#include "flow/inbound/terms.h"
#include "flow/message_record.h"
#include "store/mailbox/mailbox.h"

namespace godwit::flow {

namespace {

constexpr std::size_t kNoRecipient = static_cast<std::size_t>(-1);

std::string received_line(const Settings& settings, const Arrival& arrival, WallTime now,
                          const mail::Address* only_recipient) {
    mail::ReceivedField field = arrival.origin.received;
    field.by = settings.hostname;
    field.id = to_string(arrival.mail);
    field.time = unix_seconds(now);
    field.priority = arrival.parameters.priority;
    if (only_recipient != nullptr) {
        field.recipient = *only_recipient;
    }
    return mail::write_received(field);
}

// RFC 3461 5.2.7.3: behind an alias with several addresses SUCCESS is gone; if nothing is left of
// what was stated, nobody is told anything.
std::uint8_t notify_bits(const ArrivalRecipient& recipient) {
    smtp::Notify notify = recipient.envelope.parameters.notify;
    if (!notify.is_stated) {
        return 0;
    }
    notify.success = notify.success && !is_expanded(recipient);
    std::uint8_t bits = 0;
    bits |= notify.success ? static_cast<std::uint8_t>(store::Notify::Success) : 0;
    bits |= notify.failure ? static_cast<std::uint8_t>(store::Notify::Failure) : 0;
    bits |= notify.delay ? static_cast<std::uint8_t>(store::Notify::Delay) : 0;
    return bits == 0 ? static_cast<std::uint8_t>(store::Notify::Never) : bits;
}

store::QueueRecipient entry_for(const ArrivalRecipient& recipient, std::string address) {
    store::QueueRecipient entry;
    entry.address = std::move(address);
    entry.original = original_recipient(recipient);
    entry.notify = notify_bits(recipient);
    return entry;
}

store::QueueMessage make_queue_message(const Settings& settings, const Arrival& arrival,
                                       WallTime now, std::string prefix) {
    store::QueueMessage message;
    message.mail = arrival.mail;
    message.sender = arrival.sender ? arrival.sender->to_string() : "";
    message.blob = arrival.body.id;
    message.blob_size = arrival.body.size;
    message.prefix = std::move(prefix);
    message.accepted_at = now;
    keep_terms(message, arrival, now, settings.retry.lifetime);
    message.is_8bit = arrival.parameters.body == smtp::BodyType::EightBitMime ||
                      message.is_binary || arrival.parsed.has_8bit;
    // D8: what was declared, but is ASCII through and through, can go anywhere; addresses speak for
    // themselves.
    message.needs_smtputf8 =
        arrival.parsed.header_has_8bit || (arrival.parameters.smtputf8 && arrival.parsed.has_8bit);
    message.envelope_id = arrival.parameters.envid.value_or("");
    message.return_headers_only = arrival.parameters.ret == smtp::DsnReturn::Headers;
    message.return_full = arrival.parameters.ret == smtp::DsnReturn::Full;
    message.submitter = arrival.origin.submitter.value_or(AccountId{});
    message.peer = arrival.origin.peer;
    return message;
}

// What stands between our own fields and content that does not begin with a header field, so that
// the whole is a message to every reader while the content stays as it came (J5): an mbox "From "
// line is given a field's name, and content without a header the blank line that ends ours.
std::string seam(const mail::ParsedMessage& parsed) {
    const std::string_view header = parsed.header;
    const bool is_field = !parsed.index.fields.empty() && parsed.index.fields.front().begin == 0;
    if (!is_field && (header.starts_with("From ") || header.starts_with(">From "))) {
        return "X-Mailbox-Line: ";
    }
    const bool has_header = parsed.header_size > 0 || parsed.size == 0;
    return has_header ? "" : "\r\n";
}

// What the trail keeps of words that a client chose freely.
constexpr std::size_t kTraceWordMax = 200;

std::string accepted_detail(const Arrival& arrival) {
    JsonWriter json;
    json.begin_object();
    json.field("from", arrival.sender ? arrival.sender->to_string() : "");
    const std::string helo = arrival.origin.received.helo.substr(0, kTraceWordMax);
    const std::string message_id = arrival.parsed.index.value(arrival.parsed.header, "Message-ID")
                                       .value_or("")
                                       .substr(0, kTraceWordMax);
    json.key("to").begin_array();
    // The whole has a bound (store::TraceEvent): recipients beyond it are only counted.
    std::size_t room = limits::queue_error_text_size_max - helo.size() - message_id.size() -
                       std::min(arrival.origin.received.tls.size(), kTraceWordMax);
    for (const ArrivalRecipient& recipient : arrival.recipients) {
        const std::string address = recipient.envelope.address.to_string();
        if (address.size() > room) {
            break;
        }
        room -= address.size();
        json.string(address);
    }
    json.end_array();
    json.field("recipients", static_cast<std::uint64_t>(arrival.recipients.size()));
    json.field("size", arrival.body.size);
    json.field("peer", arrival.origin.peer);
    json.field("with", mail::transmission_keyword(arrival.origin.received.with));
    json.field("helo", helo);
    if (!arrival.origin.received.tls.empty()) {
        json.field("tls", arrival.origin.received.tls);
    }
    if (!message_id.empty()) {
        json.field("message_id", message_id);
    }
    if (!arrival.origin.submitter_name.empty()) {
        json.field("user", arrival.origin.submitter_name);
    }
    json.end_object();
    return std::move(json).take();
}

}  // namespace

Placement place(const Settings& settings, const Arrival& arrival, WallTime now,
                const std::vector<bool>& is_left_out) {
    Placement placement;
    std::optional<store::MessageRecord> record;  // Made when the first mailbox needs it.
    const bool is_single = arrival.recipients.size() == 1;
    const std::string received =
        received_line(settings, arrival, now,
                      is_single ? &arrival.recipients.front().envelope.address : nullptr) +
        seam(arrival.parsed);
    const std::string return_path = mail::write_return_path(arrival.sender);
    const std::optional<WallTime> release = release_time(arrival.parameters, now);

    const auto add = [&placement](store::PlanStep step, std::size_t recipient) {
        placement.plan.steps.push_back(std::move(step));
        placement.recipient_of_step.push_back(recipient);
    };
    // One copy a mailbox and subaddress, however many addresses lead there (J9).
    std::set<std::pair<AccountId, std::string>> delivered;
    std::set<std::string> queued;
    std::map<std::string, store::QueueDelivery> deliveries;
    std::vector<std::string> delivered_to;
    for (std::size_t i = 0; i < arrival.recipients.size(); ++i) {
        if (is_left_out[i]) {
            continue;
        }
        const ArrivalRecipient& recipient = arrival.recipients[i];
        for (const store::Target& target : recipient.resolved.targets) {
            if (const auto* local = std::get_if<store::LocalTarget>(&target)) {
                if (!delivered.emplace(local->account, local->detail).second) {
                    continue;
                }
                if (release) {
                    // RFC 4865: colleagues wait, too.
                    store::QueueDelivery& delivery = deliveries[std::string(store::local_site)];
                    delivery.recipients.push_back(entry_for(recipient, local->account_name));
                    continue;
                }
                store::AppendMessage append;
                append.account = local->account;
                append.mailbox = store::kInbox;
                if (!record) {
                    record = make_record(arrival.parsed, arrival.body);
                }
                append.record = *record;
                append.record.prefix =
                    return_path + mail::write_delivered_to(local->address) + received;
                append.internal_date = unix_seconds(now);
                append.mail = arrival.mail;
                add(std::move(append), i);
                delivered_to.push_back(local->account_name);
                continue;
            }
            const mail::Address& address = std::get<store::RemoteTarget>(target).address;
            if (!queued.insert(mail::account_key(address)).second) {
                continue;
            }
            store::QueueDelivery& delivery = deliveries[address.domain];
            delivery.recipients.push_back(entry_for(recipient, address.to_string()));
        }
    }
    placement.local_count = release ? 0 : delivered.size();
    placement.remote_count = queued.size() + (release ? delivered.size() : 0);
    if (!deliveries.empty()) {
        store::AddToQueue entry;
        entry.message = make_queue_message(settings, arrival, now, received);
        std::uint32_t number = 0;
        for (auto& [domain, delivery] : deliveries) {
            delivery.number = number++;
            delivery.site = domain;
            delivery.due = release.value_or(now);
            entry.deliveries.push_back(std::move(delivery));
        }
        add(std::move(entry), kNoRecipient);
    }
    add(store::TraceEvent{arrival.mail, now, "accepted", accepted_detail(arrival)}, kNoRecipient);
    if (!delivered_to.empty()) {
        JsonWriter json;
        json.begin_object().key("to").begin_array();
        std::size_t room = limits::queue_error_text_size_max;
        for (const std::string& name : delivered_to) {
            if (name.size() > room) {
                break;
            }
            room -= name.size();
            json.string(name);
        }
        json.end_array().field("mailbox", "INBOX").end_object();
        add(store::TraceEvent{arrival.mail, now, "delivered", std::move(json).take()},
            kNoRecipient);
    }
    return placement;
}

}  // namespace godwit::flow
