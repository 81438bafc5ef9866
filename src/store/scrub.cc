#include "store/scrub.h"

#include <algorithm>
#include <optional>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "store/kv/key.h"
#include "store/kv/lost_rows.h"
#include "store/kv/record.h"
#include "store/mailbox/keys.h"

namespace godwit::store {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr auto kFamily = static_cast<char>(Family::Open);

std::string state_key() {
    return make_key(kFamily, std::string_view("scrub-state"));
}
std::string damaged_key(std::string_view key) {
    return make_key(kFamily, std::string_view("scrub-damaged"), std::string_view("\0", 1), key);
}

void write_time(ByteWriter& out, WallTime time) {
    out.svarint(time.time_since_epoch().count());
}
WallTime read_time(ByteReader& in) {
    return WallTime(std::chrono::microseconds(in.svarint()));
}

// What is wrong with one row, if anything; `octets` grows by what was read.
std::optional<Error> examine(const BlobStore& blobs, std::string_view key, std::string_view value,
                             ScrubStep& step) {
    step.octets += key.size() + value.size();
    if (const auto record = open_record(value); !record) {
        return record.error();
    }
    if (key.front() != family::blob_location || key.size() != blob_location_key_size) {
        return std::nullopt;
    }
    const auto location = decode_blob_location(value);
    if (!location) {
        return location.error();
    }
    ++step.state.bodies;
    step.octets += location->size;
    const auto body =
        blobs.read(BlobId::from_bytes(key.substr(1)), 0, location->size, ReadTier::Disk);
    if (!body) {
        return body.error();
    }
    return body->size() == location->size
               ? std::nullopt
               : std::optional(internal_error(ErrorCode::Corrupt, "body is too short").error());
}

/// The first key from `start` on, empty where there is none; nullopt when that cannot be read.
std::optional<std::string> key_from(const Snapshot& snapshot, const std::string& start) {
    const auto cursor = snapshot.cursor(ReadTier::Disk);
    cursor->seek(start);
    if (!cursor->status()) {
        return std::nullopt;
    }
    return cursor->is_valid() ? std::string(cursor->key()) : std::string();
}

void end_pass(ScrubState& state, WallTime now) {
    state.is_under_way = false;
    state.next.clear();
    state.last_end = now;
    state.last_bodies = state.bodies;
    state.last_damaged = state.damaged;
    log::info("store.scrubbed", {{"bodies", state.bodies}, {"damaged", state.damaged}});
}

// Damage that was known in [from, to) and was not met again. What lies in `lost` was not looked at.
Result<> find_mended(const Snapshot& snapshot, const std::string& from, const std::string& to,
                     const std::optional<LostRows>& lost, ScrubStep& step) {
    const std::string upper = to.empty() ? prefix_end(damaged_key("")) : damaged_key(to);
    const std::size_t head = damaged_key("").size();
    const auto cursor = snapshot.cursor(ReadTier::Disk, upper);
    for (cursor->seek(damaged_key(from)); cursor->is_valid(); cursor->next()) {
        const std::string key(cursor->key().substr(head));
        const bool was_passed_over =
            lost && key > lost->after && (lost->before.empty() || key < lost->before);
        const bool is_still =
            was_passed_over || std::ranges::any_of(step.found, [&](const Damaged& damaged) {
                return damaged.key == key;
            });
        if (!is_still) {
            step.mended.push_back(key);
        }
    }
    // Its own rows may lie where nothing can be read: then nothing is known to be mended.
    const Result<> status = cursor->status();
    return status || is_unreadable(status.error()) ? Result<>() : status;
}

}  // namespace

std::string encode(const ScrubState& state) {
    ByteWriter out = begin_record(kVersion);
    out.bytes(state.next)
        .u8(static_cast<std::uint8_t>((state.is_under_way ? 1 : 0) | (state.is_wanted ? 2 : 0)));
    write_time(out, state.begun);
    out.varint(state.bodies).varint(state.damaged);
    write_time(out, state.last_end);
    out.varint(state.last_bodies).varint(state.last_damaged);
    return seal(std::move(out));
}

Result<ScrubState> decode_scrub_state(std::string_view value) {
    ByteReader in = TRY(read_record(value, kVersion, "scrub state"));
    ScrubState state;
    state.next = in.bytes();
    const std::uint8_t bits = in.u8();
    state.is_under_way = (bits & 1U) != 0;
    state.is_wanted = (bits & 2U) != 0;
    state.begun = read_time(in);
    state.bodies = in.varint();
    state.damaged = in.varint();
    state.last_end = read_time(in);
    state.last_bodies = in.varint();
    state.last_damaged = in.varint();
    TRY(in.finish("scrub state"));
    return state;
}

Result<ScrubState> read_scrub_state(const Snapshot& snapshot, ReadTier tier) {
    const auto row = snapshot.get(state_key(), tier);
    if (!row && !is_unreadable(row.error())) {
        return std::unexpected(row.error());
    }
    if (!row || !*row) {
        return ScrubState{};
    }
    return TRY(if_sound(state_key(), decode_scrub_state(**row))).value_or(ScrubState{});
}

