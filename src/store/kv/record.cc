#include "store/kv/record.h"

#include "base/log.h"
#include "base/probe.h"

namespace godwit::store {
namespace {

void append_checksum(std::string& value) {
    const std::uint32_t sum = crc32c(value);
    for (int shift = 24; shift >= 0; shift -= 8) {
        value.push_back(static_cast<char>(static_cast<std::uint8_t>(sum >> shift)));
    }
}

}  // namespace

ByteWriter begin_record(std::uint8_t version) {
    ByteWriter writer;
    writer.u8(version);
    return writer;
}

std::string seal(ByteWriter&& record) {
    std::string value = std::move(record).take();
    append_checksum(value);
    return value;
}

std::string seal(std::uint8_t version, std::string_view payload) {
    std::string value;
    value.reserve(payload.size() + record_overhead);
    value.push_back(static_cast<char>(version));
    value.append(payload);
    append_checksum(value);
    return value;
}

Result<OpenedView> open_record(std::string_view value) {
    if (value.size() < record_overhead) {
        return internal_error(ErrorCode::Corrupt, "record of " + std::to_string(value.size()) +
                                                      " octets is shorter than its envelope");
    }
    const std::string_view body = value.substr(0, value.size() - 4);
    ByteReader sum(value.substr(value.size() - 4));
    if (sum.u32() != crc32c(body)) {
        return internal_error(ErrorCode::Corrupt, "record checksum does not hold");
    }
    return OpenedView{.version = static_cast<std::uint8_t>(body.front()),
                      .payload = body.substr(1)};
}

Result<ByteReader> read_record(std::string_view value, std::uint8_t version,
                               std::string_view what) {
    Result<OpenedView> record = open_record(value);
    if (!record) {
        return std::unexpected(std::move(record).error().within(what));
    }
    if (record->version != version) {
        return internal_error(ErrorCode::Unsupported,
                              std::string(what) + " of version " + std::to_string(record->version) +
                                  "; this program reads " + std::to_string(version));
    }
    return ByteReader(record->payload);
}

std::string key_text(std::string_view key) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text(key.substr(0, 1));
    text += ' ';
    for (const char c : key.substr(std::min<std::size_t>(1, key.size()))) {
        const auto octet = static_cast<std::uint8_t>(c);
        text += kDigits[octet >> 4U];
        text += kDigits[octet & 0xFU];
    }
    return text;
}

void log_damage(std::string_view key, const Error& error) {
    probe<"store.damaged_row">();
    log::error("store.row_damaged", {{"row", key_text(key)}, {"error", error.text}});
}

}  // namespace godwit::store
