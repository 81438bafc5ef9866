// DEFLATE on an IMAP connection, both ways: the door of zlib for streams. RFC 4978 3, 4; Q40.
// Pure: octets in, octets out. What a peer sends is expanded in pieces, so that a few octets cannot
// become many in memory.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace godwit::imap {

/// The most that expand() gives at once, octets.
inline constexpr std::size_t compression_piece_max = 32 * 1024;

/// One connection's compression. One thread at a time. About 110 KiB.
class Compression {
public:
    Compression();
    ~Compression();
    Compression(const Compression&) = delete;
    Compression& operator=(const Compression&) = delete;

    /// What is to be written for `text`. The peer can expand all of it as soon as it has it (Q40).
    std::string compress(std::string_view text);

    /// Takes over a copy of what the connection gave.
    void feed(std::string_view bytes);
    /// expand() may give something without more being fed.
    [[nodiscard]] bool has_pending() const;
    /// The next piece, compression_piece_max octets at most, and not past the end of a block, since
    /// what follows may be clear text again (RFC 8437 4.1); empty: more must be fed. A Peer error
    /// when it is no DEFLATE, or more came when the peer had ended its stream.
    Result<std::string> expand();

    /// The peer compresses no more: passes over the end of its stream, which is a flush or a last
    /// block. True when that has come: take_rest() is clear text then. False: more must be fed.
    bool drain();
    std::string take_rest() { return std::exchange(input_, {}); }

private:
    struct Streams;
    int inflate_some(std::size_t octets, std::string* piece);

    std::unique_ptr<Streams> streams_;
    std::string input_;
    std::string tail_;            ///< The last octets that were expanded.
    bool may_have_more_ = false;  ///< The last piece was full.
    bool is_over_ = false;        ///< The peer's last block has come.
};

}  // namespace godwit::imap
