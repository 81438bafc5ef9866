#include "store/kv/record.h"

#include "base/bytes.h"

namespace godwit::store {

std::string seal_record(std::uint8_t version, std::string_view payload) {
    std::string out;
    out.reserve(kSealSize + payload.size());
    const char head = static_cast<char>(version);
    const std::uint32_t sum = crc32c(payload, crc32c(std::string_view(&head, 1)));
    out.push_back(head);
    out.push_back(static_cast<char>(sum >> 24U));
    out.push_back(static_cast<char>(sum >> 16U));
    out.push_back(static_cast<char>(sum >> 8U));
    out.push_back(static_cast<char>(sum));
    out.append(payload);
    return out;
}

Result<OpenedRecordView> open_record(std::string_view value, std::string_view name) {
    if (value.size() < kSealSize) {
        return internal_error(ErrorCode::Corrupt, std::string(name) + ": shorter than its seal");
    }
    ByteReader reader(value.substr(0, kSealSize));
    const std::uint8_t version = reader.u8();
    const std::uint32_t sum = reader.u32();
    const std::string_view payload = value.substr(kSealSize);
    if (crc32c(payload, crc32c(value.substr(0, 1))) != sum) {
        return internal_error(ErrorCode::Corrupt, std::string(name) + ": checksum does not hold");
    }
    return OpenedRecordView{.version = version, .payload = payload};
}

Result<std::string_view> open_record(std::string_view value, std::string_view name,
                                     std::uint8_t newest) {
    const OpenedRecordView record = TRY(open_record(value, name));
    if (record.version == 0 || record.version > newest) {
        return internal_error(ErrorCode::Unsupported, std::string(name) + ": version " +
                                                          std::to_string(record.version) +
                                                          " is not known to this program");
    }
    return record.payload;
}

}  // namespace godwit::store
