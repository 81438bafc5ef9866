// ATRN: the server of a domain has come to us, proved who it is and asked for its mail; the roles
// turn round, and what waits for it goes through the connection that it made. RFC 2645.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "flow/outbound/mail_request.h"
#include "flow/roll_call.h"
#include "flow/services.h"
#include "net/io/stream.h"
#include "net/io/task.h"
#include "wire/smtp/reply.h"

namespace godwit::flow {

/// Deliveries carried in one turn, about 100 octets each while it lasts; more wait for the next.
inline constexpr std::size_t turned_deliveries_max = 10'000;

/// A turn ends between two messages after this, and waits for nothing longer.
inline constexpr std::chrono::hours turn_time_max(2);

/// Where a delivery of a turn stands; it is read again when its turn comes.
struct TurnedDelivery {
    MailId mail;
    std::uint32_t number = 0;
    std::string site;
};
struct Turn {
    std::optional<smtp::Reply> refusal;  ///< To ATRN: 450, 451, 453, 501.
    MailRequest request;
    std::vector<TurnedDelivery> deliveries{};  ///< Oldest first.
    RequestGuard::Permit permit{};             ///< For as long as the turn lasts.
};
/// May `asker` (logged in) have the mail of `domains`, and is there any? Empty: of all that it may
/// have.
net::Task<Turn> prepare_turn(const Services* services, std::vector<std::string> domains,
                             MailAsker asker);

/// The 250 has been written: greets as a client, sends what waits, says QUIT. Each delivery is
/// settled as after any attempt; those it does not come to wait on. Gives the stream back, closed.
/// `attendance` outlives it: between two messages the turn ends when the server is closing.
net::Task<std::unique_ptr<net::Stream>> take_turn(const Services* services,
                                                  std::unique_ptr<net::Stream> stream, Turn turn,
                                                  const Attendance* attendance);

}  // namespace godwit::flow
