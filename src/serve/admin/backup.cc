// Administrators' calls that take backups and put an account's mail back. Each is begun, then goes
// on step by step as the caller asks: whoever goes away or falls silent ends it.
#include "base/ascii.h"
#include "mail/address/address.h"
#include "serve/admin/calls.h"
#include "store/backup/restore_account.h"
#include "store/backup/take.h"
#include "store/store.h"

namespace godwit::serve {
namespace {

Result<std::string> folder_of(const AdminHost& host, const AdminArguments& arguments) {
    if (host.backups.files == nullptr) {
        return peer_error(ErrorCode::Unsupported, "there is no place for backups here");
    }
    std::string folder = TRY(arguments.text("folder"));
    if (!folder.starts_with('/')) {
        // A server has a working folder of its own.
        return peer_error(ErrorCode::Invalid, "'" + folder + "' is no absolute path of a folder");
    }
    return host.backups.real_path ? host.backups.real_path(folder) : folder;
}

/// The data folder by its real name, which options need not have.
Result<> check_apart(const AdminHost& host, const std::string& folder) {
    const std::string& own = host.store->options().folder;
    if (own.empty() || !host.backups.real_path) {
        return {};
    }
    const std::string data = TRY(host.backups.real_path(own));
    if ((folder + "/").starts_with(data + "/") || (data + "/").starts_with(folder + "/")) {
        return peer_error(ErrorCode::Denied, folder + " and the data folder " + data +
                                                 " lie in each other; a backup needs a folder, and "
                                                 "better a disk, of its own");
    }
    return {};
}

class BackupWork final : public AdminWork {
public:
    explicit BackupWork(std::unique_ptr<store::BackupRun> run) : run_(std::move(run)) {}
    Result<std::string> step() override {
        const bool is_done = TRY(run_->step());
        const store::BackupProgress& now = run_->progress();
        JsonWriter json;
        json.begin_object().field("done", is_done).field("rows", now.rows);
        json.field("key_bytes", now.key_bytes).field("bytes_to_copy", now.bytes_to_copy);
        json.field("bytes_copied", now.bytes_copied);
        if (is_done) {
            const store::BackupSummary& made = run_->summary();
            json.key("backup").begin_object().field("generation", made.generation);
            json.field("accounts", made.accounts).field("messages", made.messages);
            json.field("rows", made.rows).field("damaged_rows", made.damaged_rows);
            json.field("key_bytes", made.key_bytes).field("segment_bytes", made.segment_bytes);
            json.field("copied_bytes", made.copied_bytes).field("copied_parts", made.copied_parts);
            json.field("removed", std::uint64_t{made.removed}).end_object();
        }
        json.end_object();
        return std::move(json).take();
    }

private:
    std::unique_ptr<store::BackupRun> run_;
};

class RestoreWork final : public AdminWork {
public:
    explicit RestoreWork(std::unique_ptr<store::AccountRestore> run) : run_(std::move(run)) {}
    Result<std::string> step() override {
        const bool is_done = TRY(run_->step());
        const store::AccountRestoreReport& now = run_->report();
        JsonWriter json;
        json.begin_object().field("done", is_done).field("generation", now.generation);
        json.field("address", now.address).field("account_created", now.was_created);
        json.field("aliases_created", now.aliases_created);
        json.field("mailboxes_created", now.mailboxes_created).field("in_backup", now.in_backup);
        json.field("present", now.present).field("restored", now.restored);
        json.field("over_quota", now.over_quota).field("over_quota_bytes", now.over_quota_bytes);
        json.field("mended", now.mended).field("failed", now.failed);
        json.field("problem_count", now.problem_count).key("problems").begin_array();
        for (const std::string& text : now.problems) {
            json.string(text);
        }
        json.end_array().end_object();
        return std::move(json).take();
    }

private:
    std::unique_ptr<store::AccountRestore> run_;
};

}  // namespace

Result<std::string> begin_backup(const AdminHost& host, const AdminArguments& arguments) {
    const std::string folder = TRY(folder_of(host, arguments));
    const std::string keep = arguments.text_or("keep", "0");
    const auto count = parse_u32(keep);
    if (!count) {
        return peer_error(ErrorCode::Invalid, "keep: expected a number, found '" + keep + "'");
    }
    TRY(check_apart(host, folder));
    if (host.backups.is_taken && host.backups.is_taken(folder)) {
        return peer_error(ErrorCode::Denied, folder + " is not empty and holds no backup");
    }
    arguments.visit().work.reset();
    auto run = TRY(store::BackupRun::begin(host.store, host.backups.files,
                                           {.folder = folder, .keep = *count}, host.clock));
    arguments.visit().work = std::make_unique<BackupWork>(std::move(run));
    return one_field("folder", folder);
}

Result<std::string> begin_restore(const AdminHost& host, const AdminArguments& arguments) {
    store::AccountRestoreRequest request;
    request.folder = TRY(folder_of(host, arguments));
    if (arguments.has("generation")) {
        request.generation = TRY(arguments.text("generation"));
    }
    mail::Address address =
        TRY(mail::parse_address(TRY(arguments.text("account")), mail::Domainless::Allow));
    if (address.domain.empty()) {
        address.domain = host.default_domain;
    }
    request.address = address.to_string();
    request.to_mailbox = arguments.text_or("to_mailbox", "");
    arguments.visit().work.reset();
    auto run = TRY(store::AccountRestore::begin(host.store, host.backups.files, std::move(request),
                                                host.commit));
    arguments.visit().work = std::make_unique<RestoreWork>(std::move(run));
    return one_field("account", address.to_string());
}

Result<std::string> continue_work(const AdminHost&, const AdminArguments& arguments) {
    std::unique_ptr<AdminWork>& work = arguments.visit().work;
    if (work == nullptr) {
        return peer_error(ErrorCode::NotFound, "nothing was begun on this connection");
    }
    auto answer = work->step();
    if (!answer) {
        work.reset();
    }
    return answer;
}

}  // namespace godwit::serve
