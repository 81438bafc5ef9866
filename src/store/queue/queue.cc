#include "store/queue/queue.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "store/kv/key.h"
#include "store/kv/record.h"
#include "store/mailbox/keys.h"

namespace godwit::store {

namespace {
constexpr std::uint8_t kVersion = 1;
// Of a delivery that was in hand at a crash; all others stay readable for programs before it.
constexpr std::uint8_t kCrashedVersion = 2;
// Of a message, or a delivery with a recipient, that came with something of an SMTP extension; all
// others stay readable for programs before it. Behind what version 1 holds stands a list of marked
// fields: a reader that does not know a mark refuses the record.
constexpr std::uint8_t kExtendedVersion = 3;

enum MessageBits : std::uint8_t {
    kIs8bit = 1,
    kNeedsSmtputf8 = 2,
    kReturnHeadersOnly = 4,
    kReturnFull = 8
};
enum DeliveryBits : std::uint8_t { kIsHeld = 1, kWasTried = 2 };

// Marks of fields; never reused.
enum class MessageField : std::uint8_t {
    End = 0,
    Bits = 1,
    DeliverBy = 2,
    Priority = 3,
    ReleaseAt = 4,
    Auth = 5,
    Solicit = 6
};
enum MoreMessageBits : std::uint8_t {
    kIsBinary = 1,
    kHasLongLines = 2,
    kRequireTls = 4,
    kTlsOptional = 8
};
enum class RecipientField : std::uint8_t {
    End = 0,
    ValidSince = 1,
    LatenessReported = 2,
    DotDrops = 3
};

void write_time(ByteWriter& out, WallTime time) {
    out.svarint(time.time_since_epoch().count());
}
WallTime read_time(ByteReader& in) {
    return WallTime(std::chrono::microseconds(in.svarint()));
}

/// Times as keys: the sign bit turned, so that they sort as numbers.
std::uint64_t sortable(WallTime time) {
    return static_cast<std::uint64_t>(time.time_since_epoch().count()) ^ (std::uint64_t{1} << 63U);
}
WallTime from_sortable(std::uint64_t number) {
    return WallTime(
        std::chrono::microseconds(static_cast<std::int64_t>(number ^ (std::uint64_t{1} << 63U))));
}

Result<ByteReader> open(std::string_view value, std::string_view name) {
    return read_record(value, kVersion, name);
}

Error unreadable_key() {
    return internal_error(ErrorCode::Corrupt, "due index: key does not parse").error();
}

char letter(Family family) {
    return static_cast<char>(family);
}

/// NUL ends a site's name: 0x01 behind the name is past all its rows.
std::string past_site(std::string_view site) {
    return make_key(letter(Family::Due), site, std::string_view("\x01", 1));
}

// Of the octet behind the host.
constexpr std::uint8_t kDelayReported = 1;
constexpr std::uint8_t kLastIsOurs = 2;

void write_recipient(ByteWriter& out, const QueueRecipient& recipient) {
    const auto bounded = [](std::string_view text) {
        return text.substr(0, limits::queue_error_text_size_max);
    };
    out.bytes(recipient.address).bytes(recipient.original).u8(recipient.notify);
    out.u8(static_cast<std::uint8_t>(recipient.state));
    out.bytes(bounded(recipient.last_reply)).bytes(bounded(recipient.last_status));
    out.bytes(bounded(recipient.last_remote));
    out.u8(static_cast<std::uint8_t>((recipient.delay_reported ? kDelayReported : 0) |
                                     (recipient.is_last_ours ? kLastIsOurs : 0)));
}
Result<QueueRecipient> read_recipient(ByteReader& in) {
    QueueRecipient recipient;
    recipient.address = in.bytes();
    recipient.original = in.bytes();
    recipient.notify = in.u8();
    const std::uint8_t state = in.u8();
    if (state > static_cast<std::uint8_t>(RecipientState::Dropped)) {
        return internal_error(ErrorCode::Corrupt, "queue delivery: unknown recipient state");
    }
    recipient.state = static_cast<RecipientState>(state);
    recipient.last_reply = in.bytes();
    recipient.last_status = in.bytes();
    recipient.last_remote = in.bytes();
    const std::uint8_t marks = in.u8();
    recipient.delay_reported = (marks & kDelayReported) != 0;
    recipient.is_last_ours = (marks & kLastIsOurs) != 0;
    return recipient;
}

bool is_extended(const QueueRecipient& recipient) {
    return recipient.valid_since || recipient.lateness_reported || recipient.dot_drops != 0;
}
void write_recipient_fields(ByteWriter& out, const QueueRecipient& recipient) {
    const auto mark = [&out](RecipientField field) { out.u8(static_cast<std::uint8_t>(field)); };
    if (recipient.valid_since) {
        mark(RecipientField::ValidSince);
        write_time(out, recipient.valid_since->at);
        out.u8(recipient.valid_since->must_be_checked ? 1 : 0);
    }
    if (recipient.lateness_reported) {
        mark(RecipientField::LatenessReported);
    }
    if (recipient.dot_drops != 0) {
        mark(RecipientField::DotDrops);
        out.varint(recipient.dot_drops);
    }
    mark(RecipientField::End);
}
Result<> read_recipient_fields(ByteReader& in, QueueRecipient& recipient) {
    for (std::uint8_t mark = in.u8(); in.ok(); mark = in.u8()) {
        switch (static_cast<RecipientField>(mark)) {
            case RecipientField::End: return {};
            case RecipientField::ValidSince: {
                const WallTime at = read_time(in);
                recipient.valid_since = ValidSince{.at = at, .must_be_checked = in.u8() != 0};
                break;
            }
            case RecipientField::LatenessReported: recipient.lateness_reported = true; break;
            case RecipientField::DotDrops:
                recipient.dot_drops = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
                break;
            default:
                return internal_error(ErrorCode::Unsupported,
                                      "queue delivery: a field of a later version");
        }
    }
    return {};
}

std::uint8_t more_bits(const QueueMessage& message) {
    return static_cast<std::uint8_t>(
        (message.is_binary ? kIsBinary : 0) | (message.has_long_lines ? kHasLongLines : 0) |
        (message.require_tls ? kRequireTls : 0) | (message.tls_optional ? kTlsOptional : 0));
}
bool is_extended(const QueueMessage& message) {
    return more_bits(message) != 0 || message.deliver_by || message.priority ||
           message.release_at || message.auth || !message.solicit.empty();
}
void write_message_fields(ByteWriter& out, const QueueMessage& message) {
    const auto mark = [&out](MessageField field) { out.u8(static_cast<std::uint8_t>(field)); };
    if (const std::uint8_t bits = more_bits(message); bits != 0) {
        mark(MessageField::Bits);
        out.u8(bits);
    }
    if (message.deliver_by) {
        mark(MessageField::DeliverBy);
        write_time(out, message.deliver_by->deadline);
        out.u8(message.deliver_by->mode == DeliverBy::Mode::Return ? 1 : 0);
        out.u8(message.deliver_by->is_traced ? 1 : 0);
    }
    if (message.priority) {
        mark(MessageField::Priority);
        out.svarint(*message.priority);
    }
    if (message.release_at) {
        mark(MessageField::ReleaseAt);
        write_time(out, *message.release_at);
    }
    if (message.auth) {
        mark(MessageField::Auth);
        out.bytes(*message.auth);
    }
    if (!message.solicit.empty()) {
        mark(MessageField::Solicit);
        out.bytes(message.solicit);
    }
    mark(MessageField::End);
}
Result<> read_message_field(ByteReader& in, MessageField field, QueueMessage& message) {
    switch (field) {
        case MessageField::Bits: {
            const std::uint8_t bits = in.u8();
            message.is_binary = (bits & kIsBinary) != 0;
            message.has_long_lines = (bits & kHasLongLines) != 0;
            message.require_tls = (bits & kRequireTls) != 0;
            message.tls_optional = (bits & kTlsOptional) != 0;
            return {};
        }
        case MessageField::DeliverBy: {
            DeliverBy by;
            by.deadline = read_time(in);
            by.mode = in.u8() != 0 ? DeliverBy::Mode::Return : DeliverBy::Mode::Notify;
            by.is_traced = in.u8() != 0;
            message.deliver_by = by;
            return {};
        }
        case MessageField::Priority: {
            const std::int64_t priority = in.svarint();
            if (priority < -mail_priority_max || priority > mail_priority_max) {
                return internal_error(ErrorCode::Corrupt, "queue message: no such priority");
            }
            message.priority = static_cast<int>(priority);
            return {};
        }
        case MessageField::ReleaseAt: message.release_at = read_time(in); return {};
        case MessageField::Auth: message.auth = std::string(in.bytes()); return {};
        case MessageField::Solicit: message.solicit = in.bytes(); return {};
        case MessageField::End: break;
    }
    return internal_error(ErrorCode::Unsupported, "queue message: a field of a later version");
}
Result<> read_message_fields(ByteReader& in, QueueMessage& message) {
    for (std::uint8_t mark = in.u8(); in.ok() && mark != 0; mark = in.u8()) {
        TRY(read_message_field(in, static_cast<MessageField>(mark), message));
    }
    return {};
}
}  // namespace

std::string encode(const QueueMessage& message) {
    const bool extended = is_extended(message);
    ByteWriter out = begin_record(extended ? kExtendedVersion : kVersion);
    out.u64(message.mail.value()).bytes(message.sender).raw(message.blob.bytes());
    out.varint(message.blob_size).bytes(message.prefix);
    write_time(out, message.accepted_at);
    write_time(out, message.expires_at);
    out.u8(static_cast<std::uint8_t>((message.is_8bit ? kIs8bit : 0) |
                                     (message.needs_smtputf8 ? kNeedsSmtputf8 : 0) |
                                     (message.return_headers_only ? kReturnHeadersOnly : 0) |
                                     (message.return_full ? kReturnFull : 0)));
    out.bytes(message.envelope_id).varint(message.submitter.value()).bytes(message.peer);
    out.varint(message.deliveries);
    if (extended) {
        write_message_fields(out, message);
    }
    return seal(std::move(out));
}

Result<QueueMessage> decode_queue_message(std::string_view value) {
    const auto record = open_record(value);
    const bool extended = record && record->version == kExtendedVersion;
    ByteReader in = extended ? ByteReader(record->payload) : TRY(open(value, "queue message"));
    QueueMessage message;
    message.mail = MailId(in.u64());
    message.sender = in.bytes();
    const std::string_view hash = in.raw(sizeof(BlobId::hash));
    message.blob_size = in.varint();
    message.prefix = in.bytes();
    message.accepted_at = read_time(in);
    message.expires_at = read_time(in);
    const std::uint8_t bits = in.u8();
    message.is_8bit = (bits & kIs8bit) != 0;
    message.needs_smtputf8 = (bits & kNeedsSmtputf8) != 0;
    message.return_headers_only = (bits & kReturnHeadersOnly) != 0;
    message.return_full = (bits & kReturnFull) != 0;
    message.envelope_id = in.bytes();
    message.submitter = AccountId(static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX)));
    message.peer = in.bytes();
    message.deliveries = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
    if (extended) {
        TRY(read_message_fields(in, message));
    }
    TRY(in.finish("queue message"));
    message.blob = BlobId::from_bytes(hash);
    return message;
}

