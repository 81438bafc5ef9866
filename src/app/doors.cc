// Listeners, from settings to sessions.
#include "app/doors.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>

#include "app/config_keys.h"
#include "base/log.h"
#include "serve/http/session.h"
#include "serve/imap/session.h"
#include "serve/pop3/session.h"
#include "serve/proxied.h"
#include "serve/smtp/session.h"

namespace godwit::app {
namespace {

using flow::Protocol;

constexpr auto kDesks = std::to_array<DeskRow>({
    {Protocol::Smtp, serve::serve_smtp, ""},
    {Protocol::Submission, serve::serve_smtp, ""},
    {Protocol::Submissions, serve::serve_smtp, "smtp"},
    {Protocol::Lmtp, serve::serve_smtp, ""},
    {Protocol::Imap, serve::serve_imap, ""},
    {Protocol::Imaps, serve::serve_imap, "imap"},
    {Protocol::Pop3, serve::serve_pop3, ""},
    {Protocol::Pop3s, serve::serve_pop3, "pop3"},
    {Protocol::Http, serve::serve_http, "http/1.1"},
});

const DeskRow& desk_of(Protocol protocol) {
    const auto found = std::ranges::find(kDesks, protocol, &DeskRow::protocol);
    check(found != kDesks.end(), "every protocol has a desk");
    return *found;
}

net::TlsServerContext::Options tls_options(const DeskRow& row) {
    net::TlsServerContext::Options options;
    options.service = std::string(to_string(row.protocol));
    if (!row.alpn.empty()) {
        options.alpn.emplace_back(row.alpn);
    }
    return options;
}

/// Sockets with equal names are one door; another name is another door.
std::string door_name(const flow::ListenerSettings& settings) {
    std::string name(to_string(settings.protocol));
    name.append(" ").append(settings.address);
    name.append(settings.reject_bare_newline ? " (rejecting bare newlines)" : "");
    name.append(settings.client_ca_files.empty() ? "" : " (taking client certificates)");
    return name.append(settings.proxy ? " (behind a proxy)" : "");
}

/// What an accepted connection becomes, by what its listener is set to now.
void welcome(flow::Services* services, const flow::ListenerSettings& listener,
             const net::TlsServerContext* tls, std::unique_ptr<net::Stream> stream) {
    const flow::SettingsPtr settings = services->settings();
    net::Shard& shard = stream->shard();
    serve::Connection connection;
    connection.services = services;
    connection.listener = listener;
    connection.tls = tls;
    connection.permit = services->connection_guard->admit(
        stream->peer(), {.total = settings->limits.connections,
                         .per_address = settings->limits.connections_per_address});
    connection.stream = std::move(stream);
    net::spawn(shard, to_string(listener.protocol),
               desk_of(listener.protocol).desk(std::move(connection)));
}

/// The same behind a load balancer, whose header comes first. Until it has come the connection
/// counts in all, but not for an address: that of the balancer is everybody's.
net::Task<void> welcome_proxied(flow::Services* services, flow::ListenerSettings listener,
                                const net::TlsServerContext* tls,
                                std::unique_ptr<net::Stream> stream) {
    const flow::SettingsPtr settings = services->settings();
    const std::string balancer = stream->peer().to_string();
    Result<std::unique_ptr<net::Stream>> proxied =
        temporary_error(ErrorCode::LimitExceeded, "too many connections");
    {
        const flow::ConnectionPermit waiting = services->connection_guard->admit(
            stream->peer(), {.total = settings->limits.connections,
                             .per_address = std::numeric_limits<std::uint32_t>::max()});
        if (waiting) {
            proxied = co_await serve::take_proxy_header(services, std::move(stream));
        }
    }
    if (!proxied) {
        log::warn("listener.proxy_refused", {{"peer", balancer}, {"error", proxied.error().text}});
        co_return;
    }
    welcome(services, listener, tls, *std::move(proxied));
}

/// [::] and 0.0.0.0 with one port are two doors; [::] alone is for both families.
bool is_v6_only(const net::Endpoint& at, const std::vector<flow::ListenerSettings>& wanted) {
    if (at.is_unix() || !at.address().is_v6() || !at.address().is_any()) {
        return false;
    }
    const net::Endpoint every_v4(net::IpAddress(), at.port());
    return std::ranges::any_of(wanted, [&](const flow::ListenerSettings& other) {
        const auto there = net::Endpoint::parse(other.address);
        return there && *there == every_v4;
    });
}

}  // namespace

std::span<const DeskRow> desk_table() {
    return kDesks;
}

Doors::Doors(flow::Services* services, const net::TlsCertificates* certificates)
    : services_(services), certificates_(certificates) {}

Result<> Doors::prepare() {
    for (const DeskRow& row : kDesks) {
        tls_[row.protocol] = TRY(net::TlsServerContext::create(certificates_, tls_options(row)));
    }
    return {};
}

Result<Doors::Way> Doors::way_of(const flow::ListenerSettings& settings) {
    if (settings.client_ca_files.empty()) {
        return Way{.listener = settings, .tls = tls_.at(settings.protocol).get()};
    }
    net::TlsServerContext::Options options = tls_options(desk_of(settings.protocol));
    for (const std::string& file : settings.client_ca_files) {
        options.client_ca_pem += TRY(net::read_pem_file(file)) + "\n";
    }
    auto& kept = tls_for_clients_[options.service + "\n" + options.client_ca_pem];
    if (kept == nullptr) {
        kept = TRY(net::TlsServerContext::create(certificates_, std::move(options)));
    }
    return Way{.listener = settings, .tls = kept.get()};
}

Result<Doors::Row> Doors::listen(Way way, net::ListenOptions options) {
    const flow::ListenerSettings settings = way.listener;
    const net::Endpoint at = TRY(net::Endpoint::parse(settings.address));
    options.name = std::string(to_string(settings.protocol));
    Row row;
    row.name = door_name(settings);
    row.is_v6_only = options.is_v6_only;
    row.way = std::make_shared<net::SwapCell<Way>>();
    row.way->store(std::make_shared<const Way>(std::move(way)));
    auto listener = services_->network->listen(
        at, std::move(options),
        [this, services = services_, cell = row.way](std::unique_ptr<net::Stream> stream) {
            const auto now = cell->load();
            auto tls = certificates_->is_empty() ? nullptr : now->tls;
            if (now->listener.proxy) {
                net::Shard& shard = stream->shard();
                net::spawn(
                    shard, "proxy_header",
                    welcome_proxied(services, now->listener, std::move(tls), std::move(stream)));
                return;
            }
            welcome(services, now->listener, std::move(tls), std::move(stream));
        });
    if (!listener) {
        return std::unexpected(std::move(listener.error()).within(row.name));
    }
    row.listener = *std::move(listener);
    return row;
}

Result<Doors::Row> Doors::open_one(const Way& way, const net::Endpoint& at, bool is_v6_only) {
    auto row = listen(way, {.is_v6_only = is_v6_only});
    if (row || row.error().code != ErrorCode::AlreadyExists || at.is_unix()) {
        return row;
    }
    for (const auto& [address, other] : rows_) {
        const auto there = net::Endpoint::parse(address);
        if (there && !there->is_unix() && there->port() == at.port()) {
            row.error().text +=
                "; this server listens there as " + other.name + ": moving it needs a restart";
            break;
        }
    }
    return row;
}

Result<std::vector<std::string>> Doors::open(const std::vector<flow::ListenerSettings>& wanted) {
    const std::lock_guard lock(mutex_);
    std::map<std::string, Row> fresh;
    std::set<std::string> addresses;
    std::map<std::string, Way> ways;
    for (const flow::ListenerSettings& settings : wanted) {
        const net::Endpoint at = TRY(net::Endpoint::parse(settings.address));
        addresses.insert(at.to_string());
        const Way& way = ways[at.to_string()] = TRY(way_of(settings));
        const bool v6_only = is_v6_only(at, wanted);
        const auto open = rows_.find(at.to_string());
        if (open == rows_.end()) {
            fresh[at.to_string()] = TRY(open_one(way, at, v6_only));
        } else if (open->second.is_v6_only != v6_only) {
            return peer_error(ErrorCode::Unsupported,
                              open->second.name +
                                  (v6_only ? " serves IPv4 too, and 0.0.0.0"
                                           : " serves IPv6 alone, and without 0.0.0.0") +
                                  " with its port needs a restart");
        }
    }
    std::vector<std::string> done;
    for (const auto& [address, row] : fresh) {
        done.push_back("listening: " + row.name);
    }
    for (const flow::ListenerSettings& settings : wanted) {
        const std::string address = TRY(net::Endpoint::parse(settings.address)).to_string();
        const auto found = rows_.find(address);
        if (found == rows_.end() || (found->second.name == door_name(settings) &&
                                     found->second.way->load()->tls == ways[address].tls)) {
            continue;
        }
        // The socket stays, so that no client is refused meanwhile; open sessions end as they are.
        found->second.way->store(std::make_shared<const Way>(ways[address]));
        done.push_back("changed: " + found->second.name + " to " + door_name(settings));
        found->second.name = door_name(settings);
    }
    std::ranges::move(close_all_but(addresses), std::back_inserter(done));
    rows_.merge(fresh);
    for (const std::string& what : done) {
        log::info("listener.changed", {{"what", what}});
    }
    return done;
}

std::vector<std::string> Doors::close_all_but(const std::set<std::string>& addresses) {
    std::vector<std::string> done;
    std::erase_if(rows_, [&](const auto& entry) {
        if (addresses.contains(entry.first)) {
            return false;
        }
        entry.second.listener->stop();
        done.push_back("closed: " + entry.second.name);
        return true;
    });
    return done;
}

Result<> Doors::open_own(const std::string& name, const std::string& path, std::uint32_t mode,
                         net::AcceptHandler handler) {
    net::ListenOptions options;
    options.name = name;
    options.unix_mode = mode;
    auto listener = TRY(services_->network->listen(net::Endpoint::unix_path(path),
                                                   std::move(options), std::move(handler)));
    const std::lock_guard lock(mutex_);
    own_.push_back(std::move(listener));
    return {};
}

Result<> Doors::open_submit(const std::string& path) {
    flow::ListenerSettings settings;
    settings.protocol = Protocol::Submission;
    settings.address = "unix:" + path;
    // Any user of this machine may hand in mail: who it was goes by SO_PEERCRED.
    Row row = TRY(listen(TRY(way_of(settings)), {.unix_mode = 0666}));
    const std::lock_guard lock(mutex_);
    own_.push_back(std::move(row.listener));
    return {};
}

void Doors::close() {
    const std::lock_guard lock(mutex_);
    for (auto& [address, row] : rows_) {
        row.listener->stop();
    }
    for (auto& listener : own_) {
        listener->stop();
    }
}

std::vector<std::string> Doors::names() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [address, row] : rows_) {
        out.push_back(row.name);
    }
    return out;
}

}  // namespace godwit::app
