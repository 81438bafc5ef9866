// godwit fsck --repair: puts a damaged data folder in order while no server runs on it, takes back
// bodies that nothing refers to, and looks the whole over. docs/operating/repair.md.
#include <algorithm>
#include <cstdio>

#include "app/admin_client.h"
#include "app/commands.h"
#include "app/file.h"
#include "app/json_text.h"
#include "app/places.h"
#include "app/unix_client.h"
#include "base/log.h"
#include "flow/message_record.h"
#include "mail/message/parser.h"
#include "store/directory/directory.h"
#include "store/folder.h"
#include "store/fsck.h"
#include "store/kv/rescue.h"
#include "store/mailbox/mailbox.h"
#include "store/repair/repair.h"

namespace godwit::app {
namespace {

constexpr std::string_view kRecovered = "Recovered";

store::MessageRecord record_of(const BlobId& blob, std::string_view body) {
    store::NewBody known;
    known.id = blob;
    known.size = body.size();
    return flow::make_record(mail::parse_message(body), known);
}

/// Nobody else is at work in the folder.
Result<> check_stopped(const flow::Settings& settings) {
    auto socket = UnixClient::connect(admin_socket(settings));
    if (socket || socket.error().code == ErrorCode::Denied) {
        return peer_error(ErrorCode::Unavailable,
                          "a server runs on " + settings.data_folder + ": stop it first");
    }
    if (!file_exists(settings.data_folder)) {
        return peer_error(ErrorCode::NotFound, "there is no data folder " + settings.data_folder);
    }
    return become_owner(settings.data_folder);
}

struct Outcome {
    store::RepairReport report;
    bool has_dropped = false;  ///< What was lost is gone from mailboxes and queue.
    std::string kept;          ///< Where damaged keys were put; empty: nowhere.
    std::size_t recovered = 0;
    std::string failed;                        ///< Why the rest was not done; empty: it was.
    std::vector<store::FsckFinding> broken{};  ///< Invariants that do not hold now.