std::string encode(const QueueDelivery& delivery) {
    const bool extended =
        std::ranges::any_of(delivery.recipients,
                            [](const QueueRecipient& recipient) { return is_extended(recipient); });
    const std::uint8_t version = extended                ? kExtendedVersion
                                 : delivery.crashes != 0 ? kCrashedVersion
                                                         : kVersion;
    ByteWriter out = begin_record(version);
    if (version != kVersion) {
        out.varint(delivery.crashes);
    }
    out.u32(delivery.number).bytes(delivery.site).varint(delivery.attempts);
    write_time(out, delivery.due);
    out.u8(static_cast<std::uint8_t>((delivery.is_held ? kIsHeld : 0) |
                                     (delivery.last_attempt ? kWasTried : 0)));
    if (delivery.last_attempt) {
        write_time(out, *delivery.last_attempt);
    }
    out.bytes(delivery.held_reason).varint(delivery.recipients.size());
    for (const QueueRecipient& recipient : delivery.recipients) {
        write_recipient(out, recipient);
        if (extended) {
            write_recipient_fields(out, recipient);
        }
    }
    return seal(std::move(out));
}

Result<QueueDelivery> decode_queue_delivery(std::string_view value) {
    const auto record = open_record(value);
    const bool extended = record && record->version == kExtendedVersion;
    const bool has_crashed = extended || (record && record->version == kCrashedVersion);
    ByteReader in = has_crashed ? ByteReader(record->payload) : TRY(open(value, "queue delivery"));
    QueueDelivery delivery;
    if (has_crashed) {
        delivery.crashes = static_cast<std::uint32_t>(in.varint_at_most(delivery_crashes_max));
    }
    delivery.number = in.u32();
    delivery.site = in.bytes();
    delivery.attempts = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
    delivery.due = read_time(in);
    const std::uint8_t bits = in.u8();
    delivery.is_held = (bits & kIsHeld) != 0;
    if ((bits & kWasTried) != 0) {
        delivery.last_attempt = read_time(in);
    }
    delivery.held_reason = in.bytes();
    const std::uint64_t recipients = in.varint_at_most(limits::alias_expansion_max * 10);
    for (std::uint64_t i = 0; i < recipients && in.ok(); ++i) {
        QueueRecipient recipient = TRY(read_recipient(in));
        if (extended) {
            TRY(read_recipient_fields(in, recipient));
        }
        delivery.recipients.push_back(std::move(recipient));
    }
    TRY(in.finish("queue delivery"));
    return delivery;
}

