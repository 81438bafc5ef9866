// Trace fields: Received, Return-Path, Delivered-To. RFC 5321 4.4, RFC 3848 (with), RFC 6531 4.3.
// Writers cannot be injected into: whatever comes from a peer is cut to what its place may hold.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mail/address/address.h"

namespace godwit::mail {

/// How the message came, from which the "with" keyword is derived.
struct Transmission {
    bool extended = true;  ///< EHLO or LHLO was used.
    bool lmtp = false;
    bool tls = false;
    bool authenticated = false;
    bool smtputf8 = false;
};
/// SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA, LMTP, LMTPS, LMTPA, LMTPSA, UTF8SMTP(S)(A),
/// UTF8LMTP(S)(A).
std::string_view transmission_keyword(const Transmission& transmission);

struct ReceivedField {
    std::string helo;            ///< As the client said it; may be empty.
    std::string client_name;     ///< Verified reverse name, or empty.
    std::string client_address;  ///< "192.0.2.1" or "2001:db8::1"; empty for local submission.
    std::string by;              ///< Our host name.
    Transmission with;
    std::string tls;                   ///< "TLS1.3 TLS_AES_256_GCM_SHA384" or empty: a comment.
    std::string id;                    ///< Our id of the message.
    std::optional<Address> recipient;  ///< Only when there is a single one (J2).
    std::optional<int> priority;       ///< MT-PRIORITY (RFC 6710 7).
    std::int64_t time = 0;             ///< Unix seconds.
};
/// The whole field, folded, ending in CRLF.
std::string write_received(const ReceivedField& field);
/// "Return-Path: <...>\r\n"; nullopt is the null sender.
std::string write_return_path(const std::optional<Address>& sender);
/// "Delivered-To: a@b\r\n".
std::string write_delivered_to(const Address& recipient);

/// How many Received fields are in a header block, for loop protection (RFC 5321 6.3).
std::size_t count_received(std::string_view header_block);
/// Whether a Delivered-To of that account is there already: a forwarding loop.
bool was_delivered_to(std::string_view header_block, const Address& recipient);

}  // namespace godwit::mail
