// A submission client for the command line: one connection, one message. Blocking.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/smtp/client.h"

namespace godwit::app {

enum class SubmitTls : std::uint8_t {
    None,
    StartTls,  ///< Required; the certificate must be good for the host.
    Implicit,
};

struct SubmitRequest {
    std::string host;  ///< A name or address; or "unix:/path".
    std::uint16_t port = 0;
    SubmitTls tls = SubmitTls::None;
    std::string ca_file;  ///< PEM; empty: the system's authorities.
    std::string hello_name = "localhost";
    std::optional<sasl::Credentials> credentials;
    smtp::OutgoingMail mail;  ///< `size` is filled in.
    std::string message;      ///< CRLF line ends.
};

/// One outcome a recipient, in order. Closed: the server cannot be reached. Else, when the session
/// failed before the message was sent, Peer for a 5xx reply and Temporary for the rest.
Result<std::vector<smtp::Outcome>> submit(SubmitRequest request);

/// Settings of a message that its text decides: 8-bit content, UTF-8 in the header or addresses.
void describe_content(SubmitRequest& request);

/// Exit code and complaints for the outcomes; 0 when all recipients were accepted.
int report_outcomes(const SubmitRequest& request, const std::vector<smtp::Outcome>& outcomes,
                    std::string& complaints);

/// "250 2.0.0 Ok: queued as ID": the reply to the first accepted recipient, or empty.
std::string accepted_reply(const std::vector<smtp::Outcome>& outcomes);

}  // namespace godwit::app