std::string queue_message_key(MailId mail) {
    return make_key(letter(Family::QueueMessage), mail);
}
std::string queue_delivery_prefix(MailId mail) {
    return make_key(letter(Family::QueueDelivery), mail);
}
std::string queue_delivery_key(MailId mail, std::uint32_t number) {
    return make_key(letter(Family::QueueDelivery), mail, number);
}
std::string due_key(std::string_view site, WallTime due, MailId mail, std::uint32_t number) {
    return make_key(letter(Family::Due), site, std::string_view("\0", 1), sortable(due), mail,
                    number);
}

std::optional<DueDelivery> parse_due_key(std::string_view key) {
    constexpr std::size_t kTail = 1 + 8 + 8 + 4;
    if (key.size() < 1 + kTail || key.front() != letter(Family::Due) ||
        key[key.size() - kTail] != '\0') {
        return std::nullopt;
    }
    ByteReader tail(key.substr(key.size() - kTail + 1));
    DueDelivery row;
    row.site = key.substr(1, key.size() - kTail - 1);
    row.due = from_sortable(tail.u64());
    row.mail = MailId(tail.u64());
    row.number = tail.u32();
    return row;
}

Result<std::optional<QueueMessage>> read_queue_message(const Snapshot& snapshot, ReadTier tier,
                                                       MailId mail) {
    const std::optional<std::string> value = TRY(snapshot.get(queue_message_key(mail), tier));
    if (!value) {
        return std::nullopt;
    }
    return TRY(decode_queue_message(*value));
}

