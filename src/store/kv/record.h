// The seal on every stored value: a version byte and a checksum, so that a flipped bit or a row of a
// newer format is an error with a name, never a wrong answer. Law: STORE.md "From the first version".
// Form: version u8, CRC-32C of version and payload u32, payload.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit::store {

/// What a seal adds to a payload, octets.
inline constexpr std::size_t kSealSize = 5;

/// A sealed value taken apart. The payload is a view into the value given, which must outlive it.
struct OpenedRecordView {
    std::uint8_t version = 0;
    std::string_view payload;
};

std::string seal_record(std::uint8_t version, std::string_view payload);
/// Corrupt, naming `name`, when the value is short or its checksum does not hold.
Result<OpenedRecordView> open_record(std::string_view value, std::string_view name);
/// The same, and Unsupported unless the version is 1..`newest`.
Result<std::string_view> open_record(std::string_view value, std::string_view name, std::uint8_t newest);

}  // namespace godwit::store