Result<std::vector<Damaged>> read_damaged(const Snapshot& snapshot, ReadTier tier) {
    std::vector<Damaged> all;
    const std::string prefix = damaged_key("");
    const std::string upper = prefix_end(prefix);
    TRY(each_readable([&] { return snapshot.cursor(tier, upper); }, prefix,
                      [&](std::string_view key, std::string_view value) -> Result<> {
                          if (all.size() >= scrub_damaged_max) {
                              return {};
                          }
                          Damaged damaged;
                          damaged.key = key.substr(prefix.size());
                          if (auto in = read_record(value, kVersion, "damage")) {
                              damaged.found = read_time(*in);
                              damaged.error = in->bytes();
                          }
                          all.push_back(std::move(damaged));
                          return {};
                      },
                      [](const LostRows&) { return Result<>(); }));
    return all;
}

bool is_scrub_due(const ScrubState& state, WallTime now) {
    // A clock that went back makes no pass wait for more than its week.
    return state.is_under_way || state.is_wanted || now - state.begun >= scrub_every ||
           now < state.begun;
}

Result<ScrubStep> scrub_step(const Kv& kv, const BlobStore& blobs, ScrubState state, WallTime now) {
    ScrubStep step{.state = std::move(state), .octets = 0, .found = {}, .mended = {}};
    if (!step.state.is_under_way) {
        step.state.is_under_way = true;
        step.state.is_wanted = false;
        step.state.begun = now;
        step.state.bodies = step.state.damaged = 0;
        step.state.next.clear();
    }
    const std::string from = step.state.next;
    const auto snapshot = kv.snapshot();
    const auto cursor = snapshot->cursor(ReadTier::Disk);
    std::string at = from;
    std::size_t rows = 0;
    for (cursor->seek(from);
         cursor->is_valid() && rows < scrub_step_rows && step.octets < scrub_step_octets;
         cursor->next(), ++rows) {
        at = cursor->key();
        auto error = examine(blobs, at, cursor->value(), step);
        // A disk that could not read, and can a moment later, has damaged nothing.
        if (error && error->code == ErrorCode::Io) {
            probe<"store.scrub_read_again">();
            error = examine(blobs, at, cursor->value(), step);
        }
        // A body that went while it was read is no fault.
        if (error && error->code == ErrorCode::NotFound && !TRY(kv.get(at, ReadTier::Disk))) {
            continue;
        }
        if (error) {
            step.found.push_back({.key = at, .found = now, .error = std::move(error->text)});
        }
    }
    const Result<> status = cursor->status();
    if (!status && !is_unreadable(status.error())) {
        return std::unexpected(status.error());
    }
    std::optional<LostRows> lost;
    std::optional<std::string> again;
    if (!status && status.error().code == ErrorCode::Io) {
        again = key_from(*snapshot, rows == 0 ? from : at + '\0');
    }
    if (!status && !again) {
        std::string next =
            TRY(find_past_damage([&] { return snapshot->cursor(ReadTier::Disk); }, at))
                .value_or(std::string());
        const std::string end = next.empty() ? "the end" : key_text(next);
        step.found.push_back(
            {.key = at,
             .found = now,
             .error = "rows behind this up to " + end + " cannot be read: " + status.error().text});
        lost = LostRows{.after = at, .before = std::move(next), .error = {}};
    }
    step.state.next = lost                 ? lost->before
                      : again              ? *again
                      : cursor->is_valid() ? std::string(cursor->key())
                                           : std::string();
    TRY(find_mended(*snapshot, from, step.state.next, lost, step));
    step.state.damaged += step.found.size();
    count(Metric::ScrubOctets, static_cast<std::int64_t>(step.octets));
    count(Metric::ScrubDamaged, static_cast<std::int64_t>(step.found.size()));
    for (const Damaged& damaged : step.found) {
        probe<"store.scrub_found">();
        log::error("store.damaged", {{"row", key_text(damaged.key)}, {"error", damaged.error}});
    }
    if (step.state.next.empty()) {
        end_pass(step.state, now);
    }
    return step;
}

Plan plan_scrub(const ScrubStep& step) {
    ChangeRows rows;
    rows.entries.push_back({.key = state_key(), .value = encode(step.state)});
    for (const Damaged& damaged : step.found) {
        if (step.state.damaged > scrub_damaged_max) {
            break;
        }
        ByteWriter out = begin_record(kVersion);
        write_time(out, damaged.found);
        out.bytes(std::string_view(damaged.error).substr(0, limits::queue_error_text_size_max));
        rows.entries.push_back({.key = damaged_key(damaged.key), .value = seal(std::move(out))});
    }
    for (const std::string& key : step.mended) {
        rows.entries.push_back({.key = damaged_key(key), .value = std::nullopt});
    }
    Plan plan;
    plan.may_wait = true;
    plan.steps.emplace_back(std::move(rows));
    return plan;
}

Plan plan_scrub_request(ScrubState state) {
    state.is_wanted = true;
    ChangeRows rows;
    rows.entries.push_back({.key = state_key(), .value = encode(state)});
    Plan plan;
    plan.steps.emplace_back(std::move(rows));
    return plan;
}

}  // namespace godwit::store
