// One end of a connection that a dialog script plays, and what it does there: each a task of the
// stage's loop, since both ends wait on one thread.
#pragma once

#include <memory>
#include <string>

#include "net/io/memory_network.h"
#include "net/io/stream.h"
#include "net/io/task.h"
#include "net/tls/context.h"
#include "wire/imap/compression.h"

namespace godwit::dialog {

struct Player {
    std::unique_ptr<net::Stream> stream;
    std::string heard;        ///< Not consumed yet.
    bool is_closed = false;   ///< The other side ended or reset it.
    bool is_server = false;   ///< We play the server: roles of C: and S: are swapped.
    std::string door;         ///< What it was opened to: "imap".
    bool is_shaking = false;  ///< A handshake reads what comes.
    std::unique_ptr<imap::Compression> compression{};  ///< After @compress.
    bool is_compressing = false;                       ///< What is said, too.
};

net::Task<void> dial(Player* player, net::MemoryNetwork* network, net::Endpoint door);

/// Takes in all that the house has said, without waiting for more.
net::Task<void> listen_to(Player* player);

net::Task<void> say(Player* player, std::string bytes);

net::Task<void> shake_hands(Player* player, const net::TlsClientContext* trust);

/// We play the server. `before` is said in the clear.
net::Task<void> answer_hands(Player* player, std::string before,
                             const net::TlsServerContext* context);

}  // namespace godwit::dialog