Result<std::optional<QueueDelivery>> read_delivery(const Snapshot& snapshot, ReadTier tier,
                                                   MailId mail, std::uint32_t number) {
    const std::optional<std::string> value =
        TRY(snapshot.get(queue_delivery_key(mail, number), tier));
    if (!value) {
        return std::nullopt;
    }
    return TRY(decode_queue_delivery(*value));
}

namespace {
/// From where the cursor stands, or from the first delivery of `mail`; leaves it behind the last.
Result<std::vector<QueueDelivery>> gather_deliveries(Cursor& cursor, MailId mail) {
    const std::string prefix = queue_delivery_prefix(mail);
    if (!cursor.is_valid() || !cursor.key().starts_with(prefix)) {
        cursor.seek(prefix);
    }
    std::vector<QueueDelivery> deliveries;
    for (; cursor.is_valid() && cursor.key().starts_with(prefix) &&
           deliveries.size() < queue_deliveries_max;
         cursor.next()) {
        QueueDelivery damaged;
        damaged.number = key_tail_u32(cursor.key());
        damaged.is_held = damaged.is_damaged = true;
        damaged.held_reason = "its row is damaged: godwit fsck --repair";
        deliveries.push_back(TRY(if_sound(cursor.key(), decode_queue_delivery(cursor.value())))
                                 .value_or(std::move(damaged)));
    }
    TRY(cursor.status());
    return deliveries;
}
}  // namespace

Result<std::vector<QueueDelivery>> read_deliveries(const Snapshot& snapshot, ReadTier tier,
                                                   MailId mail) {
    const std::string upper = prefix_end(queue_delivery_prefix(mail));
    return gather_deliveries(*snapshot.cursor(tier, upper), mail);
}

Result<std::vector<QueuedMessage>> walk_queue(const Snapshot& snapshot, ReadTier tier, MailId after,
                                              std::size_t count) {
    const std::string upper = prefix_end(make_key(letter(Family::QueueDelivery)));
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    std::vector<QueuedMessage> found;
    for (QueueMessage& message : TRY(list_queue(snapshot, tier, after, count))) {
        const MailId mail = message.mail;
        found.push_back(
            {.message = std::move(message), .deliveries = TRY(gather_deliveries(*cursor, mail))});
    }
    return found;
}

Result<std::optional<MailId>> last_queued(const Snapshot& snapshot, ReadTier tier) {
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier);
    cursor->seek_back(queue_message_key(MailId(UINT64_MAX)));
    TRY(cursor->status());
    if (!cursor->is_valid() || cursor->key().front() != letter(Family::QueueMessage)) {
        return std::nullopt;
    }
    return MailId(ByteReader(cursor->key().substr(1)).u64());
}

