#include "store/fsck.h"

#include <unordered_map>

#include "store/fsck_walk.h"
#include "store/kv/meta.h"
#include "store/kv/record.h"
#include "store/mailbox/schema.h"
#include "store/queue/queue.h"

namespace godwit::store {
namespace {

constexpr std::string_view kFamilies = "ABCDEFGHIJKLMNOPQRSTUVWXYZagosu";

// Does the owner that a link names refer to the body?
Result<bool> is_owned(const FsckWalk& walk, const BlobLink& link) {
    if (link.queued) {
        const auto row = TRY(walk.get(queue_message_key(*link.queued)));
        const auto message = row ? decode_queue_message(*row) : Result<QueueMessage>();
        return row && message && message->blob == link.blob;
    }
    const auto row = TRY(walk.get(email_key(Family::Email, link.account, link.email)));
    const auto head = row ? decode_email_head(*row) : Result<EmailHead>();
    return row && head && head->blob == link.blob;
}

Result<bool> has_link(const FsckWalk& walk, const BlobId& blob) {
    const std::string prefix = link_prefix(blob);
    const auto cursor = walk.snapshot->cursor(ReadTier::Disk, prefix_end(prefix));
    cursor->seek(prefix);
    const Result<> status = cursor->status();
    if (!status && !is_unreadable(status.error())) {
        return std::unexpected(status.error());
    }
    return cursor->is_valid();
}

// Bodies are read from the newest state: one that went since the snapshot is no fault.
Result<bool> reads_whole(const FsckWalk& walk, const BlobId& blob, std::uint64_t size) {
    const auto body = walk.blobs->read(blob, 0, size, ReadTier::Disk);
    if (body) {
        return body->size() == size;
    }
    const auto place = walk.kv->get(blob_location_key(blob), ReadTier::Disk);
    if (!place && !is_unreadable(place.error())) {
        return std::unexpected(place.error());
    }
    return place && !place->has_value();
}

}  // namespace

Result<> fsck_rows(FsckWalk& walk) {
    FsckCount readable("every row can be read");
    FsckCount checksums("every row's checksum holds");
    FsckCount families("every row is of a known family");
    TRY(walk.each(
        std::string_view(),
        [&](std::string_view key, std::string_view value) -> Result<> {
            readable.expect(true, [] { return std::string(); });
            checksums.expect(open_record(value).has_value(), [&] { return key_text(key); });
            families.expect(!key.empty() && kFamilies.find(key.front()) != std::string_view::npos,
                            [&] { return key_text(key); });
            return {};
        },
        [&](const LostRows& lost) -> Result<> {
            readable.expect(false, [&] { return to_string(lost); });
            return {};
        }));
    walk.add(std::move(readable));
    walk.add(std::move(checksums));
    walk.add(std::move(families));
    return {};
}

Result<> fsck_bodies(FsckWalk& walk) {
    FsckCount decodes("every body has a readable place");
    FsckCount linked("every body has a link");
    FsckCount whole("every body has its hash");
    std::unordered_map<std::uint32_t, SegmentRow> counted;
    TRY(walk.each(family::blob_location,
                  [&](std::string_view key, std::string_view value) -> Result<> {
                      const auto location = decode_blob_location(value);
                      const bool is_sound = key.size() == blob_location_key_size && location;
                      if (!decodes.expect(is_sound, [&] { return key_text(key); })) {
                          return {};
                      }
                      const BlobId blob = BlobId::from_bytes(key.substr(1));
                      linked.expect(TRY(has_link(walk, blob)), [&] { return blob.to_hex(); });
                      if (const auto* place = std::get_if<SegmentPlace>(&location->place)) {
                          SegmentRow& row = counted[place->segment];
                          row.live_bytes += location->size;
                          ++row.live_bodies;
                      }
                      if (walk.options.read_bodies) {
                          whole.expect(TRY(reads_whole(walk, blob, location->size)),
                                       [&] { return blob.to_hex(); });
                      }
                      return {};
                  }));
    FsckCount segments("every segment's counters equal a recount");
    TRY(walk.each(segment_prefix(), [&](std::string_view key, std::string_view value) -> Result<> {
        const auto row = decode_segment_row(value);
        const auto number = parse_segment_key(key);
        const SegmentRow found = number ? counted[*number] : SegmentRow{};
        segments.expect(row && number && row->live_bytes == found.live_bytes &&
                            row->live_bodies == found.live_bodies,
                        [&] { return key_text(key); });
        if (number) {
            counted.erase(*number);
        }
        return {};
    }));
    for (const auto& [number, row] : counted) {
        segments.expect(false, [&] { return key_text(segment_key(number)) + " is missing"; });
    }
    FsckCount owned("every link has an owner that refers to the body");
    FsckCount stored("every link leads to a body");
    TRY(walk.each(family::link, [&](std::string_view key, std::string_view) -> Result<> {
        const auto link = parse_link_key(key);
        owned.expect(link && TRY(is_owned(walk, *link)), [&] { return key_text(key); });
        stored.expect(link && TRY(walk.has(blob_location_key(link->blob))),
                      [&] { return key_text(key); });
        return {};
    }));
    walk.add(std::move(decodes));
    walk.add(std::move(linked));
    walk.add(std::move(whole));
    walk.add(std::move(segments));
    walk.add(std::move(owned));
    walk.add(std::move(stored));
    return {};
}

Result<> fsck_queue(FsckWalk& walk) {
    FsckCount linked("every queued message has a link to its body");
    FsckCount open("every queued message has a delivery");
    std::uint64_t messages = 0;
    TRY(walk.each(static_cast<char>(Family::QueueMessage),
                  [&](std::string_view key, std::string_view value) -> Result<> {
                      ++messages;
                      const auto message = decode_queue_message(value);
                      linked.expect(
                          message && TRY(walk.has(link_key(message->blob, message->mail))),
                          [&] { return key_text(key); });
                      bool has_delivery = false;
                      const std::string prefix =
                          message ? queue_delivery_prefix(message->mail) : std::string(key);
                      TRY(walk.each(prefix, [&](std::string_view, std::string_view) -> Result<> {
                          has_delivery = true;
                          return {};
                      }));
                      open.expect(has_delivery, [&] { return key_text(key); });
                      return {};
                  }));
    FsckCount owned("every delivery has its message");
    FsckCount due("every delivery that is not held is in the due index");
    TRY(walk.each(
        static_cast<char>(Family::QueueDelivery),
        [&](std::string_view key, std::string_view value) -> Result<> {
            const auto delivery = decode_queue_delivery(value);
            const bool is_sound = delivery && key.size() == 1 + 8 + 4;
            if (!owned.expect(is_sound, [&] { return key_text(key); })) {
                return {};
            }
            const MailId mail(key_tail_u64(key.substr(0, 9)));
            owned.expect(TRY(walk.has(queue_message_key(mail))), [&] { return key_text(key); });
            due.expect(
                delivery->is_held ||
                    TRY(walk.has(due_key(delivery->site, delivery->due, mail, delivery->number))),
                [&] { return key_text(key); });
            return {};
        }));
    FsckCount indexed("every row of the due index is of an open delivery");
    TRY(walk.each(
        static_cast<char>(Family::Due), [&](std::string_view key, std::string_view) -> Result<> {
            const auto row = parse_due_key(key);
            const auto value =
                row ? TRY(walk.get(queue_delivery_key(row->mail, row->number))) : std::nullopt;
            const auto delivery = value ? decode_queue_delivery(*value) : Result<QueueDelivery>();
            indexed.expect(row && value && delivery && !delivery->is_held &&
                               delivery->site == row->site && delivery->due == row->due,
                           [&] { return key_text(key); });
            return {};
        }));
    // Without a row it is counted at the next change.
    FsckCount counted("the number of queued messages equals a recount");
    if (const auto row = TRY(walk.get(queue_count_key()))) {
        const auto count = decode_queue_count(*row);
        counted.expect(count && *count == messages, [&] { return key_text(queue_count_key()); });
    }
    walk.add(std::move(linked));
    walk.add(std::move(open));
    walk.add(std::move(counted));
    walk.add(std::move(owned));
    walk.add(std::move(due));
    walk.add(std::move(indexed));
    return {};
}

Result<std::vector<FsckFinding>> fsck(const Kv& kv, const BlobStore& blobs,
                                      const FsckOptions& options) {
    const auto snapshot = kv.snapshot();
    FsckWalk walk{
        .kv = &kv, .blobs = &blobs, .snapshot = snapshot.get(), .options = options, .findings = {}};
    TRY(fsck_rows(walk));
    TRY(fsck_bodies(walk));
    TRY(fsck_emails(walk));
    TRY(fsck_mailboxes(walk));
    TRY(fsck_access(walk));
    TRY(fsck_domains(walk));
    TRY(fsck_queue(walk));
    return std::move(walk.findings);
}

}  // namespace godwit::store
