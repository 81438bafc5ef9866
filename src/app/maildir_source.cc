#include "app/maildir_source.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "app/source_file.h"
#include "base/ascii.h"
#include "mail/file/line_ends.h"
#include "mail/file/maildir.h"
#include "wire/imap/utf7.h"

namespace godwit::app {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kListFileMax = 1024 * 1024;
/// Of dovecot-uidlist; names of files are 255 octets at most.
constexpr std::size_t kListLineMax = 4096;

/// Also of one that a symbolic link leads to: it is told and passed over when it is read.
bool is_folder(const fs::path& path) {
    std::error_code problem;
    return fs::is_directory(path / "cur", problem);
}

std::string joined(const std::vector<std::string>& levels) {
    std::string name;
    for (const std::string& level : levels) {
        std::string text = decode_level(level);
        // A level with our separator in it would be two.
        std::ranges::replace(text, '/', '_');
        name.append(name.empty() ? "" : "/").append(text);
    }
    return name;
}

/// Below `root` by folders in folders; those that hold no mail themselves are passed through.
Result<> list_nested(const std::string& root, std::vector<MaildirFolder>& found) {
    struct Open {
        std::string path;
        std::string name;
        std::size_t depth;
    };
    std::vector<Open> open{{root, "", 0}};
    while (!open.empty()) {
        const Open now = std::move(open.back());
        open.pop_back();
        for (const std::string& entry : TRY(list_source(now.path))) {
            const std::string path = now.path + "/" + entry;
            std::error_code problem;
            const bool is_own = entry == "cur" || entry == "new" || entry == "tmp";
            if (is_own || entry.starts_with('.') || !fs::is_directory(path, problem)) {
                continue;
            }
            const std::string level = joined({entry});
            std::string name = now.name.empty() ? level : now.name + "/" + level;
            if (is_folder(path)) {
                found.push_back({.path = path, .name = name});
            }
            if (found.size() + open.size() > maildir_folders_max) {
                return peer_error(
                    ErrorCode::LimitExceeded,
                    root + " has more than " + std::to_string(maildir_folders_max) + " folders");
            }
            if (now.depth + 1 < maildir_depth_max && !fs::is_symlink(path, problem)) {
                open.push_back({path, std::move(name), now.depth + 1});
            }
        }
    }
    return {};
}

struct Listed {
    std::uint32_t uid = 0;
    std::string unique_id;
};

void read_uidlist(const std::string& path, MaildirContent& content,
                  std::unordered_map<std::string, Listed>& listed) {
    auto file = SourceFile::open(path + "/dovecot-uidlist");
    if (!file) {
        return;
    }
    SourceLines lines(*std::move(file), kListLineMax);
    std::string line;
    if (!lines.next(line)) {
        return;
    }
    const auto header = mail::parse_uidlist_header(line);
    if (!header) {
        return;
    }
    content.uid_validity = header->uid_validity;
    content.uid_next = header->uid_next;
    while (lines.next(line)) {
        if (auto entry = mail::parse_uidlist_line(line, header->version)) {
            content.uid_next = std::max(content.uid_next, entry->uid + (entry->uid < UINT32_MAX));
            listed[std::move(entry->unique)] = {entry->uid, std::move(entry->unique_id)};
        }
    }
}

}  // namespace

std::string decode_level(std::string_view level) {
    const std::string plain = mail::unescape_maildir_level(level);
    if (is_ascii(plain)) {
        if (auto decoded = imap::utf7_decode(plain)) {
            return *std::move(decoded);
        }
    }
    return plain;
}

Result<std::vector<MaildirFolder>> list_maildir(const std::string& root) {
    if (!is_folder(root)) {
        return peer_error(ErrorCode::NotFound, root + " is no Maildir: it has no folder cur");
    }
    std::vector<MaildirFolder> found;
    for (const std::string& entry : TRY(list_source(root))) {
        if (!entry.starts_with('.') || !is_folder(root + "/" + entry)) {
            continue;
        }
        const auto levels = mail::maildir_levels(entry);
        found.push_back({.path = root + "/" + entry,
                         .name = levels.empty() ? entry.substr(1) : joined(levels)});
    }
    TRY(list_nested(root, found));
    std::ranges::sort(found, {}, &MaildirFolder::name);
    found.insert(found.begin(), {.path = root, .name = "INBOX"});
    if (found.size() > maildir_folders_max) {
        return peer_error(
            ErrorCode::LimitExceeded,
            root + " has more than " + std::to_string(maildir_folders_max) + " folders");
    }
    return found;
}

std::vector<std::string> maildir_subscriptions(const std::string& root) {
    std::vector<std::string> names;
    const auto text = read_source(root + "/subscriptions", kListFileMax);
    if (!text) {
        return names;
    }
    std::string_view rest = *text;
    bool has_tabs = false;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        std::string line(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        // Version 2 has a header, and tabs between levels.
        if (line.starts_with("V\t")) {
            has_tabs = true;
            continue;
        }
        std::vector<std::string> levels;
        const char separator = has_tabs ? '\t' : line.find('/') != std::string::npos ? '/' : '.';
        for (std::size_t at = 0; at <= line.size();) {
            const std::size_t next = std::min(line.find(separator, at), line.size());
            levels.push_back(line.substr(at, next - at));
            at = next + 1;
        }
        names.push_back(joined(levels));
    }
    return names;
}

Result<MaildirContent> read_maildir(const std::string& path) {
    MaildirContent content;
    std::unordered_map<std::string, Listed> listed;
    read_uidlist(path, content, listed);
    if (const auto text = read_source(path + "/dovecot-keywords", kListFileMax)) {
        content.keywords = mail::parse_maildir_keywords(*text);
    }
    for (const char* const part : {"cur", "new"}) {
        const auto names = list_source(path + "/" + part);
        const bool may_miss = std::string_view(part) == "new";
        if (!names && !(may_miss && names.error().code == ErrorCode::NotFound)) {
            return std::unexpected(names.error());
        }
        for (const std::string& name : names.value_or(std::vector<std::string>())) {
            if (name.starts_with('.')) {
                continue;
            }
            MaildirFile& file = content.files.emplace_back();
            file.file = std::string(part) + "/" + name;
            const auto known = listed.find(mail::parse_maildir_name(name).unique);
            if (known != listed.end()) {
                file.uid = known->second.uid;
                file.unique_id = std::move(known->second.unique_id);
            }
        }
    }
    std::ranges::sort(content.files, [](const MaildirFile& left, const MaildirFile& right) {
        // Those without a UID are younger than the list.
        const std::uint32_t a = left.uid - 1;
        const std::uint32_t b = right.uid - 1;
        return a != b
                   ? a < b
                   : std::string_view(left.file).substr(4) < std::string_view(right.file).substr(4);
    });
    return content;
}

Result<MaildirOctets> read_maildir_file(const std::string& path) {
    auto file = TRY(SourceFile::open(path));
    MaildirOctets found;
    found.date = file.date();
    mail::MailLineEnds ends;
    for (;;) {
        const std::string_view piece = TRY(file.read());
        if (piece.empty()) {
            return found;
        }
        std::string octets;
        ends.feed(piece, octets);
        TRY(found.octets.append(octets));
    }
}

}  // namespace godwit::app