Result<std::vector<QueueMessage>> list_queue(const Snapshot& snapshot, ReadTier tier, MailId after,
                                             std::size_t count) {
    count = std::min(count, limits::scan_rows_max);
    const std::string upper = prefix_end(make_key(letter(Family::QueueMessage)));
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    std::vector<QueueMessage> messages;
    // One octet more than the key of `after`: the first place behind it.
    for (cursor->seek(queue_message_key(after) + '\0');
         cursor->is_valid() && messages.size() < count; cursor->next()) {
        QueueMessage damaged;
        damaged.mail = MailId(key_tail_u64(cursor->key()));
        damaged.expires_at = WallTime::max();
        damaged.is_damaged = true;
        messages.push_back(TRY(if_sound(cursor->key(), decode_queue_message(cursor->value())))
                               .value_or(std::move(damaged)));
    }
    TRY(cursor->status());
    return messages;
}

std::string queue_count_key() {
    return make_key(family::meta, std::string_view("Q"));
}
std::string encode_queue_count(std::uint64_t count) {
    ByteWriter out = begin_record(kVersion);
    out.u64(count);
    return seal(std::move(out));
}
Result<std::uint64_t> decode_queue_count(std::string_view value) {
    ByteReader in = TRY(open(value, "queue count"));
    const std::uint64_t count = in.u64();
    TRY(in.finish("queue count"));
    return count;
}
Result<std::uint64_t> read_queue_count(const Snapshot& snapshot, ReadTier tier) {
    const std::optional<std::string> value = TRY(snapshot.get(queue_count_key(), tier));
    return value ? TRY(decode_queue_count(*value)) : 0;
}

Result<std::vector<DueDelivery>> due_sites(const Snapshot& snapshot, ReadTier tier,
                                           std::string_view after, std::size_t count) {
    count = std::min(count, limits::scan_rows_max);
    const std::string upper = prefix_end(make_key(letter(Family::Due)));
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    std::vector<DueDelivery> sites;
    cursor->seek(after.empty() ? make_key(letter(Family::Due)) : past_site(after));
    while (cursor->is_valid() && sites.size() < count) {
        std::optional<DueDelivery> row = parse_due_key(cursor->key());
        if (!row) {
            log_damage(cursor->key(), unreadable_key());
            cursor->next();
            continue;
        }
        const std::string next = past_site(row->site);
        sites.push_back(*std::move(row));
        cursor->seek(next);
    }
    TRY(cursor->status());
    return sites;
}

Result<std::vector<DueDelivery>> due_deliveries(const Snapshot& snapshot, ReadTier tier,
                                                const DueRange& range) {
    const std::size_t count = std::min(range.count, limits::scan_rows_max);
    const std::string upper = past_site(range.site);
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    std::vector<DueDelivery> rows;
    for (cursor->seek(due_key(range.site, range.from.due, range.from.mail, range.from.number));
         cursor->is_valid() && rows.size() < count &&
         (rows.empty() || rows.back().due < range.until);
         cursor->next()) {
        std::optional<DueDelivery> row = parse_due_key(cursor->key());
        if (!row) {
            log_damage(cursor->key(), unreadable_key());
            continue;
        }
        rows.push_back(*std::move(row));
    }
    TRY(cursor->status());
    return rows;
}

Result<std::vector<DueDelivery>> due_beyond(const Snapshot& snapshot, ReadTier tier,
                                            const DueDelivery& after, WallTime bound,
                                            std::size_t count) {
    count = std::min(count, limits::scan_rows_max);
    const std::string upper = prefix_end(make_key(letter(Family::Due)));
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    std::vector<DueDelivery> rows;
    cursor->seek(after.site.empty()
                     ? make_key(letter(Family::Due))
                     : due_key(after.site, after.due, after.mail, after.number) + '\0');
    while (cursor->is_valid() && rows.size() < count) {
        std::optional<DueDelivery> row = parse_due_key(cursor->key());
        if (!row) {
            log_damage(cursor->key(), unreadable_key());
            cursor->next();
        } else if (row->due > bound) {
            rows.push_back(*std::move(row));
            cursor->next();
        } else {
            cursor->seek(due_key(row->site, bound, MailId(UINT64_MAX), UINT32_MAX) + '\0');
        }
    }
    TRY(cursor->status());
    return rows;
}

}  // namespace godwit::store
