#include "net/resolver/validating_resolver.h"

#include <utility>

#include "base/log.h"
#include "base/probe.h"

namespace godwit::net {

std::string_view to_string(DnssecState state) {
    switch (state) {
        case DnssecState::Undecided: return "undecided";
        case DnssecState::Validating: return "validating";
        case DnssecState::Unvalidated: return "unvalidated";
    }
    return "";
}

ValidatingResolver::ValidatingResolver(std::unique_ptr<Resolver> validating,
                                       std::unique_ptr<Resolver> plain)
    : validating_(std::move(validating)), plain_(std::move(plain)) {}

DnssecState ValidatingResolver::state() const {
    return decision_.with([](const Decision& decision) { return decision.state; });
}

// True for the one caller that shall look again.
bool ValidatingResolver::take_recheck(MonoTime now) {
    return decision_.with([now](Decision& decision) {
        if (decision.state != DnssecState::Unvalidated || now < decision.recheck_at) {
            return false;
        }
        decision.recheck_at = now + dnssec_recheck_interval;
        return true;
    });
}

Task<DnssecState> ValidatingResolver::decide() {
    const Result<RecordSet> signed_answer =
        co_await validating_->lookup(std::string(kDnssecProbeName), RecordType::Ns);
    DnssecState found = DnssecState::Undecided;
    std::string reason;
    if (signed_answer && signed_answer->is_secure) {
        found = DnssecState::Validating;
    } else {
        reason = signed_answer ? "answers are not signed" : signed_answer.error().text;
        // Servers that do not even say what they have decide nothing.
        const Result<RecordSet> bare =
            co_await plain_->lookup(std::string(kDnssecProbeName), RecordType::Ns);
        if (bare) {
            found = DnssecState::Unvalidated;
        }
    }
    const MonoTime again = Shard::here().now() + dnssec_recheck_interval;
    const auto [before, now] = decision_.with([found, again](Decision& decision) {
        const DnssecState old = decision.state;
        // Others may have asked at the same time; one success is enough.
        if (old != DnssecState::Validating && found != DnssecState::Undecided) {
            decision = {found, again};
        }
        return std::pair(old, decision.state);
    });
    if (before != now && now == DnssecState::Validating) {
        log::info("dns.validating", {});
    } else if (before != now && now == DnssecState::Unvalidated) {
        probe<"dns.unvalidated">();
        log::warn("dns.unvalidated", {{"reason", reason}});
    }
    co_return now;
}

Task<Result<RecordSet>> ValidatingResolver::lookup(std::string name, RecordType type) {
    DnssecState now = state();
    if (now == DnssecState::Undecided || take_recheck(Shard::here().now())) {
        now = co_await decide();
    }
    if (now == DnssecState::Unvalidated) {
        co_return co_await plain_->lookup(std::move(name), type);
    }
    Result<RecordSet> answer = co_await validating_->lookup(name, type);
    if (!answer && now == DnssecState::Undecided) {
        probe<"dns.undecided">();
        answer = co_await plain_->lookup(std::move(name), type);
    }
    co_return answer;
}

}  // namespace godwit::net
