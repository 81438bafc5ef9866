// Arguments of GENURLAUTH, RESETKEY and URLFETCH. RFC 4467 9. What the URLs say is url.h's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/imap/lexer.h"
#include "wire/imap/mailbox_name.h"

namespace godwit::imap {

/// URLs of one command. Each may be a whole message.
inline constexpr std::size_t command_urls_max = 64;

struct UrlToSign {
    std::string url;
    std::string mechanism;
};
/// Of RESETKEY; no mailbox: all of them.
struct ResetKeyArguments {
    std::optional<MailboxName> mailbox;
    std::vector<std::string> mechanisms{};
};

/// From the SP behind the command's name to its end.
Result<std::vector<UrlToSign>> parse_genurlauth(Lexer& lexer);
Result<ResetKeyArguments> parse_resetkey(Lexer& lexer, NameSpelling spelling);
Result<std::vector<std::string>> parse_urlfetch(Lexer& lexer);

}  // namespace godwit::imap
