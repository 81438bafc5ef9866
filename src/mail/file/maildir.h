// What a Maildir says in names and in Dovecot's files beside them: flags, UIDs, keywords, names of
// folders. https://cr.yp.to/proto/maildir.html; Maildir++ (Courier's README.maildirquota);
// doc.dovecot.org "Maildir format" (dovecot-uidlist versions 1 and 3, dovecot-keywords).
// Total: any octets give an answer. Linear in the input.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace godwit::mail {

/// "1700000000.M1P2.host,S=10:2,FSa": what stays when flags change, and the letters.
struct MaildirName {
    std::string unique;  ///< In front of the last ":2,"; the whole name without one.
    std::string flags;   ///< Names of system flags by letter, and letters a to z of keywords.
};
MaildirName parse_maildir_name(std::string_view file);

/// "\\Seen" of 'S' and so on; empty for another letter and for keywords.
std::string_view maildir_flag(char letter);
/// The letter of a system flag; 0 when it has none.
char maildir_letter(std::string_view flag);

/// Lines "0 $Forwarded" of dovecot-keywords: at most 26, by letter; lines that make no sense are
/// left out.
inline constexpr std::size_t maildir_keywords_max = 26;
std::vector<std::string> parse_maildir_keywords(std::string_view text);

/// A line of dovecot-uidlist behind its header.
struct MaildirUid {
    std::uint32_t uid = 0;
    std::string unique_id;  ///< `P`: what POP3 called it; empty where none was kept.
    std::string unique;     ///< As MaildirName::unique.
};
struct MaildirUidHeader {
    int version = 3;
    std::uint32_t uid_validity = 0;
    std::uint32_t uid_next = 0;
};
/// "3 V1275660208 N25022 G3085f01b7f" or "1 1173189136 20221". nullopt for another line.
std::optional<MaildirUidHeader> parse_uidlist_header(std::string_view line);
/// "25006 W2481 Puidl :1276528487.M364837P9451.kurkku,S=1355,W=1394:2," or, in version 1,
/// "2 name". nullopt for a line without a UID from 1 on or without a name.
std::optional<MaildirUid> parse_uidlist_line(std::string_view line, int version);

/// The levels of a Maildir++ folder ".Work.2024" as spelt: {"Work", "2024"}, "\\2e" and the like
/// (Dovecot's listescape) read back. Empty when a level is.
std::vector<std::string> maildir_levels(std::string_view folder);
/// The same for one level, to spell it: '.', '/' and '\\' are escaped.
std::string escape_maildir_level(std::string_view level);
std::string unescape_maildir_level(std::string_view level);

}  // namespace godwit::mail
