// Is this recipient welcome: local and known, or may the client relay. Never an open relay.
// RFC 5321 3.6.2, 4.5.1, 7.9; SECURITY.md T30, T34; SMTP-BEHAVIOUR.md D3, D6, H5.
#pragma once

#include "flow/inbound/arrival.h"
#include "flow/services.h"
#include "net/io/endpoint.h"
#include "net/io/task.h"

namespace godwit::flow {

struct RecipientAnswer {
    smtp::Reply reply{};
    store::Recipient resolved{};  ///< With a 250.
};

/// Who names a recipient.
struct Asker {
    bool may_relay = false;  ///< Logged in, or a trusted local socket.
    std::optional<net::Endpoint>
        stranger;            ///< Anybody on port 25: unknown names are counted (T34).
    Duration patience{};     ///< With a downstream server that is asked; at most verify_patience.
    bool is_report = false;  ///< MAIL FROM:<>: what it says must be about mail of ours (BATV).
};
net::Task<RecipientAnswer> check_recipient(const Services* services, smtp::Recipient recipient,
                                           Asker asker);

/// Aliases may lead one transaction to very many places; past store::queue_deliveries_max the next
/// recipient is put off, as too many recipients are (RFC 5321 4.5.3.1.10).
bool has_room_for(const std::vector<store::Recipient>& taken, const store::Recipient& next);
smtp::Reply too_many_behind_aliases();

}  // namespace godwit::flow
