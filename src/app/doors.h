// The listeners that are open, and what desk serves each protocol.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "flow/services.h"
#include "net/io/network.h"
#include "net/io/swap_cell.h"
#include "net/tls/context.h"
#include "serve/connection.h"

namespace godwit::app {

/// One protocol: the desk that serves it and the TLS it offers.
struct DeskRow {
    flow::Protocol protocol;
    serve::Desk desk;
    std::string_view alpn;  ///< RFC 7301 name; empty: none is looked at.
};
std::span<const DeskRow> desk_table();

/// Opens and closes listeners as the settings say. Any thread; calls are serialised.
class Doors {
public:
    /// All outlive it, and it outlives the shards' last step.
    Doors(flow::Services* services, const net::TlsCertificates* certificates);

    /// One TLS context a protocol. Once, before the first open().
    Result<> prepare();
    /// Opens what `wanted` has and is not open, closes what it has no more, and has an open door
    /// speak another protocol where `wanted` says so. When one cannot be opened, nothing changes
    /// and the error names it. A door never moves to an address that overlaps its own on the same
    /// port ([::] to 0.0.0.0): it would have to be closed before it is known that the other opens,
    /// so that is refused and left to a restart. Gives what was done, for people.
    Result<std::vector<std::string>> open(const std::vector<flow::ListenerSettings>& wanted);
    /// A further door of the server's own, served by `handler`.
    Result<> open_own(const std::string& name, const std::string& path, std::uint32_t mode,
                      net::AcceptHandler handler);
    /// A UNIX socket for programs of this machine that hand in mail.
    Result<> open_submit(const std::string& path);
    /// Stops all.
    void close();
    /// "imap 127.0.0.1:143" and so on.
    [[nodiscard]] std::vector<std::string> names();

private:
    // Two lifetimes: the door's row here, and an accepted connection on its way to a shard.
    struct Way {
        flow::ListenerSettings listener;
        const net::TlsServerContext* tls = nullptr;
    };
    using Cell = std::shared_ptr<net::SwapCell<Way>>;
    struct Row {
        std::string name;
        bool is_v6_only = false;  ///< As it was bound; a socket cannot change it.
        Cell way;
        std::unique_ptr<net::Listener> listener;
    };

    Result<Row> listen(Way way, net::ListenOptions options);
    /// One of `wanted` that is not open yet, with what to do about it when that fails.
    Result<Row> open_one(const Way& way, const net::Endpoint& at, bool is_v6_only);
    /// With the TLS context of the protocol, or one that asks for client
    /// certificates.
    Result<Way> way_of(const flow::ListenerSettings& settings);
    std::vector<std::string> close_all_but(const std::set<std::string>& addresses);
    flow::Services* services_;
    const net::TlsCertificates* certificates_;
    std::map<flow::Protocol, std::unique_ptr<net::TlsServerContext>> tls_;
    // By protocol and the CAs' text. Kept to the end, as sessions may: one for
    // each change of the files that a reload finds.
    std::map<std::string, std::unique_ptr<net::TlsServerContext>> tls_for_clients_;
    std::mutex mutex_;
    std::map<std::string, Row> rows_;  // By address.
    std::vector<std::unique_ptr<net::Listener>> own_;
};

}  // namespace godwit::app
