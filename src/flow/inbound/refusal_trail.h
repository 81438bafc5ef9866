// Keeps why senders, recipients and messages were refused, for `godwit trace`: one event in the
// trail family for each, under an id of its own, cleared away with the others (trace.keep). What an
// outsider can have written so is bounded by a bucket of tokens: mail that is refused is never
// refused for it, only not noted.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "flow/services.h"
#include "net/io/locked.h"
#include "wire/smtp/reply.h"

namespace godwit::flow {

/// Refusals noted in a burst, and then each minute. At about 300 octets a row: 13 MB a day of an
/// attack that does not end, 390 MB in the 30 days that trails are kept.
inline constexpr std::uint32_t refusals_burst = 600;
inline constexpr std::uint32_t refusals_per_minute = 30;

/// Pure: how many more may be noted.
class RefusalBudget {
public:
    /// False when there is no token left; counted, and given with the next one that has one.
    bool take(WallTime now);
    /// How many were not noted since the last that was; read it once.
    std::uint64_t unnoted();

private:
    double tokens_ = refusals_burst;
    WallTime filled_at_{};
    std::uint64_t unnoted_ = 0;
};

struct Refusal {
    std::string stage;  ///< "sender", "recipient", "message".
    std::string peer;
    std::string helo;
    std::string user;       ///< Who is logged in, or empty.
    std::string sender;     ///< Empty: the null sender.
    std::string recipient;  ///< Empty when all are concerned.
    smtp::Reply reply;
};

class RefusalTrail {
public:
    /// `services` outlives it.
    explicit RefusalTrail(const Services* services) : services_(services) {}
    /// Waits for nothing. Any thread.
    void note(const Refusal& refusal);

private:
    const Services* services_;
    net::Locked<RefusalBudget> budget_;
};

}  // namespace godwit::flow
