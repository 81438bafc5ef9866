#include "flow/outbound/suspension.h"

#include <utility>

#include "base/ascii.h"
#include "store/kv/key.h"
#include "store/kv/record.h"
#include "store/mailbox/keys.h"

namespace godwit::flow {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::string_view kName("suspend\0", 8);

}  // namespace

std::string what_is_suspended(const Suspension& suspension) {
    switch (suspension.kind) {
        case SuspensionKind::All: return "sending";
        case SuspensionKind::Site: return "sending to " + suspension.name;
        case SuspensionKind::Sender: return "sending from <" + suspension.name + ">";
    }
    return "sending";
}

std::string suspension_prefix() {
    return store::make_key(static_cast<char>(store::Family::Open), kName);
}

std::string suspension_key(SuspensionKind kind, std::string_view name) {
    std::string key = suspension_prefix();
    key.push_back(static_cast<char>(kind));
    return key.append(to_lower(name));
}

std::string encode(const Suspension& suspension) {
    ByteWriter out = store::begin_record(kVersion);
    out.svarint(suspension.since.time_since_epoch().count());
    out.u8(suspension.until ? 1 : 0);
    out.svarint(suspension.until ? suspension.until->time_since_epoch().count() : 0);
    out.bytes(std::string_view(suspension.reason).substr(0, suspension_reason_size_max));
    return store::seal(std::move(out));
}

Result<Suspension> decode_suspension(std::string_view key, std::string_view value) {
    const std::string prefix = suspension_prefix();
    if (key.size() <= prefix.size() || !key.starts_with(prefix)) {
        return internal_error(ErrorCode::Corrupt, "suspension: its key does not parse");
    }
    Suspension suspension;
    const char kind = key[prefix.size()];
    if (kind != 'a' && kind != 's' && kind != 'f') {
        return internal_error(ErrorCode::Corrupt, "suspension: unknown kind");
    }
    suspension.kind = static_cast<SuspensionKind>(kind);
    suspension.name = key.substr(prefix.size() + 1);
    ByteReader in = TRY(store::read_record(value, kVersion, "suspension"));
    suspension.since = WallTime(std::chrono::microseconds(in.svarint()));
    const bool has_end = in.u8() != 0;
    const WallTime until(std::chrono::microseconds(in.svarint()));
    if (has_end) {
        suspension.until = until;
    }
    suspension.reason = in.bytes();
    TRY(in.finish("suspension"));
    return suspension;
}

Result<std::vector<Suspension>> read_suspensions(const store::Snapshot& snapshot,
                                                 store::ReadTier tier) {
    const std::string prefix = suspension_prefix();
    const auto cursor = snapshot.cursor(tier, store::prefix_end(prefix));
    std::vector<Suspension> all;
    for (cursor->seek(prefix); cursor->is_valid() && all.size() < suspensions_max; cursor->next()) {
        if (auto one = TRY(store::if_sound(cursor->key(),
                                           decode_suspension(cursor->key(), cursor->value())))) {
            all.push_back(*std::move(one));
        }
    }
    TRY(cursor->status());
    return all;
}

SuspensionTable::SuspensionTable(std::vector<Suspension> all) {
    for (Suspension& one : all) {
        std::pair key(one.kind, to_lower(one.name));
        all_.insert_or_assign(std::move(key), std::move(one));
    }
}

const Suspension* SuspensionTable::find(SuspensionKind kind, std::string_view name,
                                        WallTime now) const {
    const auto found = all_.find({kind, to_lower(name)});
    if (found == all_.end() || (found->second.until && *found->second.until <= now)) {
        return nullptr;
    }
    return &found->second;
}

const Suspension* SuspensionTable::of_site(std::string_view site, WallTime now) const {
    if (all_.empty()) {
        return nullptr;
    }
    const Suspension* of_all = find(SuspensionKind::All, "", now);
    return of_all != nullptr ? of_all : find(SuspensionKind::Site, site, now);
}

const Suspension* SuspensionTable::of_sender(std::string_view sender, WallTime now) const {
    if (all_.empty()) {
        return nullptr;
    }
    if (const Suspension* found = find(SuspensionKind::Sender, sender, now)) {
        return found;
    }
    const std::size_t at = sender.rfind('@');
    return at == std::string_view::npos ? nullptr
                                        : find(SuspensionKind::Sender, sender.substr(at), now);
}

const Suspension* SuspensionTable::of(std::string_view site, std::string_view sender,
                                      WallTime now) const {
    const Suspension* found = of_site(site, now);
    return found != nullptr ? found : of_sender(sender, now);
}

}  // namespace godwit::flow
