#include "flow/inbound/placement.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/json.h"
#include "flow/inbound/receipt.h"
#include "flow/inbound/terms.h"
#include "flow/message_record.h"
#include "flow/policy/relay_domains.h"
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

// What leaves together: one reverse-path, one trace of who forwarded it (G2), one end of life.
struct LaneKey {
    bool is_list = false;  ///< A group's owner answers for it.
    std::string forwarder;
    std::string sender;
    std::chrono::seconds lifetime{};
    auto operator<=>(const LaneKey&) const = default;
};
struct Lane {
    std::optional<mail::Address> forwarder;
    std::map<std::string, store::QueueDelivery> deliveries;  ///< By site.
};

LaneKey lane_of(const Settings& settings, const Arrival& arrival,
                const store::RemoteTarget& target) {
    LaneKey key;
    key.lifetime = lifetime_of(settings, target.address.domain);
    key.forwarder = target.forwarder ? target.forwarder->to_string() : "";
    if (!arrival.sender) {
        // RFC 5321 4.5.5: what has no reverse-path gets none on the way.
        return key;
    }
    key.is_list = target.owner.has_value();
    const std::optional<mail::Address>& own =
        target.is_forwarded ? arrival.forwarding_sender : arrival.tagged_sender;
    key.sender = (target.owner ? *target.owner : own.value_or(*arrival.sender)).to_string();
    return key;
}

constexpr auto kNever = static_cast<std::uint8_t>(store::Notify::Never);
constexpr auto kFailure = static_cast<std::uint8_t>(store::Notify::Failure);

// RFC 3461 5.2.7.3: behind an alias with several addresses SUCCESS is gone; if nothing is left of
// what was stated, nobody is told anything.
std::uint8_t stated_bits(const ArrivalRecipient& recipient) {
    smtp::Notify notify = recipient.envelope.parameters.notify;
    if (!notify.is_stated) {
        return 0;
    }
    notify.success = notify.success && !is_expanded(recipient);
    std::uint8_t bits = 0;
    bits |= notify.success ? static_cast<std::uint8_t>(store::Notify::Success) : 0;
    bits |= notify.failure ? kFailure : 0;
    bits |= notify.delay ? static_cast<std::uint8_t>(store::Notify::Delay) : 0;
    return bits == 0 ? kNever : bits;
}

std::uint8_t notify_bits(const Arrival& arrival, const ArrivalRecipient& recipient,
                         const store::RemoteTarget& target) {
    if (target.has_kept_copy && arrival.sender) {
        // G5: it has reached its recipient, and the sender may be forged.
        return kNever;
    }
    if (target.owner && !recipient.is_archive) {
        // RFC 3461 5.2.7.1: what the sender asked for ends at the list; the owner asked nothing.
        return 0;
    }
    if (!recipient.envelope.parameters.notify.is_stated) {
        // G5: a stranger is told at most that it failed for good.
        return target.forwarder && arrival.forwarding_sender ? kFailure : std::uint8_t{0};
    }
    return stated_bits(recipient);
}

store::QueueRecipient entry_for(const ArrivalRecipient& recipient, std::string address,
                                std::uint8_t notify) {
    store::QueueRecipient entry;
    entry.address = std::move(address);
    entry.original = original_recipient(recipient);
    entry.notify = notify;
    return entry;
}

// RFC 7293: what was asked is about the address that was named, and no other behind it.
std::optional<store::ValidSince> handed_on(const ArrivalRecipient& recipient,
                                           const store::RemoteTarget& target) {
    const auto& since = recipient.envelope.parameters.valid_since;
    if (!since || target.is_forwarded) {
        return std::nullopt;
    }
    return store::ValidSince{.at = from_unix_seconds(since->at),
                             .must_be_checked = since->must_be_checked};
}

