// Is this sender welcome: room on disk, and on submission an address of one's own.
// RFC 5321 3.3, 4.5.3.1.10 (452); RFC 6409 6.1; SECURITY.md T47; SMTP-BEHAVIOUR.md B5, I3, K4.
#pragma once

#include <optional>

#include "base/ids.h"
#include "flow/services.h"
#include "mail/address/address.h"
#include "net/io/task.h"
#include "wire/smtp/reply.h"

namespace godwit::flow {

/// The reply to MAIL. `submitter`: who is logged in, else mail from outside.
net::Task<smtp::Reply> check_sender(const Services* services, std::optional<mail::Address> sender,
                                    std::optional<AccountId> submitter);

/// Set once a write or a sync has failed: nothing can be accepted in this process any more.
std::optional<smtp::Reply> fault_refusal(const Services* services);

/// May the account write as all of these? nullopt when it may, else the reply that says which not.
net::Task<std::optional<smtp::Reply>> check_ownership(const Services* services, AccountId submitter,
                                                      std::vector<mail::Address> addresses);

}  // namespace godwit::flow
