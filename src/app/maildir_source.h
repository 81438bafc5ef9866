// A Maildir on disk: its folders, and of each folder the files with what Dovecot wrote about them.
// Maildir++ (".Work.2024") and Dovecot's LAYOUT=fs ("Work/2024"), also mixed. Blocking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/spool.h"
#include "base/result.h"

namespace godwit::app {

/// Folders of one Maildir, and levels of LAYOUT=fs.
inline constexpr std::size_t maildir_folders_max = 10000;
inline constexpr std::size_t maildir_depth_max = 32;

struct MaildirFolder {
    std::string path;
    std::string name;  ///< UTF-8, '/' between levels; "INBOX".
};

/// All folders below `root`, which is one itself. By name, INBOX first.
Result<std::vector<MaildirFolder>> list_maildir(const std::string& root);
/// Names in the file `subscriptions` of `root`, as MaildirFolder::name. None without the file.
std::vector<std::string> maildir_subscriptions(const std::string& root);

struct MaildirFile {
    std::string file;  ///< "cur/1700.M1P2.host:2,S".
    std::uint32_t uid = 0;
    std::string unique_id;
};
struct MaildirContent {
    /// By UID where they have one, then by name, which begins with the time.
    std::vector<MaildirFile> files;
    std::vector<std::string> keywords;  ///< By letter.
    std::uint32_t uid_validity = 0;     ///< 0: Dovecot wrote no list.
    std::uint32_t uid_next = 0;
};
/// About 300 octets of memory a message.
Result<MaildirContent> read_maildir(const std::string& path);

struct MaildirOctets {
    Spool octets;  ///< With the line ends of mail.
    std::int64_t date = 0;
};
/// NotFound when it went away or was renamed since.
Result<MaildirOctets> read_maildir_file(const std::string& path);

/// A name of a folder as Dovecot spells it on disk, in modified UTF-7 or UTF-8, one level; and
/// back.
std::string decode_level(std::string_view level);

}  // namespace godwit::app
