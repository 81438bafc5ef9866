#include "flow/policy/connection_guard.h"

#include <algorithm>

#include "base/metrics.h"

namespace godwit::flow {

ConnectionPermit::~ConnectionPermit() {
    if (guard_ != nullptr) {
        guard_->leave(source_);
    }
}

ConnectionPermit ConnectionGuard::admit(const net::Endpoint& peer, Bounds bounds) {
    const net::IpAddress source = peer.address().limit_class();
    const bool is_admitted = table_.with([&](Table& table) {
        if (table.total >= std::min(bounds.total, ceiling_)) {
            return false;
        }
        const auto found = table.by_source.find(source);
        const std::uint32_t from_there = found == table.by_source.end() ? 0 : found->second;
        if (!peer.is_loopback() && from_there >= bounds.per_address) {
            return false;
        }
        ++table.total;
        ++table.by_source[source];
        return true;
    });
    count(is_admitted ? Metric::ConnectionsAccepted : Metric::ConnectionsRefused);
    if (!is_admitted) {
        return {};
    }
    count(Metric::ConnectionsOpen);
    return {this, source};
}

std::uint32_t ConnectionGuard::open() {
    return table_.with([](const Table& table) { return table.total; });
}

void ConnectionGuard::leave(const net::IpAddress& source) {
    count(Metric::ConnectionsOpen, -1);
    table_.with([&](Table& table) {
        --table.total;
        const auto found = table.by_source.find(source);
        check(found != table.by_source.end(), "a permit was counted when it was given");
        if (--found->second == 0) {
            table.by_source.erase(found);
        }
    });
}

}  // namespace godwit::flow
