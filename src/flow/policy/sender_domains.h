// Whether a sender's domain can get an answer: one with a null MX cannot, and mail from there is
// refused. What DNS said is remembered for a while, so that a look-up is not paid for each message.
// RFC 7505; SMTP-BEHAVIOUR.md F1.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/clock.h"
#include "flow/policy/recent_table.h"
#include "mail/address/address.h"
#include "net/io/locked.h"
#include "net/io/task.h"
#include "wire/smtp/reply.h"

namespace godwit::flow {

struct Services;

/// How long an answer holds. As the shortest time of life that domains give their MX.
inline constexpr std::chrono::minutes sender_domain_memory(5);

/// Any thread. Bounded: the domain asked for longest ago is forgotten first.
class SenderDomains {
public:
    /// Takes it no mail? nullopt: not known now.
    std::optional<bool> takes_none(const std::string& domain, MonoTime now);
    void learn(const std::string& domain, bool takes_none, MonoTime now);

private:
    struct Answer {
        bool takes_none = false;
        MonoTime until{};
    };
    net::Locked<RecentTable<Answer>> table_;
};

/// The refusal of mail from `sender` (550 5.7.27), or nullopt: it may have an answer, DNS does not
/// say, or is not asked (inbound.check_sender_domain, look-ups turned off, an address literal).
net::Task<std::optional<smtp::Reply>> refuse_unanswerable(const Services* services,
                                                          mail::Address sender);

}  // namespace godwit::flow
