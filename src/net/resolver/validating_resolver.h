// DNSSEC where the servers asked pass it on, and DNS without it where they do not: many a forwarder
// strips signatures, and mail must not stand still for that. Such a server cannot pretend that
// anything is secure; what is lost is DANE.
// SMTP-BEHAVIOUR.md F10.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "net/io/locked.h"
#include "net/io/shard.h"
#include "net/resolver/resolver.h"

namespace godwit::net {

enum class DnssecState : std::uint8_t {
    Undecided,    ///< Nothing has been asked yet, or nobody answered.
    Validating,   ///< For good: who could validate once is not talked out of it.
    Unvalidated,  ///< The servers strip it; looked at again every dnssec_recheck_interval.
};
/// For `godwit status`: "validating" ...
std::string_view to_string(DnssecState state);

/// How long to do without DNSSEC before looking again: servers change seldom.
inline constexpr std::chrono::minutes dnssec_recheck_interval{10};
/// What is asked to find out: signed, small and always there (RFC 3172).
inline constexpr std::string_view kDnssecProbeName = "arpa";

/// Any shard. Owns the resolvers it asks.
class ValidatingResolver final : public Resolver {
public:
    ValidatingResolver(std::unique_ptr<Resolver> validating, std::unique_ptr<Resolver> plain);
    /// What fails to validate is an error in the state Validating. Undecided, it is asked again of
    /// the plain resolver, so that a server that knows nothing of the root is of use as well.
    Task<Result<RecordSet>> lookup(std::string name, RecordType type) override;
    [[nodiscard]] DnssecState state() const;

private:
    struct Decision {
        DnssecState state = DnssecState::Undecided;
        MonoTime recheck_at{};
    };
    Task<DnssecState> decide();
    bool take_recheck(MonoTime now);

    std::unique_ptr<Resolver> validating_;
    std::unique_ptr<Resolver> plain_;
    mutable Locked<Decision> decision_;
};

}  // namespace godwit::net
