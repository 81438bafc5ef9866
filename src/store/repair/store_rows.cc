// Repairs rows whose key says all, rows that stand for themselves, the store's own rows (Z), places
// of bodies (X), links (R) and the counters of segments.
#include <algorithm>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "base/probe.h"
#include "store/blob/segment_files.h"
#include "store/kv/meta.h"
#include "store/mailbox/origins.h"
#include "store/queue/queue.h"
#include "store/repair/work.h"

namespace godwit::store {
namespace {

constexpr std::string_view kFamilies = "ABCDEFGHIJKLMNOPQRSTUVWXYZagosu";

bool is_link_key(std::string_view key) {
    return parse_link_key(key).has_value();
}
template <std::size_t Size>
bool has_size(std::string_view key) {
    return key.size() == Size;
}
bool is_due_key(std::string_view key) {
    return parse_due_key(key).has_value();
}
bool is_name_key(std::string_view key) {
    return key.size() > 5;
}

// Rows that hold nothing: whatever stands in the value, the key is what counts.
struct EmptyFamily {
    char family;
    bool (*is_key)(std::string_view);
};
constexpr EmptyFamily kEmpty[] = {{family::link, is_link_key},
                                  {static_cast<char>(Family::ThreadMember), has_size<13>},
                                  {static_cast<char>(Family::Due), is_due_key},
                                  {static_cast<char>(Family::Remains), has_size<9>},
                                  {static_cast<char>(Family::Origin), has_size<5 + origin_size>},
                                  {static_cast<char>(Family::Subscription), is_name_key}};

Result<> repair_empty(RepairWork& work, const EmptyFamily& family) {
    return work.each(std::string_view(&family.family, 1),
                     [&](std::string_view key, std::string_view value) -> Result<> {
                         if (!family.is_key(key)) {
                             return work.erase(std::string(key), "rows with a strange key");
                         }
                         if (open_record(value)) {
                             return Result<>();
                         }
                         return work.put(std::string(key), encode_nothing(), "rows without value");
                     });
}

// The highest number of a family whose keys begin with it.
Result<std::uint64_t> last_mail(RepairWork& work, Family family) {
    const auto snapshot = work.kv().snapshot();
    const auto cursor = snapshot->cursor(ReadTier::Disk);
    const char first = static_cast<char>(family);
    cursor->seek_back(prefix_end(std::string_view(&first, 1)));
    while (cursor->is_valid() && cursor->key().front() > first) {
        cursor->previous();
    }
    TRY(cursor->status());
    if (!cursor->is_valid() || cursor->key().front() != first || cursor->key().size() < 9) {
        return std::uint64_t{0};
    }
    return key_tail_u64(cursor->key().substr(0, 9));
}

Result<> repair_mail_ids(RepairWork& work) {
    std::uint64_t above = 0;
    for (const Family family :
         {Family::QueueMessage, Family::QueueDelivery, Family::Once, Family::Trace}) {
        above = std::max(above, TRY(last_mail(work, family)));
    }
    const auto row = TRY(work.get(mail_id_reservation_key()));
    const auto bound = row ? decode_mail_id_reservation(*row) : Result<std::uint64_t>(0);
    if (row && bound && *bound > above) {
        return {};
    }
    // What was given and left no trace lies within a block of what did.
    return work.put(mail_id_reservation_key(),
                    encode_mail_id_reservation(above + 2 * limits::mail_id_block),
                    "reservations of mail ids");
}

// Where rows are missing, a body that none names may be somebody's: it gets a place, which keeps
// its segment, and is an orphan then. What was removed long ago comes back with it.
Result<> place_what_no_row_names(RepairState& state) {
    for (const std::uint32_t segment : TRY(state.bodies.segments())) {
        for (const auto& [header, offset] : TRY(state.bodies.records(segment))) {
            const BlobLocation location{
                .size = header.size, .place = SegmentPlace{.segment = segment, .offset = offset}};
            if (TRY(state.work.has(blob_location_key(header.id))) ||
                !state.bodies.read(header.id, location)) {
                continue;
            }
            probe<"repair.body_placed">();
            TRY(state.work.put(blob_location_key(header.id), encode(location),
                               "bodies that no row named"));
        }
    }
    return state.work.flush();
}

}  // namespace

Result<> repair_simple_rows(RepairState& state) {
    RepairWork& work = state.work;
    for (const EmptyFamily& family : kEmpty) {
        TRY(repair_empty(work, family));
    }
    TRY(work.each(std::string_view(), [&](std::string_view key, std::string_view) -> Result<> {
        const bool is_known = !key.empty() && kFamilies.find(key.front()) != std::string_view::npos;
        if (is_known) {
            return {};
        }
        work.lose({.what = "row of an unknown family", .detail = key_text(key)});
        return work.erase(std::string(key), "rows of an unknown family");
    }));
    TRY(work.each(Family::Once, [&](std::string_view key, std::string_view value) -> Result<> {
        if (decode_once(value)) {
            return {};
        }
        // That it is there is what counts.
        return work.put(std::string(key), encode(Appended{}), "once-keys");
    }));
    TRY(work.each(Family::Trace, [&](std::string_view key, std::string_view value) -> Result<> {
        if (key.size() == 1 + 8 + 8 + 4 && decode_trace(MailId(0), value)) {
            return {};
        }
        work.lose({.what = "event of a trail",
                   .message = to_string(
                       MailId(key_tail_u64(key.substr(0, std::min<std::size_t>(9, key.size())))))});
        return work.erase(std::string(key), "damaged events of trails");
    }));
    return work.each(Family::Open, [&](std::string_view key, std::string_view value) -> Result<> {
        if (open_record(value)) {
            return {};
        }
        work.lose({.what = "row of an upper floor", .detail = key_text(key)});
        return work.erase(std::string(key), "damaged rows of upper floors");
    });
}

Result<> repair_store_rows(RepairState& state) {
    RepairWork& work = state.work;
    std::uint64_t commit = 0;
    std::uint64_t store = 0;
    for (const std::uint32_t segment : TRY(state.bodies.segments())) {
        if (const auto header = TRY(state.bodies.header_of(segment))) {
            store = header->store;
            commit = std::max(commit, header->durable.value());
        }
        for (const auto& [header, offset] : TRY(state.bodies.records(segment))) {
            commit = std::max(commit, header.durable.value());
        }
    }
    TRY(work.each(Family::Trace, [&](std::string_view key, std::string_view) -> Result<> {
        if (key.size() == 1 + 8 + 8 + 4) {
            commit = std::max(commit, key_tail_u64(key.substr(0, 17)));
        }
        return {};
    }));
    // Also where the newest changes are lost with a log: a number is not given twice.
    const auto row = TRY(work.get(commit_seq_key()));
    const auto seq = row ? decode_commit_seq(*row) : Result<CommitSeq>();
    const auto format = TRY(work.get(format_key()));
    // A row that is there and damaged says nothing of the others.
    if (!format || !row || (seq && seq->value() < commit)) {
        state.are_keys_missing = true;
    }
    // Before a run that is cut off leaves rows that look as if nothing were missing.
    if (state.are_keys_missing) {
        TRY(place_what_no_row_names(state));
    }
    if (!format || !decode_format(*format)) {
        TRY(work.put(format_key(), encode(FormatRow{.store = store}), "format rows"));
    }
    if (!row || !seq || seq->value() < commit) {
        const CommitSeq next(commit + 1);
        if (work.options().begin_commits_at) {
            TRY(work.options().begin_commits_at(next));
        }
        TRY(work.put(commit_seq_key(), encode_commit_seq(next), "commit numbers"));
    }
    return repair_mail_ids(work);
}

Result<> repair_links(RepairState& state) {
    RepairWork& work = state.work;
    TRY(work.each(Family::Email, [&](std::string_view key, std::string_view value) -> Result<> {
        const auto head = decode_email_head(value);
        ByteReader in(key.substr(1));
        const AccountId account(in.u32());
        const EmailId email(in.u32());
        if (!head || !in.ok()) {
            return {};
        }
        return work.put(link_key(head->blob, account, email), encode_nothing(), "links of emails");
    }));
    return work.each(Family::QueueMessage,
                     [&](std::string_view, std::string_view value) -> Result<> {
                         const auto message = decode_queue_message(value);
                         if (!message) {
                             return Result<>();
                         }
                         return work.put(link_key(message->blob, message->mail), encode_nothing(),
                                         "links of queued messages");
                     });
}

namespace {

// A place row whose seal is broken: small bodies prove themselves by their hash.
std::optional<BlobLocation> salvage(const BlobId& id, std::string_view value) {
    if (value.size() < record_overhead) {
        return std::nullopt;
    }
    const auto location = decode_blob_location(seal(
        static_cast<std::uint8_t>(value.front()), value.substr(1, value.size() - record_overhead)));
    const auto* octets = location ? std::get_if<std::string>(&location->place) : nullptr;
    return octets != nullptr && sha256(*octets) == id.hash ? std::optional(*location)
                                                           : std::nullopt;
}

Result<> check_place(RepairState& state, std::string_view key, std::string_view value,
                     std::unordered_set<BlobId>& missing) {
    if (key.size() != blob_location_key_size) {
        return state.work.erase(std::string(key), "rows with a strange key");
    }
    const BlobId id = BlobId::from_bytes(key.substr(1));
    const auto location = decode_blob_location(value);
    if (!location) {
        if (const auto saved = salvage(id, value)) {
            return state.work.put(std::string(key), encode(*saved), "places of bodies");
        }
        missing.insert(id);
        return state.work.erase(std::string(key), "damaged places of bodies");
    }
    const bool is_whole = state.work.options().read_bodies
                              ? state.bodies.read(id, *location).has_value()
                              : state.bodies.look(id, *location).has_value();
    if (is_whole) {
        return {};
    }
    missing.insert(id);
    // What is there in part stays where it is: whoever must, can still read that part. A place
    // where nothing is is none.
    const auto* place = std::get_if<SegmentPlace>(&location->place);
    const auto size =
        place != nullptr ? state.bodies.size_of(place->segment) : Result<std::uint64_t>(0);
    const bool is_nothing_there =
        place == nullptr || !size || place->offset + record_header_size > *size;
    return is_nothing_there ? state.work.erase(std::string(key), "damaged places of bodies")
                            : Result<>();
}

}  // namespace

Result<> repair_bodies(RepairState& state) {
    std::unordered_set<BlobId> missing;
    const char first = family::blob_location;
    TRY(state.work.each(std::string_view(&first, 1),
                        [&](std::string_view key, std::string_view value) -> Result<> {
                            return check_place(state, key, value, missing);
                        }));
    const char link = family::link;
    TRY(state.work.each(std::string_view(&link, 1),
                        [&](std::string_view key, std::string_view) -> Result<> {
                            const auto found = parse_link_key(key);
                            if (found && !TRY(state.work.has(blob_location_key(found->blob)))) {
                                missing.insert(found->blob);
                            }
                            return {};
                        }));
    state.lost = missing;
    if (!missing.empty()) {
        TRY(state.bodies.search(
            missing, [&](const BlobId& id, const BlobLocation& location) -> Result<> {
                state.lost.erase(id);
                return state.work.put(blob_location_key(id), encode(location), "places of bodies");
            }));
    }
    return {};
}

namespace {

Result<bool> is_owned(RepairWork& work, const BlobLink& link) {
    if (link.queued) {
        const auto row = TRY(work.get(queue_message_key(*link.queued)));
        const auto message = row ? decode_queue_message(*row) : Result<QueueMessage>();
        // A row that could not be rebuilt still owns what it may have owned.
        return row && (!message || message->blob == link.blob);
    }
    const auto row = TRY(work.get(email_key(Family::Email, link.account, link.email)));
    const auto head = row ? decode_email_head(*row) : Result<EmailHead>();
    return row && (!head || head->blob == link.blob);
}

Result<> end_bodies(RepairState& state, std::unordered_map<std::uint32_t, SegmentRow>& counted) {
    RepairWork& work = state.work;
    TRY(work.flush());
    const auto snapshot = work.kv().snapshot();
    const char first = family::blob_location;
    return work.each(
        std::string_view(&first, 1), [&](std::string_view key, std::string_view value) -> Result<> {
            const auto location = decode_blob_location(value);
            if (!location) {
                return {};
            }
            const BlobId id = BlobId::from_bytes(key.substr(1));
            const std::string prefix = link_prefix(id);
            const auto links = snapshot->cursor(ReadTier::Disk, prefix_end(prefix));
            links->seek(prefix);
            TRY(links->status());
            if (!links->is_valid()) {
                // What was not yet told is not given up.
                const bool is_given_up = work.options().drop_lost && !state.are_keys_missing;
                if (state.lost.contains(id) || is_given_up) {
                    return work.erase(std::string(key), "bodies of nobody");
                }
                work.leave_orphan(id);
            }
            if (const auto* place = std::get_if<SegmentPlace>(&location->place)) {
                SegmentRow& row = counted[place->segment];
                row.live_bytes += location->size;
                ++row.live_bodies;
                row.end = std::max(row.end, place->offset + record_size(location->size));
            }
            return {};
        });
}

/// Only a row that does not read is written: one that is missing belongs to an older program.
Result<> repair_segment_numbers(RepairWork& work,
                                const std::unordered_map<std::uint32_t, SegmentRow>& counted) {
    const auto row = TRY(work.get(segment_numbers_key()));
    if (!row || decode_segment_numbers(*row)) {
        return {};
    }
    SegmentNumbers numbers;
    for (const auto& [segment, counters] : counted) {
        const bool is_own = (segment & own_segment_bit) != 0;
        std::uint32_t& highest = is_own ? numbers.own : numbers.shared;
        highest = std::max(highest, segment & ~own_segment_bit);
    }
    return work.put(segment_numbers_key(), encode(numbers), "numbers of segments");
}

}  // namespace

Result<> repair_ends(RepairState& state) {
    RepairWork& work = state.work;
    const char link = family::link;
    TRY(work.each(std::string_view(&link, 1),
                  [&](std::string_view key, std::string_view) -> Result<> {
                      const auto found = parse_link_key(key);
                      if (found && TRY(is_owned(work, *found))) {
                          return Result<>();
                      }
                      return work.erase(std::string(key), "links of nobody");
                  }));
    std::unordered_map<std::uint32_t, SegmentRow> counted;
    TRY(end_bodies(state, counted));
    TRY(work.each(segment_prefix(), [&](std::string_view key, std::string_view value) -> Result<> {
        const auto number = parse_segment_key(key);
        const auto size = number ? state.bodies.size_of(*number) : Result<std::uint64_t>(0);
        if (!number || (!size && !counted.contains(*number))) {
            return work.erase(std::string(key), "counters of segments");
        }
        const auto row = decode_segment_row(value);
        SegmentRow& fresh = counted[*number];
        fresh.end = std::max(fresh.end, row ? row->end : 0);
        return {};
    }));
    for (auto& [number, row] : counted) {
        const auto size = state.bodies.size_of(number);
        row.end = std::min(row.end, size.value_or(0));
        TRY(work.put(segment_key(number), encode(row), "counters of segments"));
    }
    return repair_segment_numbers(work, counted);
}

}  // namespace godwit::store
