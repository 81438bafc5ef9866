#include "store/mailbox/schema.h"

#include "base/ascii.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "store/kv/record.h"

namespace godwit::store {

namespace {
constexpr std::uint8_t kVersion = 1;
// A row of one step: no step names more messages than a plan may (limits.h), so neither does a row.
constexpr std::size_t kUidsMax = limits::plan_rows_max;

ByteWriter begin() {
    return begin_record(kVersion);
}

/// A reader over the payload of a sealed value.
Result<ByteReader> open(std::string_view value, std::string_view name) {
    return read_record(value, kVersion, name);
}

/// Rising numbers as runs: gap from the last run's end, length.
void write_uids(ByteWriter& out, const std::vector<Uid>& uids) {
    out.varint(uids.size());
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < uids.size();) {
        std::size_t end = i + 1;
        while (end < uids.size() && uids[end].value() == uids[end - 1].value() + 1) {
            ++end;
        }
        out.varint(uids[i].value() - last).varint(end - i);
        last = uids[end - 1].value();
        i = end;
    }
}

std::vector<Uid> read_uids(ByteReader& reader) {
    const std::uint64_t count = reader.varint_at_most(kUidsMax);
    std::vector<Uid> uids;
    std::uint64_t last = 0;
    while (uids.size() < count && reader.ok()) {
        std::uint64_t uid = last + reader.varint_at_most(UINT32_MAX);
        const std::uint64_t length = reader.varint_at_most(count - uids.size());
        // A run of nothing would never end, and no number may pass 32 bits.
        if (length == 0 || uid + length - 1 > UINT32_MAX) {
            reader.raw(reader.remaining() + 1);
            break;
        }
        for (std::uint64_t i = 0; i < length; ++i) {
            uids.emplace_back(static_cast<std::uint32_t>(uid++));
        }
        last = uid - 1;
    }
    return uids;
}
}  // namespace

std::string encode(const AccountHead& head) {
    ByteWriter out = begin();
    out.varint(head.next_email).varint(head.next_mailbox).varint(head.mod_seq);
    out.varint(head.bytes_used)
        .varint(head.messages_used)
        .varint(head.mailboxes)
        .varint(head.subscriptions);
    out.varint(head.last_uid_validity).varint(head.oldest_log);
    return seal(std::move(out));
}
Result<AccountHead> decode_head(std::string_view value) {
    ByteReader in = TRY(open(value, "account head"));
    AccountHead head;
    head.next_email = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
    head.next_mailbox = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
    head.mod_seq = in.varint();
    head.bytes_used = in.varint();
    head.messages_used = in.varint();
    head.mailboxes = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
    head.subscriptions = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
    head.last_uid_validity = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
    head.oldest_log = in.varint();
    TRY(in.finish("account head"));
    return head;
}

std::string encode(const MailboxFixed& fixed) {
    ByteWriter out = begin();
    out.bytes(fixed.name).bytes(fixed.special_use).varint(fixed.uid_validity.value());
    out.varint(fixed.created.value()).u8(fixed.is_selectable ? 1 : 0);
    return seal(std::move(out));
}
Result<MailboxFixed> decode_fixed(std::string_view value) {
    ByteReader in = TRY(open(value, "mailbox"));
    MailboxFixed fixed;
    fixed.name = in.bytes();
    fixed.special_use = in.bytes();
    fixed.uid_validity = UidValidity(static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX)));
    fixed.created = ModSeq(in.varint());
    fixed.is_selectable = in.u8() != 0;
    TRY(in.finish("mailbox"));
    return fixed;
}

std::string encode(const MailboxCounters& counters) {
    ByteWriter out = begin();
    out.varint(counters.uid_next.value()).varint(counters.highest_mod_seq.value());
    out.varint(counters.messages).varint(counters.unseen).varint(counters.deleted);
    out.varint(counters.bytes).varint(counters.recent_after.value());
    return seal(std::move(out));
}
Result<MailboxCounters> decode_counters(std::string_view value) {
    ByteReader in = TRY(open(value, "mailbox counters"));
    MailboxCounters counters;
    counters.uid_next = Uid(static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX)));
    counters.highest_mod_seq = ModSeq(in.varint());
    counters.messages = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
    counters.unseen = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
    counters.deleted = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
    counters.bytes = in.varint();
    counters.recent_after = Uid(static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX)));
    TRY(in.finish("mailbox counters"));
    return counters;
}

