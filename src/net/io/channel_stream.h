// The Stream over any Channel: waiting, the deadline, TLS. Private to net/.
#pragma once

#include <memory>

#include "net/io/channel.h"
#include "net/io/stream.h"

namespace godwit::net {

/// `channel` is attached to `shard`.
std::unique_ptr<Stream> make_stream(std::unique_ptr<Channel> channel, Shard& shard);

/// "reading: Connection reset by peer" as an Error: Temporary, Closed or Io.
Error io_error(std::string_view doing, int error_number);

}  // namespace godwit::net
