#include "player.h"

namespace godwit::dialog {

net::Task<void> listen_to(Player* player) {
    for (;;) {
        const Result<bool> ready = player->stream->has_input();
        if (!ready) {
            player->is_closed = true;
            co_return;
        }
        if (!*ready) {
            co_return;
        }
        std::string buffer(4096, '\0');
        const Result<std::size_t> got = co_await player->stream->read_some(buffer);
        if (!got || *got == 0) {
            player->is_closed = true;
            co_return;
        }
        if (player->compression == nullptr) {
            player->heard.append(buffer, 0, *got);
            continue;
        }
        player->compression->feed(std::string_view(buffer).substr(0, *got));
        while (player->compression->has_pending()) {
            const Result<std::string> piece = player->compression->expand();
            if (!piece || piece->empty()) {
                player->is_closed = player->is_closed || !piece;
                break;
            }
            player->heard += *piece;
        }
    }
}

net::Task<void> say(Player* player, std::string bytes) {
    if (player->compression != nullptr && player->is_compressing) {
        bytes = player->compression->compress(bytes);
    }
    const Result<> written = co_await player->stream->write_all(bytes);
    if (!written) {
        player->is_closed = true;
    }
}

net::Task<void> shake_hands(Player* player, const net::TlsClientContext* trust) {
    net::TlsClientOptions options{
        .host = "mx.example.test", .verify = net::TlsVerify::Opportunistic, .alpn = {}};
    const Result<> done = co_await player->stream->start_tls_client(trust, options);
    if (!done) {
        player->is_closed = true;
    }
}

net::Task<void> answer_hands(Player* player, std::string before,
                             const net::TlsServerContext* context) {
    player->is_shaking = true;
    Result<> done;
    if (!before.empty()) {
        done = co_await player->stream->write_all(before);
    }
    if (done) {
        done = co_await player->stream->start_tls_server(context);
    }
    player->is_shaking = false;
    player->is_closed = player->is_closed || !done;
}

net::Task<void> dial(Player* player, net::MemoryNetwork* network, net::Endpoint door) {
    net::ConnectRequest request;
    request.to = door;
    Result<std::unique_ptr<net::Stream>> stream = co_await network->connect(std::move(request));
    if (stream) {
        player->stream = std::move(*stream);
    } else {
        player->is_closed = true;
    }
}

}  // namespace godwit::dialog
