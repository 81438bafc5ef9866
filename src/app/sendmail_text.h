// What sendmail makes of the text it is given before it hands it in. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "mail/address/address.h"

namespace godwit::app {

/// `text` as an address; one without a domain gets `domain`.
Result<mail::Address> complete_address(std::string_view text, const std::string& domain);

/// A mailbox file's "From " line at the top is no part of the message.
void drop_mbox_line(std::string& text);

/// Programs of the machine write "From: root (Cron Daemon)": addresses in From, Sender, Reply-To,
/// To and Cc (and their Resent- forms) that have no domain get `domain`. Fields without such
/// addresses, and those that cannot be read whole, stay byte for byte. `message` has CRLF line
/// ends.
void complete_header_addresses(std::string& message, const std::string& domain);

/// A message needs an author: `author` in a From field, where the text names none.
Result<> add_author(std::string& message, const mail::Address& author,
                    const std::string& full_name);

}  // namespace godwit::app
