#include "flow/outbound/outbound_tls.h"

#include <utility>

namespace godwit::flow {

void OutboundTls::note_broken(const std::string& host, WallTime now) {
    broken_.with([&](auto& hosts) { hosts.set(host, now + tls_broken_memory); });
}

bool OutboundTls::is_broken(const std::string& host, WallTime now) {
    return broken_.with([&](auto& hosts) {
        const WallTime* const until = hosts.find(host);
        // A clock that was set back must not make it last for ever.
        if (until == nullptr || (now < *until && *until <= now + tls_broken_memory)) {
            return until != nullptr;
        }
        hosts.erase(host);
        return false;
    });
}

bool OutboundTls::begin_fetch(const std::string& domain, WallTime now) {
    return fetches_.with([&](Fetches& fetches) {
        const WallTime* const pause = fetches.not_before.find(domain);
        if (pause != nullptr && now < *pause) {
            return false;
        }
        return fetches.under_way.insert(domain).second;
    });
}

void OutboundTls::end_fetch(const std::string& domain, std::optional<WallTime> not_before) {
    fetches_.with([&](Fetches& fetches) {
        fetches.under_way.erase(domain);
        if (not_before) {
            fetches.not_before.set(domain, *not_before);
        } else {
            fetches.not_before.erase(domain);
        }
    });
}

bool OutboundTls::is_fetching(const std::string& domain) {
    return fetches_.with([&](Fetches& fetches) { return fetches.under_way.contains(domain); });
}

namespace {

std::string key_of(const TlsQuestion& question) {
    return question.domain + "\n" + question.host + "\n" + std::to_string(question.port) + "\n" +
           std::to_string(std::to_underlying(question.wish));
}

}  // namespace

void OutboundTls::note_decision(const TlsQuestion& question, const TlsPolicy& policy,
                                MonoTime now) {
    decisions_.with([&](auto& decisions) {
        decisions.set(key_of(question), Decision{policy, now + tls_decision_memory});
    });
}

std::optional<TlsPolicy> OutboundTls::decision(const TlsQuestion& question, MonoTime now) {
    return decisions_.with([&](auto& decisions) -> std::optional<TlsPolicy> {
        const Decision* const found = decisions.find(key_of(question));
        return found != nullptr && now < found->until ? std::optional(found->policy) : std::nullopt;
    });
}

}  // namespace godwit::flow
