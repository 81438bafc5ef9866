// A connection as sessions see it: bytes in order, one deadline, TLS in mid-stream.
// Seam: sockets in production (socket_channel), memory pairs in tests (memory_stream), one
// implementation above both.
//
// A stream belongs to one shard; all calls are made there. One task may read while another writes;
// never two readers or two writers. After an error other than Denied the stream is dead: every
// later call fails the same way; destroy it. But for a write in clear text that the connection
// refused: no other write will do, and what the peer said before can still be read (SMTP's 5xx in
// mid-body). Destroying a stream closes its socket at once; the
// frames that wait on it are destroyed first or with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/io/endpoint.h"
#include "net/io/shard.h"
#include "net/tls/context.h"

namespace godwit::net {

/// Who is at the other end of a Unix socket (SO_PEERCRED), as of its connect.
struct PeerCredentials {
    std::uint32_t user_id = 0;
    std::uint32_t group_id = 0;
    std::int32_t process_id = 0;
};

enum class Readiness : std::uint8_t {
    Readable,     ///< read_some() will not wait (bytes, or the end).
    Interrupted,  ///< interrupt() was called; nothing is wrong with the stream.
};

class Stream {
public:
    virtual ~Stream() = default;

    /// Waits until there is something to read, holding no buffer: an idle session allocates only
    /// when this returns. Where it fails with Timeout and no other operation was pending, the
    /// stream is as good as before: with a new deadline something can be said to the silent peer.
    virtual Task<Result<Readiness>> wait_readable() = 0;
    /// Makes the pending wait_readable(), or else the next one, return Interrupted: how a watcher
    /// tells an idle session that its mailbox changed. Own shard.
    virtual void interrupt() = 0;
    /// At least one byte, or 0 at the end of the peer's data. The buffer stays valid until it
    /// returns and is not empty. With TLS, an end without close_notify is Closed (truncation).
    virtual Task<Result<std::size_t>> read_some(std::span<char> buffer) = 0;
    /// All of `bytes`, which stay valid until it returns. "Written" means given to the kernel.
    virtual Task<Result<>> write_all(std::string_view bytes) = 0;
    /// True when bytes of the peer (or its end) can be read at once. Never waits: for finding input
    /// where the peer had no right to send any (before a greeting, behind STARTTLS).
    [[nodiscard]] virtual Result<bool> has_input() = 0;

    /// Every operation that has not ended by `at` fails with Timeout, and the stream is dead (but
    /// see wait_readable()). kNever: none. Cheap: set it before each step.
    virtual void set_deadline(MonoTime at) = 0;

    /// Handshakes as the server or the client. The context outlives the stream. Bytes that came in
    /// the clear and were not read yet are taken as handshake bytes (and break it). On failure the
    /// stream is dead. Error: Peer/Denied when a certificate was not accepted, else Peer/Invalid.
    virtual Task<Result<>> start_tls_server(const TlsServerContext* context) = 0;
    virtual Task<Result<>> start_tls_client(const TlsClientContext* context,
                                            TlsClientOptions options) = 0;
    /// Null before a handshake has been done.
    [[nodiscard]] virtual const TlsSession* tls() const = 0;

    /// No more will be written: close_notify and FIN. Reading goes on.
    virtual Task<Result<>> shutdown_write() = 0;
    /// Ends in order: shutdown_write(), then reads and drops what the peer still sends until its
    /// end (bounded: limits.h linger_*), so that our last reply is not lost to a reset. The stream
    /// is dead after it.
    virtual Task<void> close() = 0;
    /// Dead at once: pending operations fail with Closed; the peer sees a reset. Own shard.
    virtual void abort() = 0;

    [[nodiscard]] virtual const Endpoint& peer() const = 0;
    [[nodiscard]] virtual const Endpoint& local() const = 0;
    /// Unix sockets only.
    [[nodiscard]] virtual std::optional<PeerCredentials> credentials() const = 0;

    /// Takes the connection and the task that calls this to another shard: it resumes there. No
    /// other operation is pending; the caller is no member of a TaskGroup. See switch_to.
    virtual Task<Result<>> move_to(Shard* target) = 0;
    [[nodiscard]] virtual Shard& shard() const = 0;
};

}  // namespace godwit::net
