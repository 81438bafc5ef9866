// Mailbox names as arguments: from the wire's spelling to the UTF-8 name the store knows.
// RFC 3501 5.1 (names, INBOX), 5.1.3 (modified UTF-7), RFC 6855 3 (UTF-8 in quoted strings).
// Q14, Q15, Q23; T85, T86. The hierarchy separator is "/" (Q7). NFC is the caller's business.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/imap/lexer.h"

namespace godwit::imap {

inline constexpr char kHierarchySeparator = '/';
inline constexpr std::string_view kInbox = "INBOX";

/// How names are spelt in this session.
enum class NameSpelling : unsigned char {
    Utf7,  ///< IMAP4rev1 as it starts.
    Utf8,  ///< After ENABLE UTF8=ACCEPT.
};

/// A mailbox name in UTF-8, with "INBOX" in capitals where its first level is INBOX.
struct MailboxName {
    std::string name;
    /// As the client spelt it, decoded: "inbox". RFC 9051 6.3.9.7.
    std::string given{};
    /// The client left out the encoding: "&" or 8-bit octets stood bare. The name is what it looks
    /// like. Every command but CREATE should take it; CREATE may refuse (RFC 3501 5.1.3).
    bool repaired = false;
    /// "foo/" was sent: the separator is already gone (Q15). RFC 3501 6.3.3: CREATE "foo/" declares
    /// the intent to create names below it.
    bool trailing_separator = false;
};

/// From the octets of an astring. Errors: controls, bad UTF-8, empty, longer than
/// limits::mailbox_name_size_max, deeper than limits::mailbox_depth_max.
///
/// Tolerance: strict modified UTF-7 first. If that fails and the text is well-formed UTF-8, it is
/// taken as it stands ("R&D" is the mailbox "R&D"; LIST then spells it "R&-D"). Text with 8-bit
/// octets is taken as UTF-8 as it stands. In Utf8 spelling nothing is decoded.
Result<MailboxName> parse_mailbox_name(std::string_view wire, NameSpelling spelling);
/// An astring argument as a mailbox name.
Result<MailboxName> read_mailbox_name(Lexer& lexer, NameSpelling spelling);
/// A pattern or reference of LIST in UTF-8, with the same tolerance; may be empty.
Result<std::string> read_list_pattern(std::string_view wire, NameSpelling spelling);

}  // namespace godwit::imap
