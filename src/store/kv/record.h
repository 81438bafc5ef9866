// The envelope of every value in the store: a version byte, the payload, CRC-32C of both.
// Law: STORE.md "From the first version"; docs/storage.md. Decoding is total: any input gives a
// record or an error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include <optional>

#include "base/result.h"

namespace godwit::store {

/// Octets that the envelope adds to a payload.
inline constexpr std::size_t record_overhead = 1 + 4;

/// A writer with the version already in it; hand it to seal() when the payload is written.
ByteWriter begin_record(std::uint8_t version);
/// Ends what begin_record() began, without a copy.
std::string seal(ByteWriter&& record);
/// The same for a payload at hand.
std::string seal(std::uint8_t version, std::string_view payload);

/// A view into the value it was opened from.
struct OpenedView {
    std::uint8_t version = 0;
    std::string_view payload;
};
/// Corrupt when the value is too short or its checksum does not hold.
Result<OpenedView> open_record(std::string_view value);
/// A reader over the payload of a value that must have this version; it views into `value`. `what`
/// names the row in errors: Corrupt as above, Unsupported for another version.
Result<ByteReader> read_record(std::string_view value, std::uint8_t version, std::string_view what);

/// "U 0000000100000001": how a row is named in logs and by fsck.
std::string key_text(std::string_view key);
/// The row itself is at fault, not the engine: a reader of many rows passes it over.
inline bool is_damage(const Error& error) {
    return error.code == ErrorCode::Corrupt || error.code == ErrorCode::Unsupported;
}
/// Says in the log that a row cannot be read and what is done without it goes on.
void log_damage(std::string_view key, const Error& error);
/// What was decoded; nullopt, and a line in the log, where the row is damaged. Other errors pass.
template <class T>
Result<std::optional<T>> if_sound(std::string_view key, Result<T> decoded) {
    if (decoded) {
        return std::optional<T>(*std::move(decoded));
    }
    if (!is_damage(decoded.error())) {
        return std::unexpected(std::move(decoded).error());
    }
    log_damage(key, decoded.error());
    return std::optional<T>();
}

}  // namespace godwit::store
