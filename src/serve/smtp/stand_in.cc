#include "serve/smtp/stand_in.h"

#include "base/ascii.h"
#include "base/log.h"
#include "flow/read.h"
#include "store/directory/directory.h"

namespace godwit::serve {

using smtp::ClientFact;
using smtp::make_reply;

namespace {

net::Task<Result<std::optional<store::Account>>> find(const flow::Services* services,
                                                      std::string login) {
    const std::string domain = services->settings()->default_domain;
    co_return co_await flow::read(
        services, [login, domain](const store::Snapshot& snapshot, store::ReadTier tier) {
            return store::find_account(snapshot, tier, login, domain);
        });
}

StandInAnswer refuse(smtp::Reply reply) {
    return {.refusal = std::move(reply)};
}

}  // namespace

net::Task<StandInAnswer> stand_in(const flow::Services* services, smtp::ClientFacts facts,
                                  StandIn before, net::Endpoint connection) {
    StandIn client = std::move(before);
    net::Endpoint peer = client.peer.value_or(connection);
    if (const std::string address = facts.text(ClientFact::Address); !address.empty()) {
        const Result<net::IpAddress> parsed = net::IpAddress::parse(address);
        if (!parsed) {
            co_return refuse(make_reply(501, {5, 5, 4}, "Bad value of ADDR"));
        }
        // Another client has another port and name, unless they are said, too.
        peer = net::Endpoint(*parsed, 0);
        client.name.clear();
        client.peer = peer;
    }
    if (const std::string local = facts.text(ClientFact::LocalAddress);
        !local.empty() && !net::IpAddress::parse(local)) {
        co_return refuse(make_reply(501, {5, 5, 4}, "Bad value of DESTADDR"));
    }
    if (const auto& port = facts[ClientFact::Port]; port) {
        const auto number = static_cast<std::uint16_t>(parse_u64(*port).value_or(0));
        client.peer = net::Endpoint(peer.address(), number);
    }
    if (const auto& name = facts[ClientFact::Name]; name) {
        client.name = *name;
    }
    if (const auto& login = facts[ClientFact::Login]; login) {
        client.login.reset();
        if (!login->empty()) {
            const Result<std::optional<store::Account>> account = co_await find(services, *login);
            if (!account) {
                log::error("smtp.stand_in_failed", {{"error", account.error().text}});
                co_return refuse(make_reply(451, {4, 3, 0}, "Cannot look up accounts now"));
            }
            if (!*account || (*account)->is_disabled) {
                co_return refuse(
                    make_reply(501, {5, 5, 4}, "LOGIN names no account of this server"));
            }
            client.login = LoggedIn{(*account)->id, (*account)->name, (*account)->auth_epoch};
        }
    }
    co_return StandInAnswer{.refusal = std::nullopt, .client = std::move(client)};
}

std::string forwarded_peer(const smtp::ClientFacts& facts) {
    const std::string address = facts.text(ClientFact::Address);
    if (address.empty()) {
        return "local";
    }
    const std::string port = facts.text(ClientFact::Port);
    const Result<net::IpAddress> parsed = net::IpAddress::parse(address);
    if (parsed) {
        return net::Endpoint(*parsed, static_cast<std::uint16_t>(parse_u64(port).value_or(0)))
            .to_string();
    }
    return port.empty() ? address : address + ":" + port;
}

}  // namespace godwit::serve
