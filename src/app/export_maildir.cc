// godwit export maildir: Maildir++ with the files that Dovecot keeps beside the messages.
#include <sys/stat.h>
#include <fcntl.h>

#include <algorithm>
#include <filesystem>

#include "app/commands.h"
#include "app/export_file.h"
#include "app/export_source.h"
#include "base/ascii.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "mail/file/maildir.h"
#include "wire/imap/utf7.h"

namespace godwit::app {
namespace {

/// ".Work.2024", the levels in modified UTF-7; empty for INBOX.
std::string spell(const std::string& name) {
    if (name == "INBOX") {
        return "";
    }
    std::string out;
    std::string_view rest = name;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('/'), rest.size());
        out.append(".").append(mail::escape_maildir_level(imap::utf7_encode(rest.substr(0, end))));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return out;
}

class MaildirFolderExport {
public:
    MaildirFolderExport(ExportSource* source, ExportFolder folder, std::string path)
        : source_(source), folder_(std::move(folder)), path_(std::move(path)) {}

    Result<> run() {
        for (const char* const part : {"/cur", "/new", "/tmp"}) {
            std::error_code problem;
            std::filesystem::create_directories(path_ + part, problem);
            if (problem) {
                return temporary_error(ErrorCode::Io,
                                       "cannot make " + path_ + part + ": " + problem.message());
            }
        }
        auto list = TRY(ExportFile::create(path_ + "/dovecot-uidlist"));
        TRY(list.write("3 V" + std::to_string(folder_.uid_validity) + " N" +
                       std::to_string(folder_.uid_next) + " G" + guid() + "\n"));
        TRY(source_->each_message(
            folder_, [&](ExportMessage& message) -> Result<> { return take(message, list); }));
        TRY(list.close());
        return write_keywords();
    }

private:
    /// Dovecot wants 32 digits that no other folder has.
    [[nodiscard]] std::string guid() const {
        return hex_encode(sha256_bytes(folder_.name + "/" + std::to_string(folder_.uid_validity)))
            .substr(0, 32);
    }

    Result<> take(ExportMessage& message, ExportFile& list) {
        const std::string unique = std::to_string(std::max<std::int64_t>(message.date, 0)) + ".U" +
                                   std::to_string(message.uid) + "V" +
                                   std::to_string(folder_.uid_validity) + ".godwit";
        const std::string file = unique + ":2," + letters(message);
        const std::string path = path_ + "/cur/" + file;
        auto out = TRY(ExportFile::create(path));
        TRY(write_lines(message, [&out](std::string_view octets) { return out.write(octets); }));
        TRY(out.close());
        const timespec times[2] = {{.tv_sec = message.date, .tv_nsec = 0},
                                   {.tv_sec = message.date, .tv_nsec = 0}};
        if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) {
            tell(message, "its date cannot be given to its file");
        }
        if (!message.lines.is_plain() && !message.lines.survives_as_is()) {
            tell(message, std::string(kLineEndsChange));
        }
        return list.write(std::to_string(message.uid) + " :" + unique + "\n");
    }

    std::string letters(const ExportMessage& message) {
        std::string out;
        for (const std::string& flag : message.flags) {
            if (const char letter = mail::maildir_letter(flag); letter != '\0') {
                out.push_back(letter);
            } else if (const auto keyword = keyword_letter(flag)) {
                out.push_back(*keyword);
            } else {
                tell(message, "the folder has more than " +
                                  std::to_string(mail::maildir_keywords_max) +
                                  " keywords: " + flag + " is left out");
            }
        }
        std::ranges::sort(out);
        return out;
    }

    std::optional<char> keyword_letter(const std::string& keyword) {
        auto found = std::ranges::find(keywords_, keyword);
        if (found == keywords_.end() && keywords_.size() == mail::maildir_keywords_max) {
            return std::nullopt;
        }
        if (found == keywords_.end()) {
            found = keywords_.insert(found, keyword);
        }
        return static_cast<char>('a' + (found - keywords_.begin()));
    }

    Result<> write_keywords() {
        if (keywords_.empty()) {
            return {};
        }
        auto file = TRY(ExportFile::create(path_ + "/dovecot-keywords"));
        for (std::size_t i = 0; i < keywords_.size(); ++i) {
            TRY(file.write(std::to_string(i) + " " + keywords_[i] + "\n"));
        }
        return file.close();
    }

    void tell(const ExportMessage& message, std::string reason) {
        source_->report().add_changed({.folder = folder_.name,
                                       .message = "UID " + std::to_string(message.uid),
                                       .reason = std::move(reason)});
    }

    ExportSource* source_;
    ExportFolder folder_;
    std::string path_;
    std::vector<std::string> keywords_;
};

Result<> export_maildir(ExportSource& source, const std::string& root) {
    std::string subscriptions;
    for (const ExportFolder& folder : TRY(source.folders())) {
        const std::string whole = spell(folder.name);
        const std::string spelt = file_name_of(whole);
        if (spelt != whole) {
            source.report().add_changed(
                {.folder = folder.name, .message = "", .reason = long_name_reason(spelt)});
        }
        if (folder.is_subscribed) {
            subscriptions.append(spelt.empty() ? "INBOX" : spelt.substr(1)).append("\n");
        }
        if (folder.is_selectable) {
            source.report().add_folder();
            TRY(MaildirFolderExport(&source, folder, spelt.empty() ? root : root + "/" + spelt)
                    .run());
        }
    }
    // A Maildir is one although its INBOX was not asked for.
    std::error_code problem;
    std::filesystem::create_directories(root + "/cur", problem);
    auto file = TRY(ExportFile::create(root + "/subscriptions"));
    TRY(file.write(subscriptions));
    return file.close();
}

}  // namespace

int run_export_maildir(const Invocation& call) {
    return run_export(call, export_maildir);
}

}  // namespace godwit::app
