// godwit import maildir.
#include <algorithm>
#include <filesystem>
#include <set>

#include "app/commands.h"
#include "app/import_desk.h"
#include "app/import_options.h"
#include "app/maildir_source.h"
#include "base/ascii.h"
#include "mail/file/maildir.h"

namespace godwit::app {
namespace {

/// Asked of the server at once: the request stays below limits::admin_request_size_max.
constexpr std::size_t kKnownMax = 500;

/// What Dovecot's POP3 calls a message that has no name of its own: %08Xu%08Xv, which is UID and
/// UIDVALIDITY in hexadecimal.
std::string dovecot_unique_id(std::uint32_t uid, std::uint32_t uid_validity) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text(16, '0');
    for (std::size_t i = 0; i < 8; ++i) {
        text[7 - i] = kDigits[uid >> (4 * i) & 15U];
        text[15 - i] = kDigits[uid_validity >> (4 * i) & 15U];
    }
    return text;
}

std::vector<std::string> flags_of(const mail::MaildirName& name,
                                  const std::vector<std::string>& keywords) {
    std::vector<std::string> flags;
    for (const char letter : name.flags) {
        const std::string_view flag = mail::maildir_flag(letter);
        const auto number = static_cast<std::size_t>(letter - 'a');
        if (!flag.empty()) {
            flags.emplace_back(flag);
        } else if (letter >= 'a' && number < keywords.size()) {
            flags.push_back(keywords[number]);
        }
    }
    return flags;
}

class MaildirImport {
public:
    MaildirImport(ImportDesk* desk, std::string root) : desk_(desk), root_(std::move(root)) {
        source_ = desk->rules().source.empty() ? "maildir " + root_ : desk->rules().source;
    }

    Result<> run() {
        const auto folders = TRY(list_maildir(root_));
        const auto subscribed = maildir_subscriptions(root_);
        for (const MaildirFolder& folder : folders) {
            if (!desk_->rules().takes(folder.name)) {
                continue;
            }
            const bool is_subscribed =
                std::ranges::find(subscribed, folder.name) != subscribed.end();
            TRY(take_folder(folder, is_subscribed));
        }
        return {};
    }

private:
    Result<> take_folder(const MaildirFolder& folder, bool is_subscribed) {
        auto content = read_maildir(folder.path);
        if (!content) {
            desk_->report().add_problem(
                {.folder = folder.name, .message = "", .reason = content.error().text});
            return {};
        }
        const auto opened =
            TRY(desk_->open({.source = folder.name, .role = "", .subscribed = is_subscribed}));
        if (!opened) {
            return {};
        }
        const bool has_numbers = desk_->rules().uids && content->uid_validity != 0;
        if (has_numbers && !TRY(desk_->take_numbers(*opened, content->uid_validity, 0))) {
            return {};
        }
        desk_->report().expect(content->files.size());
        ImportGroup group(desk_, *opened);
        for (std::size_t at = 0; at < content->files.size(); at += kKnownMax) {
            TRY(take_page(folder, *content, at, group));
        }
        TRY(group.flush());
        if (has_numbers && content->uid_next != 0) {
            TRY(desk_->take_numbers(*opened, 0, content->uid_next));
        }
        return {};
    }

    Result<> take_page(const MaildirFolder& folder, const MaildirContent& content, std::size_t from,
                       ImportGroup& group) {
        const std::size_t end = std::min(from + kKnownMax, content.files.size());
        std::vector<std::string> origins;
        for (std::size_t i = from; i < end; ++i) {
            const auto name = mail::parse_maildir_name(content.files[i].file.substr(4));
            origins.push_back(origin_of(source_, folder.name, name.unique));
        }
        const std::vector<bool> known = TRY(desk_->known(origins));
        desk_->report().add_known(static_cast<std::uint64_t>(std::ranges::count(known, true)));
        for (std::size_t i = from; i < end; ++i) {
            if (!known[i - from]) {
                TRY(take_file(folder, content, i, std::move(origins[i - from]), group));
            }
        }
        return {};
    }

    Result<> take_file(const MaildirFolder& folder, const MaildirContent& content,
                       std::size_t index, std::string origin, ImportGroup& group) {
        const MaildirFile& file = content.files[index];
        auto read = read_maildir_file(folder.path + "/" + file.file);
        if (!read) {
            desk_->report().add_failed(
                {.folder = folder.name, .message = file.file, .reason = read.error().text});
            return {};
        }
        ImportMessage message;
        message.label = file.file;
        message.origin = std::move(origin);
        message.date = read->date;
        message.flags = flags_of(mail::parse_maildir_name(file.file), content.keywords);
        message.uid = desk_->rules().uids ? file.uid : 0;
        if (desk_->rules().unique_ids) {
            message.unique_id = !file.unique_id.empty() || file.uid == 0
                                    ? file.unique_id
                                    : dovecot_unique_id(file.uid, content.uid_validity);
        }
        message.octets = std::move(read->octets);
        return group.add(std::move(message));
    }

    ImportDesk* desk_;
    std::string root_;
    std::string source_;
};

}  // namespace

int run_import_maildir(const Invocation& call) {
    std::error_code problem;
    const std::string given = call.arguments()[1];
    const auto root = std::filesystem::canonical(given, problem);
    if (problem) {
        return call.fail(Error{.kind = ErrorKind::Peer,
                               .code = ErrorCode::NotFound,
                               .text = "cannot read " + given + ": " + problem.message()});
    }
    return run_import(
        call, [&root](ImportDesk& desk) { return MaildirImport(&desk, root.string()).run(); });
}

}  // namespace godwit::app
