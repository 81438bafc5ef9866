#include "wire/imap/compression.h"

#include <zlib.h>

#include <algorithm>
#include <utility>

namespace godwit::imap {

namespace {

// RFC 4978 4: raw DEFLATE. What we send needs a window of 8 KiB alone and 64 KiB of memory; what
// comes may use the largest one.
constexpr int kOwnWindow = -13;
constexpr int kPeerWindow = -15;
constexpr int kMemoryLevel = 6;
// Responses shrink to a third at the least costly levels; bodies gain little by more.
constexpr int kLevel = 3;
// The octets of an empty stored block, which every flush ends in (RFC 1951 3.2.4).
constexpr std::string_view kFlushMark("\x00\x00\xff\xff", 4);

// zlib does not write to its input; its interface is older than const.
Bytef* octets(const char* text) {
    return reinterpret_cast<Bytef*>(const_cast<char*>(text));
}

}  // namespace

struct Compression::Streams {
    z_stream out = {};
    z_stream in = {};
};

Compression::Compression() : streams_(std::make_unique<Streams>()) {
    check(deflateInit2(&streams_->out, kLevel, Z_DEFLATED, kOwnWindow, kMemoryLevel,
                       Z_DEFAULT_STRATEGY) == Z_OK,
          "zlib has memory");
    check(inflateInit2(&streams_->in, kPeerWindow) == Z_OK, "zlib has memory");
}

Compression::~Compression() {
    deflateEnd(&streams_->out);
    inflateEnd(&streams_->in);
}

std::string Compression::compress(std::string_view text) {
    z_stream& stream = streams_->out;
    stream.next_in = octets(text.data());
    stream.avail_in = static_cast<uInt>(text.size());
    std::string out;
    do {
        const std::size_t before = out.size();
        // Room for the end of a flush too, whatever the text: else zlib would write it twice.
        out.resize(before + text.size() / 2 + 256);
        stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
        stream.avail_out = static_cast<uInt>(out.size() - before);
        check(deflate(&stream, Z_SYNC_FLUSH) != Z_STREAM_ERROR, "the stream is sound");
        out.resize(out.size() - stream.avail_out);
    } while (stream.avail_out == 0);
    return out;
}

void Compression::feed(std::string_view bytes) {
    input_.append(bytes);
}

bool Compression::has_pending() const {
    return may_have_more_ || !input_.empty();
}

// Gives what zlib says; `piece` gets what came of at most `octets` of the input.
int Compression::inflate_some(std::size_t count, std::string* piece) {
    z_stream& stream = streams_->in;
    piece->resize(compression_piece_max);
    stream.next_in = octets(input_.data());
    stream.avail_in = static_cast<uInt>(count);
    stream.next_out = reinterpret_cast<Bytef*>(piece->data());
    stream.avail_out = static_cast<uInt>(piece->size());
    const int outcome = inflate(&stream, Z_BLOCK);
    const std::size_t taken = count - stream.avail_in;
    tail_.append(input_, 0, taken);
    tail_.erase(0, tail_.size() - std::min(tail_.size(), kFlushMark.size()));
    input_.erase(0, taken);
    may_have_more_ = stream.avail_out == 0;
    is_over_ = outcome == Z_STREAM_END;
    piece->resize(piece->size() - stream.avail_out);
    return outcome;
}

Result<std::string> Compression::expand() {
    for (;;) {
        const std::size_t before = input_.size();
        if (is_over_) {
            may_have_more_ = false;
            return before == 0 ? Result<std::string>(std::string())
                               : peer_error(ErrorCode::Invalid, "the compressed stream has ended");
        }
        std::string piece;
        const int outcome = inflate_some(before, &piece);
        // Z_BUF_ERROR: nothing to do, which is no fault.
        if (outcome != Z_OK && outcome != Z_BUF_ERROR && outcome != Z_STREAM_END) {
            return peer_error(ErrorCode::Invalid, "this is no DEFLATE stream");
        }
        if (!piece.empty() || input_.empty() || (input_.size() == before && !is_over_)) {
            return piece;
        }
    }
}

bool Compression::drain() {
    while (!is_over_ && tail_ != kFlushMark) {
        std::string nothing;
        if (input_.empty() || inflate_some(1, &nothing) == Z_DATA_ERROR) {
            return false;
        }
    }
    return true;
}

}  // namespace godwit::imap
