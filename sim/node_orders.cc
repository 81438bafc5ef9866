// What an operator asks of a node, and what the world looks up in its store.
#include "base/limits.h"
#include "serve/admin/api.h"
#include "sim/disk.h"
#include "sim/node.h"
#include "sim/world.h"
#include "store/backup/verify.h"
#include "store/fsck.h"
#include "store/queue/queue.h"

namespace godwit::sim {

namespace {

template <class T>
T must(Result<T> result) {
    check(result.has_value(), "a disk that is reliable can be read");
    return std::move(*result);
}

}  // namespace

store::CommitResult Node::commit_now(store::Plan plan) {
    std::optional<store::CommitResult> result;
    store_->committer().submit(
        std::make_unique<store::Plan>(std::move(plan)),
        [&result](store::CommitResult done) { result.emplace(std::move(done)); });
    while (!result && store_->committer().run_once()) {
    }
    check(result.has_value(), "a submitted plan is answered");
    return *std::move(result);
}

serve::AdminHost Node::admin_host() {
    serve::AdminHost host;
    host.store = store_.get();
    host.clock = clock();
    host.random = &dice_.random();
    host.argon2 = [] { return Argon2Cost{.memory_kib = 64, .passes = 1}; };
    host.default_domain = domain_;
    host.backups.files = disk_->files();
    host.commit = [this](store::Plan plan) { return commit_now(std::move(plan)); };
    return host;
}

std::string Node::order(const std::string& request) {
    if (!is_up()) {
        return "";
    }
    const World::Acting acting(world_, this);
    if (visit_ == nullptr) {
        visit_ = std::make_unique<serve::AdminVisit>();
    }
    is_ordering_ = true;
    std::string answer = serve::answer_admin(admin_host(), *visit_, request);
    is_ordering_ = false;
    return is_frozen_ ? "" : answer;
}

std::vector<std::string> Node::queued_letters() {
    std::vector<std::string> tokens;
    if (!is_up()) {
        return tokens;
    }
    disk_->set_reliable(true);
    const auto snapshot = store_->snapshot();
    MailId after;
    for (bool is_more = true; is_more;) {
        const auto messages =
            must(store::list_queue(*snapshot, store::ReadTier::Disk, after, limits::scan_rows_max));
        for (const store::QueueMessage& message : messages) {
            after = message.mail;
            tokens.push_back(find_token(must(
                store_->blobs().read(message.blob, 0, message.blob_size, store::ReadTier::Disk))));
        }
        is_more = messages.size() == limits::scan_rows_max;
    }
    disk_->set_reliable(world_->is_calm());
    return tokens;
}

std::vector<std::string> Node::verify_backup() {
    disk_->set_reliable(true);
    const auto report = store::verify_backup(disk_->files(), kBackupFolder, std::nullopt);
    disk_->set_reliable(world_->is_calm());
    if (!report) {
        return report.error().code == ErrorCode::NotFound
                   ? std::vector<std::string>()
                   : std::vector<std::string>{report.error().text};
    }
    std::vector<std::string> wrong;
    for (const store::BackupFinding& finding : report->findings) {
        if (finding.faults != 0) {
            std::string text = finding.check + ": " + std::to_string(finding.faults);
            for (const std::string& example : finding.examples) {
                text += "; " + example;
            }
            wrong.push_back(std::move(text));
        }
    }
    if (report->manifest.damaged_rows != 0) {
        wrong.push_back(std::to_string(report->manifest.damaged_rows) + " damaged rows");
    }
    return wrong;
}

std::vector<std::string> Node::inspect() {
    std::vector<std::string> wrong;
    disk_->set_reliable(true);
    const auto findings = store::fsck(*store_, {});
    disk_->set_reliable(world_->is_calm());
    if (!findings) {
        return {"fsck: " + findings.error().text};
    }
    for (const store::FsckFinding& finding : *findings) {
        // A body whose links could not be read as it lost one stays.
        const std::uint64_t excused =
            finding.invariant == "every body has a link" ? disk_->reads_failed() : 0;
        if (finding.violations > excused) {
            std::string text = finding.invariant + ": " + std::to_string(finding.violations);
            for (const std::string& example : finding.examples) {
                text += "; " + example;
            }
            wrong.push_back(std::move(text));
        }
    }
    return wrong;
}

}  // namespace godwit::sim
