// Return addresses of our own making: signing the reverse-path of mail that leaves (SRS for what is
// forwarded, BATV for our users'), and finding who is meant when a report comes back.
// RFC 5321 3.9.1, 4.5.5; SMTP-BEHAVIOUR.md G5, G10; docs/operating/addresses.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "flow/services.h"
#include "mail/address/srs.h"
#include "net/io/task.h"
#include "store/directory/directory.h"

namespace godwit::flow {

/// The domain that rewritten reverse-paths have.
const std::string& srs_domain(const Settings& settings);

/// The secret that signs. Drawn, and durable, with the first call of all.
net::Task<Result<std::string>> signing_secret(const Services* services);

/// What resolving a return address needs to know.
struct ReturnContext {
    std::string default_domain;
    std::string srs_domain;
    std::int64_t now = 0;  ///< Unix seconds.
};
ReturnContext return_context(const Services* services);

struct Returned {
    store::Recipient recipient;
    /// Who is meant: `address` itself, or what stands behind the signature.
    mail::Address address;
    std::optional<mail::SrsFault> fault;  ///< An SRS address that leads nowhere.
    /// A report to it is about mail that we never sent: its domain tags what it sends, and this
    /// address has no tag that holds.
    bool lacks_tag = false;
};
/// store::resolve_recipient for an address that may be a return address: an SRS address leads to
/// the first sender, a tagged one to whose it is. Aliases and roles need no tag: they are written
/// to by programs, too.
Result<Returned> resolve_returned(const store::Snapshot& snapshot, store::ReadTier tier,
                                  const mail::Address& address, const ReturnContext& context);

}  // namespace godwit::flow