store::QueueMessage make_queue_message(const Settings& settings, const Arrival& arrival,
                                       WallTime now, std::string prefix) {
    store::QueueMessage message;
    message.mail = arrival.mail;
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
    const std::string helo = arrival.origin.forwarded_helo.value_or(arrival.origin.received.helo)
                                 .substr(0, kTraceWordMax);
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

// Makes queued messages of lanes: the first has the arrival's id, each further one its own.
struct LaneWriter {
    // Of the further ones, as many are named in the trace of the arrival.
    static constexpr std::size_t kNamed = 20;

    const Settings& settings;
    const Arrival& arrival;
    WallTime now;
    WallTime due;
    const std::function<MailId()>& next_id;
    std::size_t messages = 0;
    std::vector<std::string> named{};

    std::vector<store::PlanStep> write(const LaneKey& key, Lane lane, store::QueueMessage message) {
        std::vector<store::PlanStep> steps;
        message.sender = key.sender;
        message.expires_at = end_of_life(arrival.parameters, now, key.lifetime);
        if (lane.forwarder) {
            message.prefix.insert(0, mail::write_delivered_to(*lane.forwarder));
        }
        if (key.is_list) {
            // RFC 3461 5.2.7.1: a new message as far as reports go.
            message.envelope_id = "";
            message.return_headers_only = false;
            message.return_full = false;
        }
        if (messages++ > 0) {
            message.mail = next_id();
            if (named.size() < kNamed) {
                named.push_back(to_string(message.mail));
            }
            JsonWriter json;
            json.begin_object().field("from", key.sender).field("of", to_string(arrival.mail));
            json.field("size", arrival.body.size).end_object();
            steps.emplace_back(
                store::TraceEvent{message.mail, now, "accepted", std::move(json).take()});
        }
        store::AddToQueue entry;
        entry.message = std::move(message);
        std::uint32_t number = 0;
        for (auto& [domain, delivery] : lane.deliveries) {
            delivery.number = number++;
            delivery.site = domain;
            delivery.due = due;
            if (is_kept_for_request(settings, domain)) {
                delivery.is_held = true;
                delivery.held_reason = held_for_request;
            }
            entry.deliveries.push_back(std::move(delivery));
        }
        steps.emplace_back(std::move(entry));
        return steps;
    }
    [[nodiscard]] std::string detail() const {
        JsonWriter json;
        json.begin_object().field("further", static_cast<std::uint64_t>(messages - 1));
        json.key("ids").begin_array();
        for (const std::string& id : named) {
            json.string(id);
        }
        json.end_array().end_object();
        return std::move(json).take();
    }
};

}  // namespace

Placement place(const Settings& settings, const Arrival& arrival, WallTime now,
                const std::vector<bool>& is_left_out, const std::function<MailId()>& next_id) {
    Placement placement;
    std::optional<store::MessageRecord> record;  // Made when the first mailbox needs it.
    const bool is_single =
        std::ranges::count(arrival.recipients, false, &ArrivalRecipient::is_archive) == 1;
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
    std::map<LaneKey, Lane> lanes;
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
                    LaneKey key;
                    key.sender = arrival.sender ? arrival.sender->to_string() : "";
                    key.lifetime = settings.retry.lifetime;
                    lanes[std::move(key)]
                        .deliveries[std::string(store::local_site)]
                        .recipients.push_back(
                            entry_for(recipient, local->account_name, stated_bits(recipient)));
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
            const auto& remote = std::get<store::RemoteTarget>(target);
            const mail::Address& address = remote.address;
            if (!queued.insert(mail::account_key(address)).second) {
                continue;
            }
            LaneKey key = lane_of(settings, arrival, remote);
            store::QueueRecipient entry =
                entry_for(recipient, address.to_string(), notify_bits(arrival, recipient, remote));
            entry.valid_since = handed_on(recipient, remote);
            if (key.is_list) {
                entry.original.clear();
            }
            Lane& lane = lanes[std::move(key)];
            lane.forwarder = remote.forwarder;
            lane.deliveries[address.domain].recipients.push_back(std::move(entry));
        }
    }
    placement.local_count = release ? 0 : delivered.size();
    placement.remote_count = queued.size() + (release ? delivered.size() : 0);
    const store::QueueMessage message = make_queue_message(settings, arrival, now, received);
    LaneWriter writer{.settings = settings,
                      .arrival = arrival,
                      .now = now,
                      .due = release.value_or(now),
                      .next_id = next_id};
    for (auto& [key, lane] : lanes) {
        for (store::PlanStep& step : writer.write(key, std::move(lane), message)) {
            add(std::move(step), kNoRecipient);
        }
    }
    add(store::TraceEvent{arrival.mail, now, "accepted", accepted_detail(arrival)}, kNoRecipient);
    if (writer.messages > 1) {
        add(store::TraceEvent{arrival.mail, now, "sent_on", writer.detail()}, kNoRecipient);
    }
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
