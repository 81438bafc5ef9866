// The files of a backup: any octets give a value or an Error, and what decodes is encoded to the
// same again. The first octet chooses the file; a second run has its checksum put right.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/crypto.h"
#include "store/backup/format.h"
#include "store/backup/key_file.h"
#include "store/blob/memory_files.h"
#include "store/kv/record.h"

using namespace godwit;
using namespace godwit::store;

namespace {

// As a file of keys without its index.
void walk(std::string_view octets) {
    MemoryFiles files;
    files.set_content("/keys", encode(KeyFileHeader{}) + std::string(octets));
    auto reader = KeyFileReader::open(files.open("/keys", OpenMode::Read).value(),
                                      KeyFileReader::OnDamage::PassOver);
    if (!reader) {
        return;
    }
    std::string last;
    for (std::size_t number = 0; number < reader->blocks(); ++number) {
        const auto rows = reader->block(number);
        check(rows.has_value(), "a damaged block is passed over");
        for (const BackupRowView& row : **rows) {
            check(row.key > last, "keys rise over the whole file");
            last = std::string(row.key);
        }
    }
}

void run(std::uint8_t kind, std::string_view octets) {
    switch (kind % 7) {
        case 0:
            if (const auto manifest = decode_backup_manifest(octets)) {
                const auto again = decode_backup_manifest(encode(*manifest));
                check(again && again->parts == manifest->parts, "a manifest must stay what it is");
                for (const BackupPart& part : manifest->parts) {
                    check(part_name(part).find('/') == std::string::npos,
                          "a part has a plain name");
                }
            }
            return;
        case 1:
            for (const BackupRowView& row : rest_of_block(octets, 0)) {
                check(!row.key.empty() && open_record(row.value).has_value(),
                      "what is left of a block holds");
            }
            (void)rest_of_block(octets, 0, BlockEnd::Cut);
            walk(octets);
            if (const auto rows = decode_block(octets, 0); rows && !rows->empty()) {
                BlockBuilder block;
                for (const BackupRowView& row : *rows) {
                    block.add(row.key, row.value);
                }
                const auto again = decode_block(block.take(0), 0);
                check(again && again->size() == rows->size(), "a block must stay what it is");
            }
            return;
        case 2:
            if (const auto index = decode_block_index(octets)) {
                check(decode_block_index(encode(*index)).has_value(), "an index must decode");
            }
            return;
        case 3: (void)decode_backup_identity(octets); return;
        case 4: (void)decode_key_file_header(octets); return;
        case 5: (void)decode_key_file_trailer(octets); return;
        default:
            if (const auto at = parse_generation_name(octets)) {
                check(generation_name(*at) == octets, "a name must stay what it is");
            }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (input.empty()) {
        return 0;
    }
    const std::string_view octets = input.substr(1);
    run(data[0], octets);
    if (data[0] % 7 == 0) {
        run(data[0], std::string(octets) + sha256_bytes(octets));
    } else {
        ByteWriter whole;
        whole.raw(octets).u32(crc32c(octets));
        run(data[0], whole.view());
    }
    return 0;
}
