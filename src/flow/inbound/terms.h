// What a sender asks of us beside carrying the message: to hold it, to hurry, to let it go only
// where it is protected. Is it granted, and what of it goes with the message. Pure. RFC 4865
// (FUTURERELEASE), RFC 2852 (DELIVERBY), RFC 6710 4.1 (MT-PRIORITY), RFC 8689 4.1 (REQUIRETLS and
// TLS-Required), RFC 3865 (SOLICIT=).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "flow/inbound/arrival.h"
#include "store/queue/queue.h"
#include "wire/smtp/extension.h"

namespace godwit::flow {

/// Mail is held for its release at most this long: a birthday next year, and not a whole career.
inline constexpr std::chrono::seconds hold_max = std::chrono::days(400);
/// What our own users may ask for: "urgent" of RFC 6710 B. Machines beside us (LMTP, the local
/// socket) may ask for all of it, strangers for nothing above 0.
inline constexpr int users_priority_max = 4;

struct TermsAsker {
    smtp::Service service = smtp::Service::Mx;
    bool is_beside_us = false;  ///< A socket of this machine.
    bool is_logged_in = false;
    WallTime now{};
    std::vector<std::string> unwanted{};  ///< inbound.refused_solicitation.
};
struct Terms {
    std::optional<smtp::Reply> refusal;  ///< To MAIL.
    std::optional<smtp::Reply> note;     ///< In place of the plain 250.
    std::optional<int> priority;         ///< What was granted of it.
};
Terms grant_terms(const smtp::MailParameters& asked, const TermsAsker& asker);

/// What the message says it wants of its readers: SOLICIT=, else its Solicitation field; empty when
/// neither says anything that can be read.
std::string stated_solicitation(const Arrival& arrival);
/// The refusal when one of the keywords is one that is not wanted here (in any case), naming it.
std::optional<smtp::Reply> refuse_solicitation(const std::vector<std::string>& unwanted,
                                               std::string_view stated);

/// Not before then; nullopt where nothing was said.
std::optional<WallTime> release_time(const smtp::MailParameters& asked, WallTime now);

/// When a message's life ends: it counts from the release, and is over at the time of a BY=...;R.
/// `lifetime`: of mail that is to go where this one goes.
WallTime end_of_life(const smtp::MailParameters& asked, WallTime now,
                     std::chrono::seconds lifetime);

/// Writes what was asked into the message's queue record. `lifetime` is that of all mail.
void keep_terms(store::QueueMessage& message, const Arrival& arrival, WallTime now,
                std::chrono::seconds lifetime);

}  // namespace godwit::flow
