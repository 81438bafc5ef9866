#include "mail/report/gzip.h"

#include <zlib.h>

#include "base/result.h"

namespace godwit::mail {

std::string gzip(std::string_view text) {
    // 15 is the largest window; 16 more ask for GZIP's frame instead of zlib's (zlib.h).
    constexpr int kGzipWindow = 15 + 16;
    constexpr int kMemoryLevel = 8;
    z_stream stream = {};
    check(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, kMemoryLevel,
                       Z_DEFAULT_STRATEGY) == Z_OK,
          "zlib has memory");
    std::string out(deflateBound(&stream, text.size()), '\0');
    // zlib does not write to its input; its interface is older than const.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    check(deflate(&stream, Z_FINISH) == Z_STREAM_END, "deflateBound() is enough");
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

}  // namespace godwit::mail
