// Listeners, from settings to sessions.
#include "app/doors.h"

#include <algorithm>
#include <array>
#include <set>

#include "app/config_keys.h"
#include "base/log.h"
#include "base/metrics.h"
#include "serve/http/session.h"
#include "serve/imap/session.h"
#include "serve/pop3/session.h"
#include "serve/smtp/session.h"

namespace godwit::app {
namespace {

using flow::Protocol;

constexpr auto kDesks = std::to_array<DeskRow>({
    {Protocol::Smtp, serve::serve_smtp, ""},
    {Protocol::Submission, serve::serve_smtp, ""},
    {Protocol::Submissions, serve::serve_smtp, ""},
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

/// Sockets with equal names are one door; another name is another door.
std::string door_name(const flow::ListenerSettings& settings) {
    std::string name(to_string(settings.protocol));
    name.append(" ").append(settings.address);
    return settings.reject_bare_newline ? name.append(" (rejecting bare newlines)") : name;
}

/// Counts a connection as open while it lives, however it ends.
class OpenCount {
public:
    OpenCount() { count(Metric::ConnectionsOpen); }
    ~OpenCount() { count(Metric::ConnectionsOpen, -1); }
    OpenCount(const OpenCount&) = delete;
    OpenCount& operator=(const OpenCount&) = delete;
};

net::Task<void> serve_counted(serve::Desk desk, serve::Connection connection) {
    const OpenCount open;
    co_await desk(std::move(connection));
}

/// What an accepted connection becomes.
struct Welcome {
    flow::Services* services;
    flow::ListenerSettings listener;
    const net::TlsServerContext* tls;
    serve::Desk desk;

    void operator()(std::unique_ptr<net::Stream> stream) const {
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
        count(connection.permit ? Metric::ConnectionsAccepted : Metric::ConnectionsRefused);
        net::spawn(shard, to_string(listener.protocol), serve_counted(desk, std::move(connection)));
    }
};

}  // namespace

std::span<const DeskRow> desk_table() {
    return kDesks;
}

Doors::Doors(flow::Services* services, const net::TlsCertificates* certificates)
    : services_(services), certificates_(certificates) {}

Result<> Doors::prepare() {
    for (const DeskRow& row : kDesks) {
        net::TlsServerContext::Options options;
        options.service = std::string(to_string(row.protocol));
        if (!row.alpn.empty()) {
            options.alpn.emplace_back(row.alpn);
        }
        tls_[row.protocol] = TRY(net::TlsServerContext::create(certificates_, std::move(options)));
    }
    return {};
}

Result<std::unique_ptr<net::Listener>> Doors::listen(const flow::ListenerSettings& settings,
                                                     std::uint32_t unix_mode) {
    const net::Endpoint at = TRY(net::Endpoint::parse(settings.address));
    net::ListenOptions options;
    options.name = std::string(to_string(settings.protocol));
    options.unix_mode = unix_mode;
    const net::TlsServerContext* tls =
        certificates_->is_empty() ? nullptr : tls_.at(settings.protocol).get();
    auto listener = services_->network->listen(at, std::move(options),
                                               Welcome{.services = services_,
                                                       .listener = settings,
                                                       .tls = tls,
                                                       .desk = desk_of(settings.protocol).desk});
    if (!listener) {
        return std::unexpected(std::move(listener.error()).within(door_name(settings)));
    }
    return listener;
}

Result<std::vector<std::string>> Doors::open(const std::vector<flow::ListenerSettings>& wanted) {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> done;
    std::map<std::string, std::unique_ptr<net::Listener>> fresh;
    std::set<std::string> names;
    for (const flow::ListenerSettings& settings : wanted) {
        std::string name = door_name(settings);
        names.insert(name);
        if (!listeners_.contains(name)) {
            fresh[name] = TRY(listen(settings, 0660));
            done.push_back("listening: " + name);
        }
    }
    for (auto it = listeners_.begin(); it != listeners_.end();) {
        if (names.contains(it->first)) {
            ++it;
            continue;
        }
        it->second->stop();
        done.push_back("closed: " + it->first);
        it = listeners_.erase(it);
    }
    listeners_.merge(fresh);
    for (const std::string& what : done) {
        log::info("listener.changed", {{"what", what}});
    }
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
    auto listener = TRY(listen(settings, 0666));
    const std::lock_guard lock(mutex_);
    own_.push_back(std::move(listener));
    return {};
}

void Doors::close() {
    const std::lock_guard lock(mutex_);
    for (auto& [name, listener] : listeners_) {
        listener->stop();
    }
    for (auto& listener : own_) {
        listener->stop();
    }
}

std::vector<std::string> Doors::names() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [name, listener] : listeners_) {
        out.push_back(name);
    }
    return out;
}

}  // namespace godwit::app
