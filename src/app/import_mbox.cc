// godwit import mbox.
#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "app/commands.h"
#include "app/import_desk.h"
#include "app/import_options.h"
#include "app/mbox_names.h"
#include "app/source_file.h"
#include "base/crypto.h"
#include "mail/file/line_ends.h"
#include "mail/file/mbox.h"

namespace godwit::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilesMax = 10000;

struct MboxFile {
    std::string path;
    std::string folder;
};

/// One file of messages. Which they are is told by their octets, flags aside, and by how many equal
/// ones were before: about 40 octets of memory a message.
class MboxImport {
public:
    MboxImport(ImportDesk* desk, MboxFile file, mail::MboxQuoting quoting, std::string source)
        : desk_(desk), file_(std::move(file)), source_(std::move(source)), reader_(quoting) {}

    Result<> run() {
        auto in = SourceFile::open(file_.path);
        if (!in) {
            return problem(in.error().text);
        }
        const auto opened =
            TRY(desk_->open({.source = file_.folder, .role = "", .subscribed = true}));
        if (!opened) {
            return {};
        }
        group_.emplace(desk_, *opened);
        for (;;) {
            const auto piece = in->read();
            if (!piece) {
                TRY(problem(piece.error().text));
                break;
            }
            if (piece->empty()) {
                reader_.finish();
                TRY(take_events());
                break;
            }
            reader_.feed(*piece);
            TRY(take_events());
            if (reader_.had_strange_start()) {
                break;
            }
        }
        if (reader_.had_strange_start()) {
            TRY(problem(file_.path + " is no mbox: it does not begin with \"From \""));
        }
        TRY(ask());
        return group_->flush();
    }

private:
    Result<> problem(std::string text) {
        desk_->report().add_problem(
            {.folder = file_.folder, .message = "", .reason = std::move(text)});
        return {};
    }

    Result<> take_events() {
        while (auto event = reader_.next()) {
            if (auto* begin = std::get_if<mail::MboxBegin>(&*event)) {
                begin_message(begin->from_line);
            } else if (auto* octets = std::get_if<mail::MboxOctets>(&*event)) {
                std::string text;
                ends_.feed(octets->octets, text);
                hash_.update(text);
                TRY(message_.octets.append(text));
            } else {
                TRY(end_message(std::get<mail::MboxEnd>(*event)));
            }
        }
        return {};
    }

    void begin_message(std::string_view from_line) {
        message_ = ImportMessage();
        message_.label = "message " + std::to_string(++count_);
        ends_ = mail::MailLineEnds();
        hash_ = Sha256Stream();
        hash_.update(from_line);
        hash_.update("\n");
    }

    Result<> end_message(const mail::MboxEnd& facts) {
        const Sha256Digest digest = hash_.finish();
        const std::string key(reinterpret_cast<const char*>(digest.data()), digest.size());
        std::uint64_t front = 0;
        std::copy_n(digest.begin(), sizeof front, reinterpret_cast<unsigned char*>(&front));
        message_.origin = origin_of(source_, file_.folder, key + std::to_string(equal_[front]++));
        message_.date = facts.date.value_or(0);
        message_.flags = facts.flags;
        waiting_octets_ += message_.octets.size();
        waiting_.push_back(std::move(message_));
        desk_->report().expect(1);
        const bool is_full =
            waiting_.size() == import_group_messages || waiting_octets_ > import_group_octets;
        return is_full ? ask() : Result<>();
    }

    Result<> ask() {
        std::vector<std::string> origins;
        for (const ImportMessage& message : waiting_) {
            origins.push_back(message.origin);
        }
        const std::vector<bool> known = TRY(desk_->known(origins));
        desk_->report().add_known(static_cast<std::uint64_t>(std::ranges::count(known, true)));
        for (std::size_t i = 0; i < waiting_.size(); ++i) {
            if (!known[i]) {
                TRY(group_->add(std::move(waiting_[i])));
            }
        }
        waiting_.clear();
        waiting_octets_ = 0;
        return {};
    }

    ImportDesk* desk_;
    MboxFile file_;
    std::string source_;
    mail::MboxReader reader_;
    mail::MailLineEnds ends_;
    Sha256Stream hash_;
    ImportMessage message_;
    std::optional<ImportGroup> group_;
    std::vector<ImportMessage> waiting_;
    std::uint64_t waiting_octets_ = 0;
    std::unordered_map<std::uint64_t, std::uint32_t> equal_;
    std::uint64_t count_ = 0;
};

Result<std::vector<MboxFile>> list_files(const fs::path& root, MoveReport& report) {
    std::vector<MboxFile> files;
    std::error_code problem;
    fs::recursive_directory_iterator at(root, problem);
    for (const fs::recursive_directory_iterator end; !problem && at != end; at.increment(problem)) {
        const std::string name = fs::relative(at->path(), root, problem).string();
        // What mail programs keep beside an mbox is hidden or no mbox, which is told.
        const bool is_hidden = at->path().filename().string().starts_with('.');
        if (!is_hidden && at->is_symlink(problem)) {
            report.add_problem({.folder = mbox_folder(name),
                                .message = "",
                                .reason = "cannot read " + at->path().string() +
                                          ": a symbolic link, which is not followed"});
        } else if (!is_hidden && at->is_regular_file(problem)) {
            files.push_back({.path = at->path().string(), .folder = mbox_folder(name)});
        }
        if (files.size() > kFilesMax) {
            return peer_error(ErrorCode::LimitExceeded, root.string() + " has more than " +
                                                            std::to_string(kFilesMax) + " files");
        }
    }
    if (problem) {
        return peer_error(ErrorCode::NotFound,
                          "cannot read " + root.string() + ": " + problem.message());
    }
    std::ranges::sort(files, {}, &MboxFile::folder);
    return files;
}

Result<mail::MboxQuoting> read_quoting(const Invocation& call) {
    const std::string form = call.value_or("--quoting", "mboxrd");
    if (form == "mboxrd") {
        return mail::MboxQuoting::Rd;
    }
    if (form == "mboxo") {
        return mail::MboxQuoting::Old;
    }
    if (form == "none") {
        return mail::MboxQuoting::None;
    }
    return peer_error(ErrorCode::Invalid, "--quoting is mboxrd, mboxo or none");
}

}  // namespace

int run_import_mbox(const Invocation& call) {
    const auto quoting = read_quoting(call);
    if (!quoting) {
        return call.fail_usage(quoting.error().text);
    }
    std::error_code problem;
    const std::string given = call.arguments()[1];
    const fs::path root = fs::canonical(given, problem);
    if (problem) {
        return call.fail(Error{.kind = ErrorKind::Peer,
                               .code = ErrorCode::NotFound,
                               .text = "cannot read " + given + ": " + problem.message()});
    }
    const bool is_folder = fs::is_directory(root, problem);
    if (is_folder && call.has("--folder")) {
        return call.fail_usage("--folder goes with one file");
    }
    return run_import(call, [&](ImportDesk& desk) -> Result<> {
        std::vector<MboxFile> files;
        if (is_folder) {
            files = TRY(list_files(root, desk.report()));
        } else {
            files.push_back(
                {.path = root.string(),
                 .folder = call.value_or("--folder", mbox_folder(root.filename().string()))});
        }
        const std::string& named = desk.rules().source;
        for (MboxFile& file : files) {
            if (desk.rules().takes(file.folder)) {
                const std::string source = named.empty() ? "mbox " + file.path : named;
                TRY(MboxImport(&desk, std::move(file), *quoting, source).run());
            }
        }
        return {};
    });
}

}  // namespace godwit::app