std::string encode(const MessageRow& row) {
    ByteWriter out = begin();
    out.varint(row.email.value()).varint(row.thread.value()).varint(row.mod_seq.value());
    out.u8(row.flags.system);
    const auto& words = row.flags.keywords.words();
    std::uint8_t used = 0;
    for (std::uint8_t i = 0; i < words.size(); ++i) {
        used = words[i] != 0 ? static_cast<std::uint8_t>(i + 1) : used;
    }
    out.u8(used);
    for (std::uint8_t i = 0; i < used; ++i) {
        out.varint(words[i]);
    }
    // Most messages are saved when they arrive: the second date is a small number then. The
    // difference wraps, as any two dates a client sends must come back.
    const auto saved_later = static_cast<std::int64_t>(
        static_cast<std::uint64_t>(row.saved_at) - static_cast<std::uint64_t>(row.internal_date));
    out.svarint(row.internal_date).svarint(saved_later).varint(row.size);
    return seal(std::move(out));
}
Result<MessageRow> decode_row(Uid uid, std::string_view value) {
    ByteReader in = TRY(open(value, "message row"));
    MessageRow row;
    row.uid = uid;
    row.email = EmailId(static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX)));
    row.thread = ThreadId(static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX)));
    row.mod_seq = ModSeq(in.varint());
    row.flags.system = in.u8();
    const std::uint8_t used = in.u8();
    auto& words = row.flags.keywords.words();
    if (used > words.size()) {
        return internal_error(ErrorCode::Corrupt, "message row: too many keywords");
    }
    for (std::uint8_t i = 0; i < used; ++i) {
        words[i] = in.varint();
    }
    row.internal_date = in.svarint();
    row.saved_at = static_cast<std::int64_t>(static_cast<std::uint64_t>(row.internal_date) +
                                             static_cast<std::uint64_t>(in.svarint()));
    row.size = in.varint();
    TRY(in.finish("message row"));
    return row;
}

namespace {
// 2: with a unique id; written only where there is one.
constexpr std::uint8_t kEmailVersion = 2;

struct OpenedEmail {
    ByteReader in;
    std::uint8_t version = kVersion;
};
Result<OpenedEmail> open_email(std::string_view value) {
    const auto record = open_record(value);
    const std::uint8_t version =
        record && record->version == kEmailVersion ? kEmailVersion : kVersion;
    return OpenedEmail{.in = TRY(read_record(value, version, "email")), .version = version};
}

Result<EmailHead> read_email_head(ByteReader& in, std::uint8_t version) {
    EmailHead head;
    const std::string_view hash = in.raw(head.blob.hash.size());
    head.thread = ThreadId(static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX)));
    head.first.mailbox = MailboxId(static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX)));
    head.first.uid = Uid(static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX)));
    const std::uint64_t hashes = in.varint_at_most(limits::thread_references_max);
    for (std::uint64_t i = 0; i < hashes; ++i) {
        head.reference_hashes.push_back(in.u64());
    }
    if (version == kEmailVersion) {
        head.unique_id = in.bytes();
    }
    TRY(in.finish("email", false));
    head.blob = BlobId::from_bytes(hash);
    return head;
}
}  // namespace

