// A connected TCP or Unix socket as a Channel. Private to net/.
#pragma once

#include <memory>

#include "net/io/channel.h"
#include "net/io/descriptor_watch.h"

namespace godwit::net {

/// Takes a connected, non-blocking socket; sets TCP_NODELAY. On `shard`.
Result<std::unique_ptr<Stream>> make_socket_stream(Descriptor socket, Shard& shard);
/// The same of a watch that is attached to `shard`.
std::unique_ptr<Stream> make_socket_stream(std::unique_ptr<DescriptorWatch> watch, Shard& shard);

}  // namespace godwit::net
