// godwit backup, backup verify, backup list, restore. Backups are taken and accounts put back by
// the server, or on the store itself when none runs; the rest needs neither.
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "app/admin_client.h"
#include "app/backup_ground.h"
#include "app/commands.h"
#include "app/file.h"
#include "app/json_text.h"
#include "app/places.h"
#include "base/log.h"
#include "store/backup/restore_whole.h"
#include "store/backup/verify.h"
#include "store/folder.h"
#include "store/fsck.h"

namespace godwit::app {
namespace {

/// A path that a server with another working folder finds too.
std::string absolute(const std::string& path) {
    std::error_code problem;
    const auto full = std::filesystem::absolute(path, problem).lexically_normal();
    std::string text = problem ? path : full.string();
    while (text.size() > 1 && text.ends_with('/')) {
        text.pop_back();
    }
    return text;
}

/// Tells how far it is, on one line of a terminal; says nothing to a log or a pipe.
class ProgressLine {
public:
    explicit ProgressLine(const Console& console)
        : console_(console), is_on_(::isatty(STDERR_FILENO) == 1) {}
    ~ProgressLine() {
        if (was_shown_) {
            console_.err("\n");
        }
    }
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;
    void show(const std::string& text) {
        if (is_on_) {
            console_.err("\r" + text + "   ");
            was_shown_ = true;
        }
    }

private:
    const Console& console_;
    bool is_on_;
    bool was_shown_ = false;
};

std::string count_of(const JsonValue& value, std::string_view name) {
    return std::to_string(value.int_or(name, 0));
}

/// Asks for step after step. Between two of them mail has the disk for a third of the time that the
/// last one took: a busy machine slows the work down, not the mail.
Result<JsonValue> run_steps(AdminClient& client, std::string_view name, ProgressLine& progress,
                            std::string (*describe)(const JsonValue&)) {
    for (;;) {
        const MonoTime before = system_clock().mono();
        JsonValue answer = TRY(client.call(name, "{}"));
        if (answer.bool_or("done", false)) {
            return answer;
        }
        progress.show(describe(answer));
        std::this_thread::sleep_for((system_clock().mono() - before) / 3);
    }
}

std::string describe_backup(const JsonValue& step) {
    return count_of(step, "rows") + " rows, " + count_of(step, "bytes_copied") + " of " +
           count_of(step, "bytes_to_copy") + " octets of bodies";
}

std::string describe_restore(const JsonValue& step) {
    return count_of(step, "in_backup") + " messages looked at, " + count_of(step, "restored") +
           " put back";
}

Result<JsonValue> take_backup(const Invocation& call, const std::string& folder) {
    const flow::Settings settings = TRY(find_server(call));
    AdminClient client = TRY(AdminClient::open(settings));
    JsonWriter json;
    json.begin_object().field("folder", folder).field("keep", call.value_or("--keep", "0"));
    json.end_object();
    TRY(client.call("backup.begin", json.view()));
    ProgressLine progress(call.console());
    const JsonValue done = TRY(run_steps(client, "backup.step", progress, describe_backup));
    const JsonValue* backup = done.find("backup");
    return backup != nullptr ? *backup : JsonValue{};
}

Result<JsonValue> restore_account(const Invocation& call, const std::string& folder) {
    const flow::Settings settings = TRY(find_server(call));
    AdminClient client = TRY(AdminClient::open(settings));
    JsonWriter json;
    json.begin_object().field("folder", folder);
    json.field("account", call.value_or("--account", ""));
    json.field("to_mailbox", call.value_or("--to-mailbox", ""));
    if (const auto generation = call.value("--generation")) {
        json.field("generation", *generation);
    }
    json.end_object();
    TRY(client.call("restore.begin", json.view()));
    ProgressLine progress(call.console());
    return run_steps(client, "restore.step", progress, describe_restore);
}

int show_restored_account(const Invocation& call, const JsonValue& done) {
    const bool is_whole = done.int_or("failed", 0) == 0 && done.int_or("over_quota", 0) == 0 &&
                          done.int_or("problem_count", 0) == 0;
    if (call.has("--json")) {
        call.console().out(show_json(done) + "\n");
        return is_whole ? kExitDone : kExitRefused;
    }
    std::string text = done.string_or("address", "") + " from " + done.string_or("generation", "");
    text.append(": " + count_of(done, "restored") + " messages put back, ");
    text.append(count_of(done, "present") + " were there");
    if (done.int_or("mended", 0) != 0) {
        text.append(", " + count_of(done, "mended") + " that were damaged have their body again");
    }
    text.append(done.bool_or("account_created", false) ? "; the account was made again\n" : "\n");
    if (done.int_or("over_quota", 0) != 0) {
        text.append(count_of(done, "over_quota") + " messages (" +
                    count_of(done, "over_quota_bytes") +
                    " octets) did not fit the quota: raise it and restore again\n");
    }
    if (done.int_or("failed", 0) != 0) {
        text.append(count_of(done, "failed") + " messages could not be read from the backup\n");
    }
    if (const JsonValue* problems = done.find("problems"); problems != nullptr) {
        for (const JsonValue& problem : *problems->array()) {
            text.append(show_plain(&problem) + "\n");
        }
        const auto named = static_cast<std::int64_t>(problems->array()->size());
        if (const std::int64_t all = done.int_or("problem_count", 0); all > named) {
            text.append("and " + std::to_string(all - named) + " more\n");
        }
    }
    call.console().out(text);
    return is_whole ? kExitDone : kExitRefused;
}

[[noreturn]] void end_on_fatal(const Error& error) {
    log::error("restore.fatal", {{"error", error.text}});
    std::_Exit(kExitTemporary);
}

struct WholeResult {
    store::WholeRestored restored;
    std::uint64_t violations = 0;
};

Result<WholeResult> restore_into(const Invocation& call, const std::string& folder,
                                 const std::string& data) {
    if (const auto found = something_in(data, {"LOCK"})) {
        return peer_error(ErrorCode::Denied, data + " is not empty (" + *found +
                                                 "); a backup is restored into an empty folder");
    }
    if (!file_exists(data)) {
        // As `godwit serve` makes it: others pass through to submit.sock.
        TRY(make_folder(data, 0711));
    }
    const bool could_read = is_readable(folder);
    TRY(become_owner(data));
    if (could_read && !is_readable(folder)) {
        return peer_error(ErrorCode::Denied,
                          folder + " cannot be read by the owner of " + data +
                              ", as whom the restore works: give the backup to that user (chown "
                              "-R) first");
    }
    WholeResult result;
    {
        store::StoreOptions target;
        store::keep_in_folder(target, data);
        target.on_fatal = end_on_fatal;
        result.restored = TRY(store::restore_whole(&store::system_files(),
                                                   {.folder = folder,
                                                    .generation = call.value("--generation"),
                                                    .release_queue = call.has("--release-queue"),
                                                    .now = system_clock().wall(),
                                                    .new_store = system_random().u64()},
                                                   target));
    }
    flow::Settings settings;
    settings.data_folder = data;
    const auto opened = TRY(open_store(settings));
    for (const auto& finding : TRY(store::fsck(*opened, {}))) {
        result.violations += finding.violations;
    }
    return result;
}

/// The last line: what fsck says of the new folder, and whether all of the backup is in it.
std::string verdict(const WholeResult& result, const std::string& data) {
    if (result.violations != 0) {
        return "BROKEN: fsck found " + std::to_string(result.violations) +
               " violations; `godwit fsck --dir " + data + "` names them\n";
    }
    if (result.restored.damaged_rows != 0) {
        return "DAMAGED: " + std::to_string(result.restored.damaged_rows) +
               " rows are damaged as they were in the backup; `godwit fsck --dir " + data +
               "` tells of them\n";
    }
    return result.restored.is_complete
               ? "good: fsck found nothing\n"
               : "INCOMPLETE: fsck found nothing wrong with what was restored; the backup does not "
                 "give the rest\n";
}

int run_restore_whole(const Invocation& call, const std::string& folder) {
    const std::string data = absolute(*call.value("--into"));
    const auto result = restore_into(call, folder, data);
    if (!result) {
        return call.fail(result.error());
    }
    const store::WholeRestored& done = result->restored;
    const bool is_good =
        result->violations == 0 && done.damaged_rows == 0 && done.damaged_parts == 0;
    if (call.has("--json")) {
        JsonWriter json;
        json.begin_object().field("generation", done.generation).field("into", data);
        json.field("rows", done.rows).field("segment_bytes", done.segment_bytes);
        json.field("held_deliveries", done.held_deliveries);
        json.field("damaged_rows", done.damaged_rows).field("violations", result->violations);
        json.field("damaged_parts", done.damaged_parts).field("complete", done.is_complete);
        json.key("losses").begin_array();
        for (const std::string& loss : done.losses) {
            json.string(loss);
        }
        json.end_array().field("good", is_good).end_object();
        call.console().out(std::string(json.view()) + "\n");
        return is_good ? kExitDone : kExitRefused;
    }
    std::string text = done.generation + " restored into " + data + ": " +
                       std::to_string(done.rows) + " rows, " + std::to_string(done.segment_bytes) +
                       " octets of bodies\n";
    if (done.held_deliveries != 0) {
        text.append(std::to_string(done.held_deliveries) +
                    " deliveries are held: they may have been sent since the backup. "
                    "`godwit queue list --held` shows them, `queue release` sends, `queue delete` "
                    "drops them.\n");
    }
    for (const std::string& loss : done.losses) {
        text.append(loss + "\n");
    }
    if (done.damaged_parts != 0) {
        text.append(std::to_string(done.damaged_parts) + " parts of the backup are damaged; " +
                    (done.is_complete ? "no row and no body is missing for that\n"
                                      : "what they held is missing or does not read\n"));
    }
    text.append(verdict(*result, data));
    call.console().out(text);
    return is_good ? kExitDone : kExitRefused;
}

void write_report(JsonWriter& json, const store::BackupReport& report) {
    json.begin_object().field("generation", report.generation).field("good", report.is_good());
    json.field("rows", report.manifest.rows).key("checks").begin_array();
    for (const store::BackupFinding& finding : report.findings) {
        json.begin_object().field("check", finding.check).field("checked", finding.checked);
        json.field("faults", finding.faults).key("examples").begin_array();
        for (const std::string& example : finding.examples) {
            json.string(example);
        }
        json.end_array().end_object();
    }
    json.end_array().end_object();
}

/// One backup of a folder, for the list.
void write_generation(JsonWriter& json, const store::BackupFolder& folder,
                      const std::string& generation) {
    json.begin_object().field("generation", generation);
    const auto manifest = folder.load(generation);
    json.field("state", manifest ? "complete" : "damaged");
    if (manifest) {
        std::uint64_t bodies = 0;
        for (const store::BackupPart& part : manifest->parts) {
            bodies += part.to - part.from;
        }
        json.field("accounts", manifest->accounts).field("messages", manifest->messages);
        json.field("rows", manifest->rows).field("key_bytes", manifest->key_file_size);
        json.field("segment_bytes", bodies);
    } else {
        json.field("error", manifest.error().text);
    }
    json.end_object();
}

}  // namespace

int run_backup(const Invocation& call) {
    // Without a server this process does the work, and its standard output is the answer's.
    log::set_level(log::Level::Error);
    const std::string folder = absolute(call.arguments().front());
    const auto done = take_backup(call, folder);
    if (!done) {
        return call.fail(done.error());
    }
    const bool is_good = done->int_or("damaged_rows", 0) == 0;
    if (call.has("--json")) {
        call.console().out(show_json(*done) + "\n");
        return is_good ? kExitDone : kExitRefused;
    }
    std::string text = folder + ": " + done->string_or("generation", "") + ", " +
                       count_of(*done, "messages") + " messages of " + count_of(*done, "accounts") +
                       " accounts; " + count_of(*done, "key_bytes") + " octets of rows, " +
                       count_of(*done, "copied_bytes") + " of " + count_of(*done, "segment_bytes") +
                       " octets of bodies copied\n";
    if (!is_good) {
        text.append(count_of(*done, "damaged_rows") +
                    " rows of the store are damaged and were copied as they are: run "
                    "`godwit fsck`. No older backup was removed.\n");
    }
    call.console().out(text);
    return is_good ? kExitDone : kExitRefused;
}

int run_backup_verify(const Invocation& call) {
    const std::string folder = absolute(call.arguments().front());
    const auto report =
        store::verify_backup(&store::system_files(), folder, call.value("--generation"));
    if (!report) {
        return call.fail(report.error());
    }
    JsonWriter json;
    write_report(json, *report);
    if (call.has("--json")) {
        call.console().out(std::string(json.view()) + "\n");
        return report->is_good() ? kExitDone : kExitRefused;
    }
    constexpr Column kColumns[] = {
        {"checked", "CHECKED"}, {"faults", "FAULTS"}, {"check", "CHECK"}};
    const auto value = parse_json(json.view());
    const JsonValue* checks = value ? value->find("checks") : nullptr;
    std::string text = checks != nullptr ? show_table(*checks->array(), kColumns) : std::string();
    for (const store::BackupFinding& finding : report->findings) {
        for (const std::string& example : finding.examples) {
            text.append(finding.check + ": " + example + "\n");
        }
    }
    text.append(report->generation + (report->is_good() ? ": good\n" : ": DAMAGED\n"));
    call.console().out(text);
    return report->is_good() ? kExitDone : kExitRefused;
}

int run_backup_list(const Invocation& call) {
    const auto folder =
        store::BackupFolder::open(&store::system_files(), absolute(call.arguments().front()));
    const auto generations =
        folder ? folder->generations()
               : Result<std::vector<std::string>>(std::unexpected(folder.error()));
    if (!generations) {
        return call.fail(generations.error());
    }
    JsonWriter json;
    json.begin_array();
    for (const std::string& generation : *generations) {
        write_generation(json, *folder, generation);
    }
    json.end_array();
    if (call.has("--json")) {
        call.console().out(std::string(json.view()) + "\n");
        return kExitDone;
    }
    constexpr Column kColumns[] = {{"generation", "BACKUP"},    {"state", "STATE"},
                                   {"accounts", "ACCOUNTS"},    {"messages", "MESSAGES"},
                                   {"key_bytes", "ROW OCTETS"}, {"segment_bytes", "BODY OCTETS"}};
    const auto rows = parse_json(json.view());
    const bool has_rows = rows && rows->array() != nullptr && !rows->array()->empty();
    call.console().out(has_rows ? show_table(*rows->array(), kColumns)
                                : std::string("There are no backups.\n"));
    return kExitDone;
}

int run_restore(const Invocation& call) {
    log::set_level(log::Level::Error);
    const std::string folder = absolute(call.arguments().front());
    if (call.has("--into") == call.has("--account")) {
        return call.fail_usage("restore: say either --into DATADIR or --account NAME");
    }
    if (call.has("--account") && call.has("--release-queue")) {
        return call.fail_usage("restore: --release-queue goes with --into");
    }
    if (call.has("--into") && call.has("--to-mailbox")) {
        return call.fail_usage("restore: --to-mailbox goes with --account");
    }
    if (call.has("--into")) {
        return run_restore_whole(call, folder);
    }
    const auto done = restore_account(call, folder);
    return done ? show_restored_account(call, *done) : call.fail(done.error());
}

}  // namespace godwit::app