std::string encode(const EmailRow& row) {
    const bool has_name = !row.head.unique_id.empty();
    ByteWriter out = begin_record(has_name ? kEmailVersion : kVersion);
    out.raw(row.head.blob.bytes()).varint(row.head.thread.value());
    out.varint(row.head.first.mailbox.value()).varint(row.head.first.uid.value());
    out.varint(row.head.reference_hashes.size());
    for (const std::uint64_t hash : row.head.reference_hashes) {
        out.u64(hash);
    }
    if (has_name) {
        out.bytes(row.head.unique_id);
    }
    out.varint(row.mail.value()).varint(row.blob_size).svarint(row.sent_at);
    out.bytes(row.prefix).bytes(row.summary);
    return seal(std::move(out));
}
Result<EmailRow> decode_email(std::string_view value) {
    auto [in, version] = TRY(open_email(value));
    EmailRow row;
    row.head = TRY(read_email_head(in, version));
    row.mail = MailId(in.varint());
    row.blob_size = in.varint();
    row.sent_at = in.svarint();
    row.prefix = in.bytes();
    row.summary = in.bytes();
    TRY(in.finish("email"));
    return row;
}
Result<EmailHead> decode_email_head(std::string_view value) {
    auto [in, version] = TRY(open_email(value));
    return read_email_head(in, version);
}
Result<EmailView> view_email(std::string_view value) {
    const OpenedView record = TRY(open_record(value));
    if (record.version != kVersion && record.version != kEmailVersion) {
        return std::unexpected(open_email(value).error());
    }
    ByteReader in(record.payload);
    in.raw(sizeof(BlobId::hash));
    in.varint();  // Thread.
    in.varint();  // Mailbox and uid it came to.
    in.varint();
    in.raw(in.varint_at_most(limits::thread_references_max) * sizeof(std::uint64_t));
    if (record.version == kEmailVersion) {
        in.bytes();
    }
    in.varint();  // Mail.
    EmailView view;
    view.blob_size = in.varint();
    in.svarint();  // When it was sent.
    view.prefix = in.bytes();
    view.summary = in.bytes();
    TRY(in.finish("email"));
    return view;
}

std::string encode(const std::vector<EmailPlace>& places) {
    ByteWriter out = begin();
    out.varint(places.size());
    for (const EmailPlace& place : places) {
        out.varint(place.mailbox.value()).varint(place.uid.value());
    }
    return seal(std::move(out));
}
Result<std::vector<EmailPlace>> decode_places(std::string_view value) {
    ByteReader in = TRY(open(value, "email places"));
    // Two octets each at the least: what is left bounds the count.
    const std::uint64_t count = in.varint_at_most(in.remaining() / 2);
    std::vector<EmailPlace> places;
    places.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto mailbox = MailboxId(static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX)));
        const auto uid = Uid(static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX)));
        places.push_back({.mailbox = mailbox, .uid = uid});
    }
    TRY(in.finish("email places"));
    return places;
}

std::string encode(const LogRow& row) {
    ByteWriter out = begin();
    out.u8(static_cast<std::uint8_t>(row.kind)).varint(row.mailbox.value()).svarint(row.at);
    write_uids(out, row.uids);
    std::int64_t last = 0;
    out.varint(row.emails.size());
    for (const EmailId email : row.emails) {
        out.svarint(static_cast<std::int64_t>(email.value()) - last);
        last = email.value();
    }
    return seal(std::move(out));
}
Result<LogRow> decode_log(ModSeq mod_seq, std::string_view value) {
    ByteReader in = TRY(open(value, "change log"));
    LogRow row;
    row.mod_seq = mod_seq;
    const std::uint8_t kind = in.u8();
    if (kind < static_cast<std::uint8_t>(LogKind::Appended) ||
        kind > static_cast<std::uint8_t>(LogKind::MailboxDeleted)) {
        return internal_error(ErrorCode::Corrupt, "change log: unknown kind");
    }
    row.kind = static_cast<LogKind>(kind);
    row.mailbox = MailboxId(static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX)));
    row.at = in.svarint();
    row.uids = read_uids(in);
    const std::uint64_t emails = in.varint_at_most(kUidsMax);
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < emails && in.ok(); ++i) {
        last += static_cast<std::uint64_t>(in.svarint());
        row.emails.emplace_back(static_cast<std::uint32_t>(last));
    }
    TRY(in.finish("change log"));
    return row;
}

std::string encode(const ThreadReference& reference) {
    ByteWriter out = begin();
    out.varint(reference.thread.value()).varint(reference.emails);
    return seal(std::move(out));
}
Result<ThreadReference> decode_thread_reference(std::string_view value) {
    ByteReader in = TRY(open(value, "thread reference"));
    ThreadReference reference;
    reference.thread = ThreadId(static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX)));
    reference.emails = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
    TRY(in.finish("thread reference"));
    return reference;
}

