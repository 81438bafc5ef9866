#include "net/dial/dial.h"

#include <algorithm>

#include "base/limits.h"
#include "base/probe.h"

namespace godwit::net {

std::vector<IpAddress> dial_order(const std::vector<IpAddress>& addresses) {
    std::vector<IpAddress> six;
    std::vector<IpAddress> four;
    for (const IpAddress& address : addresses) {
        auto& family = address.is_v6() ? six : four;
        if (std::find(family.begin(), family.end(), address) == family.end()) {
            family.push_back(address);
        }
    }
    std::vector<IpAddress> order;
    for (std::size_t i = 0; i < std::max(six.size(), four.size()); ++i) {
        if (i < six.size()) {
            order.push_back(six[i]);
        }
        if (i < four.size()) {
            order.push_back(four[i]);
        }
    }
    return order;
}

namespace {

Task<Result<std::vector<Endpoint>>> resolve(Resolver* resolver, const DialRequest* request) {
    std::vector<IpAddress> addresses;
    if (auto literal = IpAddress::parse(request->host)) {
        addresses.push_back(*literal);
    } else {
        if (resolver == nullptr) {
            co_return temporary_error(ErrorCode::Unavailable,
                                      request->host + ": DNS look-ups are turned off");
        }
        AddressAnswer answer = CO_TRY(co_await resolver->addresses(request->host));
        addresses = std::move(answer.addresses);
    }
    if (addresses.empty()) {
        co_return peer_error(ErrorCode::NotFound, request->host + " has no address");
    }
    if (!request->allow_private) {
        std::erase_if(addresses, [](const IpAddress& address) { return !address.is_global(); });
    }
    if (addresses.empty()) {
        probe<"dial.private_only">();
        co_return peer_error(ErrorCode::Denied,
                             request->host + " has no address that is publicly reachable");
    }
    std::vector<Endpoint> endpoints;
    for (const IpAddress& address : dial_order(addresses)) {
        endpoints.emplace_back(address, request->port);
    }
    co_return endpoints;
}

ConnectRequest attempt_of(const DialRequest& request, const Endpoint& to, MonoTime now) {
    Duration patience = request.connect_timeout > Duration(0)
                            ? request.connect_timeout
                            : Duration(limits::smtp_client_connect_timeout);
    ConnectRequest attempt{
        .to = to, .deadline = std::min(request.deadline, now + patience), .source = {}};
    if (!to.is_unix()) {
        attempt.source = to.address().is_v4() ? request.source_v4 : request.source_v6;
    }
    return attempt;
}

Error all_failed(const std::vector<DialAttempt>& failed) {
    if (failed.empty()) {
        return Error{ErrorKind::Temporary, ErrorCode::Timeout, "no time left to connect"};
    }
    std::string text;
    for (const DialAttempt& attempt : failed) {
        text += text.empty() ? "" : "; ";
        text += attempt.error.text;
    }
    return Error{ErrorKind::Temporary, failed.back().error.code, std::move(text)};
}

}  // namespace

Task<Result<Dialed>> dial(Network* network, Resolver* resolver, DialRequest request) {
    std::vector<Endpoint> endpoints = request.endpoints;
    if (endpoints.empty()) {
        endpoints = CO_TRY(co_await resolve(resolver, &request));
    }
    if (endpoints.size() > limits::dial_addresses_max) {
        endpoints.resize(limits::dial_addresses_max);
    }
    Dialed dialed;
    for (const Endpoint& endpoint : endpoints) {
        MonoTime now = Shard::here().now();
        if (now >= request.deadline) {
            break;
        }
        auto stream = co_await network->connect(attempt_of(request, endpoint, now));
        if (stream) {
            dialed.stream = std::move(*stream);
            dialed.endpoint = endpoint;
            co_return dialed;
        }
        dialed.failed.push_back({endpoint, std::move(stream).error()});
        if (dialed.failed.size() < endpoints.size()) {
            probe<"dial.next_address">();
        }
    }
    co_return std::unexpected(all_failed(dialed.failed));
}

}  // namespace godwit::net