    [[nodiscard]] bool is_good() const {
        return (report.losses == 0 || has_dropped) && report.orphans.empty() &&
               !report.are_keys_missing && failed.empty() && broken.empty();
    }
};

// What the engine itself could not read is lost like what the repair cannot bring back.
void list_unreadable(const store::Rescue& rescue, store::RepairReport& report) {
    std::vector<store::Loss> lost;
    for (const std::string& remark : rescue.remarks) {
        lost.push_back({.what = "changes", .detail = remark});
    }
    for (const store::LostRows& rows : rescue.lost) {
        lost.push_back({.what = "rows that cannot be read", .detail = to_string(rows)});
    }
    report.losses += lost.size();
    lost.resize(std::min(lost.size(), store::repair_losses_max));
    report.lost.insert(report.lost.begin(), lost.begin(), lost.end());
}

Result<Outcome> repair_rows(const Invocation& call, const flow::Settings& settings) {
    store::StoreOptions folder;
    store::keep_in_folder(folder, settings.data_folder);
    const auto hold = TRY(folder.files->hold(settings.data_folder + "/LOCK"));
    const std::string keys = settings.data_folder + "/kv";
    store::RocksOptions engine;
    engine.cache_bytes = settings.storage.cache_mib * 1024 * 1024;
    engine.on_fatal = [](const Error& error) {
        log::error("store.fatal", {{"error", error.text}});
        std::_Exit(kExitTemporary);
    };
    auto opened = TRY(store::open_rocks_kv_for_repair(
        keys, std::move(engine),
        call.has("--drop-lost") ? store::LostTables::GivenUp : store::LostTables::Refused));
    store::RepairOptions options;
    options.files = folder.files;
    options.blobs_folder = settings.data_folder + "/blobs";
    options.read_bodies = !call.has("--quick");
    options.drop_lost = call.has("--drop-lost");
    options.are_keys_missing = opened.rescue.are_rows_missing;
    options.now = system_clock().wall();
    options.make_record = record_of;
    options.begin_commits_at = [&keys](CommitSeq first) {
        return store::allow_first_commit(keys, first);
    };
    Outcome outcome;
    outcome.report = TRY(store::repair(*opened.kv, options));
    TRY(store::end_rescue(keys));
    outcome.has_dropped = options.drop_lost;
    outcome.kept = opened.rescue.kept;
    list_unreadable(opened.rescue, outcome.report);
    return outcome;
}

Result<MailboxId> recovered_mailbox(const serve::AdminHost& host, AccountId account) {
    const auto find = [&] {
        return store::find_mailbox(*host.store->snapshot(), store::ReadTier::Disk, account,
                                   kRecovered);
    };
    if (!TRY(find())) {
        store::Plan plan;
        plan.steps.emplace_back(store::CreateMailbox{.account = account,
                                                     .name = std::string(kRecovered),
                                                     .special_use = "",
                                                     .subscribed = true});
        if (auto done = host.commit(std::move(plan)); !done) {
            return std::unexpected(std::move(done.error().error));
        }
    }
    return TRY(find())->id;
}

Result<> recover(const serve::AdminHost& host, const std::vector<BlobId>& orphans,
                 std::string_view address) {
    const auto account = TRY(store::find_account(*host.store->snapshot(), store::ReadTier::Disk,
                                                 address, host.default_domain));
    if (!account) {
        return peer_error(ErrorCode::NotFound, "no account " + std::string(address));
    }
    const MailboxId mailbox = TRY(recovered_mailbox(host, account->id));
    for (const BlobId& blob : orphans) {
        const std::uint64_t size = TRY(host.store->blobs().size(blob, store::ReadTier::Disk));
        std::string octets = TRY(host.store->blobs().read(blob, 0, size, store::ReadTier::Disk));
        store::AppendMessage append;
        append.account = account->id;
        append.mailbox = mailbox;
        append.record = record_of(blob, octets);
        append.internal_date = unix_seconds(host.clock->wall());
        store::Plan plan;
        plan.steps.emplace_back(std::move(append));
        store::NewBody body;
        body.id = blob;
        body.size = size;
        body.content = std::move(octets);
        plan.bodies.push_back(std::move(body));
        if (auto done = host.commit(std::move(plan)); !done) {
            return std::unexpected(std::move(done.error().error));
        }
    }
    return {};
}

// The repair is done and told, whatever comes of this.
Result<> look_over(const Invocation& call, const flow::Settings& settings, Outcome& outcome) {
    const auto store = TRY(open_store(settings));
    if (const auto address = call.value("--recover-to")) {
        const serve::AdminHost host = make_admin_host(store.get(), settings);
        if (const auto done = recover(host, outcome.report.orphans, *address); done) {
            outcome.recovered = outcome.report.orphans.size();
            outcome.report.orphans.clear();
        } else {
            outcome.failed = "--recover-to: " + done.error().text;
        }
    }
    for (store::FsckFinding& finding : TRY(store::fsck(*store, {.read_bodies = false}))) {
        if (finding.violations != 0) {
            outcome.broken.push_back(std::move(finding));
        }
    }
    return {};
}

Result<Outcome> repair_folder(const Invocation& call, const flow::Settings& settings) {
    TRY(check_stopped(settings));
    Outcome outcome = TRY(repair_rows(call, settings));
    if (const auto done = look_over(call, settings, outcome); !done) {
        outcome.failed = done.error().text;
    }
    return outcome;
}

std::string show_json_of(const Outcome& outcome) {
    JsonWriter json;
    json.begin_object().field("good", outcome.is_good()).key("repaired").begin_object();
    for (const auto& [what, count] : outcome.report.repaired) {
        json.field(what, count);
    }
    json.end_object().field("losses", outcome.report.losses).key("lost").begin_array();
    for (const store::Loss& loss : outcome.report.lost) {
        json.begin_object().field("what", loss.what).field("account", loss.account.value());
        json.field("address", loss.address);
        json.field("mailbox", loss.mailbox).field("uid", loss.uid.value());
        json.field("message", loss.message).field("detail", loss.detail).end_object();
    }
    json.end_array().key("orphans").begin_array();
    for (const BlobId& blob : outcome.report.orphans) {
        json.string(blob.to_hex());
    }
    json.end_array().field("recovered", std::uint64_t{outcome.recovered});
    json.key("broken").begin_array();
    for (const store::FsckFinding& finding : outcome.broken) {
        json.string(finding.invariant);
    }
    json.end_array().field("keys_missing", outcome.report.are_keys_missing);
    json.field("dropped", outcome.has_dropped).field("kept", outcome.kept);
    json.field("failed", outcome.failed).end_object();
    return std::move(json).take() + "\n";
}

std::string show_text_of(const Outcome& outcome) {
    std::string text;
    if (!outcome.kept.empty()) {
        text +=
            "all keys that can be read were copied; the damaged folder is " + outcome.kept + "\n";
    }
    for (const auto& [what, count] : outcome.report.repaired) {
        text += "repaired: " + what + ": " + std::to_string(count) + "\n";
    }
    const std::string lost = outcome.has_dropped ? "given up: " : "beyond repair: ";
    for (const store::Loss& loss : outcome.report.lost) {
        text += lost + to_string(loss) + "\n";
    }
    if (outcome.report.losses > outcome.report.lost.size()) {
        text +=
            lost + std::to_string(outcome.report.losses - outcome.report.lost.size()) + " more\n";
    }
    for (const BlobId& blob : outcome.report.orphans) {
        text += "body of nobody (--recover-to takes it back): " + blob.to_hex() + "\n";
    }
    if (outcome.recovered != 0) {
        text +=
            "put into " + std::string(kRecovered) + ": " + std::to_string(outcome.recovered) + "\n";
    }
    for (const store::FsckFinding& finding : outcome.broken) {
        text += "still broken: " + finding.invariant + ": " + finding.examples.front() + "\n";
    }
    if (outcome.report.are_keys_missing) {
        text +=
            "rows are gone, of the whole store or of a part: accounts, mailboxes and the queue "
            "are not complete. Restore a backup if there is one. Bodies that no row names stay: "
            "make an account, then --repair --recover-to ADDRESS puts them there\n";
    }
    if (!outcome.failed.empty()) {
        text += "not done: " + outcome.failed + "\n";
    }
    return text + (outcome.is_good() ? "good\n" : "BROKEN\n");
}

}  // namespace

int run_repair(const Invocation& call) {
    const auto settings = find_server(call);
    if (!settings) {
        return call.fail(settings.error());
    }
    const auto outcome = repair_folder(call, *settings);
    if (!outcome) {
        return call.fail(outcome.error());
    }
    call.console().out(call.has("--json") ? show_json_of(*outcome) : show_text_of(*outcome));
    return outcome->is_good() ? kExitDone : kExitRefused;
}

}  // namespace godwit::app