std::string encode_keywords(const std::vector<std::string>& names) {
    ByteWriter out = begin();
    out.varint(names.size());
    for (const std::string& name : names) {
        out.bytes(name);
    }
    return seal(std::move(out));
}
Result<std::vector<std::string>> decode_keywords(std::string_view value) {
    ByteReader in = TRY(open(value, "keywords"));
    const std::uint64_t count = in.varint_at_most(KeywordSet::kCapacity);
    std::vector<std::string> names;
    for (std::uint64_t i = 0; i < count; ++i) {
        names.emplace_back(in.bytes());
    }
    TRY(in.finish("keywords"));
    return names;
}

std::string encode(const TraceEvent& event) {
    ByteWriter out = begin();
    out.svarint(event.at.time_since_epoch().count()).bytes(event.kind).bytes(event.detail);
    return seal(std::move(out));
}
Result<TraceEvent> decode_trace(MailId mail, std::string_view value) {
    ByteReader in = TRY(open(value, "trace event"));
    TraceEvent event;
    event.mail = mail;
    event.at = WallTime(std::chrono::microseconds(in.svarint()));
    event.kind = in.bytes();
    event.detail = in.bytes();
    TRY(in.finish("trace event"));
    return event;
}

std::string encode(const Appended& appended) {
    ByteWriter out = begin();
    out.varint(appended.uid_validity.value()).varint(appended.uid.value());
    out.varint(appended.email.value()).varint(appended.mod_seq.value());
    return seal(std::move(out));
}
Result<Appended> decode_once(std::string_view value) {
    ByteReader in = TRY(open(value, "once key"));
    Appended appended;
    appended.uid_validity = UidValidity(static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX)));
    appended.uid = Uid(static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX)));
    appended.email = EmailId(static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX)));
    appended.mod_seq = ModSeq(in.varint());
    appended.was_duplicate = true;
    TRY(in.finish("once key"));
    return appended;
}

std::string encode_number(std::uint64_t number) {
    ByteWriter out = begin();
    out.varint(number);
    return seal(std::move(out));
}
Result<std::uint64_t> decode_number(std::string_view value, std::string_view name) {
    ByteReader in = TRY(open(value, name));
    const std::uint64_t number = in.varint();
    TRY(in.finish(name));
    return number;
}
std::string encode_annotation(std::string_view value) {
    ByteWriter out = begin();
    out.bytes(value);
    return seal(std::move(out));
}
Result<std::string> decode_annotation(std::string_view row) {
    ByteReader in = TRY(open(row, "annotation"));
    std::string value(in.bytes());
    TRY(in.finish("annotation"));
    return value;
}

std::string encode_nothing() {
    return seal(kVersion, {});
}

bool is_open_family(Family family) {
    return family == Family::Directory || family == Family::Open || family == Family::UrlKey;
}

Result<std::string> mailbox_name(std::string_view name) {
    if (name.size() > limits::mailbox_name_size_max) {
        return peer_error(ErrorCode::LimitExceeded,
                          "mailbox name of " + std::to_string(name.size()) + " octets exceeds " +
                              std::to_string(limits::mailbox_name_size_max));
    }
    std::size_t depth = 0;
    for (const std::string_view level : split(name, '/')) {
        ++depth;
        if (level.empty()) {
            return peer_error(ErrorCode::Invalid, "a mailbox name has no empty level");
        }
        for (const char c : level) {
            if (is_ctl(c)) {
                return peer_error(ErrorCode::Invalid, "a mailbox name has no control characters");
            }
        }
    }
    if (!is_utf8(name)) {
        return peer_error(ErrorCode::Invalid, "a mailbox name is UTF-8");
    }
    if (depth > limits::mailbox_depth_max) {
        return peer_error(ErrorCode::LimitExceeded, "mailbox name has too many levels");
    }
    std::string kept(name);
    const std::size_t first = std::min(name.find('/'), name.size());
    if (equals_ignore_case(name.substr(0, first), "INBOX")) {
        kept.replace(0, first, "INBOX");
    }
    return kept;
}

std::optional<std::string_view> parent_name(std::string_view name) {
    const std::size_t slash = name.rfind('/');
    if (slash == std::string_view::npos) {
        return std::nullopt;
    }
    return name.substr(0, slash);
}

}  // namespace godwit::store
