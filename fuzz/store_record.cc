// Any octets as a value or a segment's record: a result or an error, never a crash.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "store/blob/blob.h"
#include "store/blob/segment.h"
#include "store/kv/meta.h"
#include "store/kv/record.h"

using namespace godwit;
using namespace godwit::store;

namespace {

void read_rows(std::string_view value) {
    (void)decode_blob_location(value);
    (void)decode_format(value);
    (void)decode_commit_seq(value);
    (void)decode_segment_row(value);
    (void)parse_segment_key(value);
}

// A record as a file would hold it, read at a range that the input chooses.
void read_record(std::string_view input) {
    ByteReader in(input);
    const std::uint64_t offset = in.u32();
    const std::uint64_t length = in.u32();
    const std::uint64_t size = in.u32();
    const RecordRange range = range_of(size, offset, length);
    (void)open_range(std::string(in.raw(in.remaining())), range, BlobId{}, size);
    (void)open_range(std::string(input.substr(0, std::min(range.size, input.size()))), range,
                     BlobId{}, size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    read_rows(input);
    // With an envelope that holds, the payload's reader is reached.
    read_rows(seal(1, input));
    (void)decode_segment_header(input);
    (void)decode_record_header(input);
    read_record(input);
    return 0;
}
