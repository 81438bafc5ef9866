// Which octets an IMAP URL gives to whom. The one place where IMAP and SMTP ask.
// RFC 4467 2-6 (URLAUTH, mechanism INTERNAL); RFC 4468 3.3 (BURL); SECURITY.md T83, T84.
// No answer and no time says why a URL gives nothing: no mailbox, no account, another token, a day
// that is over and a user who may not are all the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "flow/services.h"
#include "net/io/task.h"
#include "serve/imap/section_octets.h"

namespace godwit::serve {

/// Who shows a URL.
struct UrlReader {
    enum class Desk : std::uint8_t {
        Imap,       ///< A session that is logged in: "user+", "authuser", "anonymous".
        Submission  ///< It sends mail: "submit+", and without URLAUTH what is the account's own.
    };
    AccountId account;
    Desk desk = Desk::Imap;
};

/// ":internal:" and the token of a rump URL. RFC 4467 5. `key` is store/mailbox/url_keys.h's.
std::string url_signature(std::string_view rump, std::string_view key);

/// nullopt: it gives nothing. Errors are the store's.
net::Task<Result<std::optional<SectionOctets>>> open_url(const flow::Services* services,
                                                         std::string url, UrlReader reader);

}  // namespace godwit::serve
