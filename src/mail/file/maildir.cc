#include "mail/file/maildir.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/encoding.h"

namespace godwit::mail {

namespace {

struct FlagLetter {
    char letter;
    std::string_view flag;
};
// In ASCII order, as names hold them. 'P' (passed) is what IMAP calls $Forwarded.
constexpr std::array<FlagLetter, 6> kLetters{{{'D', "\\Draft"},
                                              {'F', "\\Flagged"},
                                              {'P', "$Forwarded"},
                                              {'R', "\\Answered"},
                                              {'S', "\\Seen"},
                                              {'T', "\\Deleted"}}};

std::string_view next_word(std::string_view& text) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return word;
}

}  // namespace

MaildirName parse_maildir_name(std::string_view file) {
    MaildirName name;
    const std::size_t at = file.rfind(":2,");
    name.unique = file.substr(0, at);
    if (at != std::string_view::npos) {
        name.flags = file.substr(at + 3);
    }
    return name;
}

std::string_view maildir_flag(char letter) {
    const auto* const found = std::ranges::find(kLetters, letter, &FlagLetter::letter);
    return found == kLetters.end() ? std::string_view() : found->flag;
}

char maildir_letter(std::string_view flag) {
    const auto* const found = std::ranges::find_if(
        kLetters, [flag](const FlagLetter& one) { return equals_ignore_case(one.flag, flag); });
    return found == kLetters.end() ? '\0' : found->letter;
}

std::vector<std::string> parse_maildir_keywords(std::string_view text) {
    std::vector<std::string> names(maildir_keywords_max);
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto number = parse_u32(next_word(line));
        if (number && *number < names.size()) {
            names[*number] = line;
        }
    }
    return names;
}

std::optional<MaildirUidHeader> parse_uidlist_header(std::string_view line) {
    MaildirUidHeader header;
    const std::string_view version = next_word(line);
    if (version == "1") {
        const auto validity = parse_u32(next_word(line));
        const auto next = parse_u32(next_word(line));
        if (!validity || !next) {
            return std::nullopt;
        }
        return MaildirUidHeader{.version = 1, .uid_validity = *validity, .uid_next = *next};
    }
    if (version != "3") {
        return std::nullopt;
    }
    while (!line.empty()) {
        const std::string_view word = next_word(line);
        const auto number = word.empty() ? std::nullopt : parse_u32(word.substr(1));
        if (number && word.front() == 'V') {
            header.uid_validity = *number;
        } else if (number && word.front() == 'N') {
            header.uid_next = *number;
        }
    }
    return header.uid_validity == 0 ? std::nullopt : std::optional(header);
}

std::optional<MaildirUid> parse_uidlist_line(std::string_view line, int version) {
    MaildirUid entry;
    const auto uid = parse_u32(next_word(line));
    if (!uid || *uid == 0) {
        return std::nullopt;
    }
    entry.uid = *uid;
    while (version == 3 && !line.empty() && line.front() != ':') {
        const std::string_view word = next_word(line);
        if (!word.empty() && word.front() == 'P') {
            entry.unique_id = word.substr(1);
        }
    }
    if (version == 3) {
        line.remove_prefix(line.empty() ? 0 : 1);
    }
    entry.unique = parse_maildir_name(line).unique;
    return entry.unique.empty() ? std::nullopt : std::optional(std::move(entry));
}

std::vector<std::string> maildir_levels(std::string_view folder) {
    std::vector<std::string> levels;
    if (folder.starts_with('.')) {
        folder.remove_prefix(1);
    }
    for (;;) {
        const std::size_t end = folder.find('.');
        levels.push_back(unescape_maildir_level(folder.substr(0, end)));
        if (levels.back().empty()) {
            return {};
        }
        if (end == std::string_view::npos) {
            return levels;
        }
        folder.remove_prefix(end + 1);
    }
}

std::string escape_maildir_level(std::string_view level) {
    std::string out;
    for (const char c : level) {
        if (c == '.' || c == '/' || c == '\\') {
            out.append("\\").append(hex_encode(std::string_view(&c, 1)));
        } else {
            out.push_back(c);
        }
    }
    return out;
}

std::string unescape_maildir_level(std::string_view level) {
    std::string out;
    for (std::size_t i = 0; i < level.size(); ++i) {
        const auto octet = level[i] == '\\' && i + 2 < level.size()
                               ? hex_decode(level.substr(i + 1, 2))
                               : std::nullopt;
        if (octet) {
            out.append(*octet);
            i += 2;
        } else {
            out.push_back(level[i]);
        }
    }
    return out;
}

}  // namespace godwit::mail
