// What a SASL exchange needs to know of the TLS it runs in.
#pragma once

#include "net/tls/context.h"
#include "wire/sasl/mechanism.h"

namespace godwit::flow {

/// The channel bindings `tls` can give, and whether the client has shown a
/// certificate for EXTERNAL; empty fields for those it cannot, all empty
/// without TLS (nullptr). Owned copies of a few dozen bytes. The shard of the
/// session's stream only.
sasl::ChannelBindings channel_bindings(const net::TlsSession* tls);

}  // namespace godwit::flow
