// IMAP URLs of a message or of a piece of it: those that CATENATE is given, and those that name a
// server and whoever may have the piece (URLAUTH).
// RFC 5092 (no section numbers: its text was not at hand); RFC 4469 3, Appendix A; RFC 4467 3, 9.
// Errors are of kind Peer. Linear in the URL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/imap/fetch.h"
#include "wire/imap/section.h"

namespace godwit::imap {

/// The longest URL that is read: the longest mailbox name with each octet escaped, and the rest.
inline constexpr std::size_t url_size_max = 8 * 1024;

/// A message on this server, relative to it or to the selected mailbox.
struct MessageUrl {
    std::string mailbox;  ///< UTF-8; empty: the selected one.
    std::optional<std::uint32_t> uid_validity = {};
    std::uint32_t uid = 0;
    Section section = {};
    std::optional<Partial> partial = {};
};

/// "/Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=1.2.MIME/;PARTIAL=0.1024" and ";UID=20". One
/// with a scheme or a server names no message of this session (RFC 4469 3) and is an error.
Result<MessageUrl> parse_message_url(std::string_view url);

/// Who may have what a URL names. RFC 4467 3.
enum class UrlAccess : std::uint8_t {
    Submit,         ///< "submit+": whoever submits mail for `access_user`.
    User,           ///< "user+": `access_user` alone.
    Authenticated,  ///< "authuser".
    Anonymous,      ///< "anonymous": nobody is asked who he is.
};

/// What makes a URL a pawn ticket. RFC 4467 6.
struct UrlVerifier {
    std::string mechanism;  ///< As written; compared without case.
    std::string token;      ///< Octets: what the hexadecimal digits stand for.
};

/// "imap://joe@host/x/;UID=20;EXPIRE=2026-12-01T00:00:00Z;URLAUTH=submit+fred:internal:91..."
struct ServerUrl {
    std::string user;  ///< Decoded; empty when it names none.
    std::string host;  ///< As written, with its port.
    MessageUrl message;
    std::optional<std::int64_t> expire = {};  ///< Unix seconds: after that it is worth nothing.
    std::optional<UrlAccess> access = {};     ///< None: a URL without URLAUTH.
    std::string access_user = {};             ///< Decoded; of Submit and User.
    /// None: a rump, which is still to be signed.
    std::optional<UrlVerifier> verifier = {};
    /// Of the URL's own octets, what is signed. All of it when there is no verifier.
    std::size_t rump_size = 0;
};

/// Those with a scheme. What follows it is only ever compared as it was written (RFC 4467 6).
Result<ServerUrl> parse_server_url(std::string_view url);

}  // namespace godwit::imap
