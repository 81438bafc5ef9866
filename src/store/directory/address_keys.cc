#include "store/directory/address_keys.h"

#include "store/directory/schema.h"
#include "store/kv/record.h"

namespace godwit::store {

namespace {
constexpr std::uint8_t kVersion = 1;
constexpr std::int64_t kSecondsADay = 86400;

Plan plan_row(std::optional<std::string> before, const AddressKeys& after) {
    ChangeRows rows;
    rows.expects.push_back({.key = address_keys_key(), .value = std::move(before)});
    rows.entries.push_back({.key = address_keys_key(), .value = encode(after)});
    Plan plan;
    plan.steps.emplace_back(std::move(rows));
    return plan;
}
}  // namespace

std::vector<std::string> AddressKeys::secrets() const {
    std::vector<std::string> all;
    for (const AddressKey& key : keys) {
        all.push_back(key.secret);
    }
    return all;
}

std::string encode(const AddressKeys& keys) {
    ByteWriter out = begin_record(kVersion);
    out.varint(keys.keys.size());
    for (const AddressKey& key : keys.keys) {
        out.bytes(key.secret).svarint(key.created_at);
    }
    return seal(std::move(out));
}

Result<AddressKeys> decode_address_keys(std::string_view value) {
    ByteReader in = TRY(read_record(value, kVersion, "address keys"));
    AddressKeys keys;
    const std::uint64_t count = in.varint_at_most(address_keys_max);
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        AddressKey key;
        key.secret = in.bytes();
        key.created_at = in.svarint();
        keys.keys.push_back(std::move(key));
    }
    TRY(in.finish("address keys"));
    return keys;
}

Result<AddressKeys> read_address_keys(const Snapshot& snapshot, ReadTier tier) {
    const std::optional<std::string> row = TRY(snapshot.get(address_keys_key(), tier));
    return row ? decode_address_keys(*row) : AddressKeys{};
}

Result<Plan> plan_new_address_key(const Snapshot& snapshot, const AddressKey& key, OldKeys old) {
    std::optional<std::string> row = TRY(snapshot.get(address_keys_key(), ReadTier::Disk));
    AddressKeys changed{.keys = {key}};
    if (row && old == OldKeys::Keep) {
        // One that was followed by another so long ago has signed nothing that still holds.
        std::int64_t followed_at = key.created_at;
        for (AddressKey& before : TRY(decode_address_keys(*row)).keys) {
            if (followed_at + address_key_keep_days * kSecondsADay > key.created_at) {
                followed_at = before.created_at;
                changed.keys.push_back(std::move(before));
            }
        }
    }
    if (changed.keys.size() > address_keys_max) {
        return peer_error(ErrorCode::LimitExceeded,
                          std::to_string(address_keys_max) +
                              " keys still verify addresses; the oldest is needed for " +
                              std::to_string(address_key_keep_days) + " days after its successor");
    }
    return plan_row(std::move(row), changed);
}

Plan plan_first_address_key(const AddressKey& key) {
    return plan_row(std::nullopt, AddressKeys{.keys = {key}});
}

}  // namespace godwit::store
