#include "app/export_source.h"

#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "app/backup_ground.h"
#include "app/file.h"
#include "app/places.h"

namespace godwit::app {

namespace {

std::vector<std::string> texts_of(const JsonValue* list) {
    std::vector<std::string> out;
    if (list != nullptr && list->array() != nullptr) {
        for (const JsonValue& item : *list->array()) {
            out.push_back(item.string() != nullptr ? *item.string() : "");
        }
    }
    return out;
}

std::uint32_t number_of(const JsonValue& row, std::string_view name) {
    return static_cast<std::uint32_t>(row.int_or(name, 0));
}

Result<JsonValue::Array> rows_of(const JsonValue& page) {
    const JsonValue* rows = page.find("rows");
    if (rows == nullptr || rows->array() == nullptr) {
        return internal_error(ErrorCode::Corrupt, "the server's answer makes no sense");
    }
    return *rows->array();
}

}  // namespace

Result<std::vector<ExportFolder>> ExportSource::folders() {
    std::vector<ExportFolder> found;
    std::string after;
    do {
        JsonWriter json;
        json.begin_object().field("account", account_).field("after", after).end_object();
        const JsonValue page = TRY(client_.call("export.folders", json.view()));
        for (const JsonValue& row : TRY(rows_of(page))) {
            ExportFolder folder{.name = row.string_or("name", ""),
                                .mailbox = number_of(row, "mailbox"),
                                .uid_validity = number_of(row, "uid_validity"),
                                .uid_next = number_of(row, "uid_next"),
                                .is_subscribed = row.bool_or("subscribed", false),
                                .is_selectable = row.bool_or("selectable", true)};
            if (only_.empty() || std::ranges::find(only_, folder.name) != only_.end()) {
                report_->expect(number_of(row, "messages"));
                found.push_back(std::move(folder));
            }
        }
        after = page.string_or("next", "");
    } while (!after.empty());
    return found;
}

Result<> ExportSource::give(const ExportFolder& folder, ExportMessage& message, const Take& take) {
    JsonWriter json;
    json.begin_object().field("account", account_).field("mailbox", folder.mailbox);
    json.field("uid", message.uid).end_object();
    const auto read = client_.call_taking("export.body", json.view(),
                                          [&message](std::string_view octets) -> Result<> {
                                              message.lines.feed(octets);
                                              return message.octets.append(octets);
                                          });
    if (!read && read.error().code == ErrorCode::Closed) {
        return std::unexpected(read.error());
    }
    if (!read) {
        report_->add_failed({.folder = folder.name,
                             .message = "UID " + std::to_string(message.uid),
                             .reason = read.error().text});
        return {};
    }
    const std::uint64_t size = message.octets.size();
    TRY(take(message));
    report_->add_moved(1, size);
    return {};
}

Result<> ExportSource::each_message(const ExportFolder& folder, const Take& take) {
    std::uint32_t after = 0;
    for (;;) {
        JsonWriter json;
        json.begin_object().field("account", account_).field("mailbox", folder.mailbox);
        if (after != 0) {
            json.field("after", after);
        }
        json.end_object();
        const auto rows = TRY(rows_of(TRY(client_.call("export.messages", json.view()))));
        if (rows.empty()) {
            return {};
        }
        for (const JsonValue& row : rows) {
            ExportMessage message;
            message.uid = after = number_of(row, "uid");
            message.date = row.int_or("date", 0);
            message.flags = texts_of(row.find("flags"));
            TRY(give(folder, message, take));
        }
    }
}

Result<> write_lines(ExportMessage& message, const std::function<Result<>(std::string_view)>& out) {
    mail::FileLineEnds ends;
    for (;;) {
        const std::string piece = TRY(message.octets.next());
        std::string text;
        if (message.lines.is_plain()) {
            piece.empty() ? ends.finish(text) : ends.feed(piece, text);
        } else {
            text = piece;
        }
        if (!text.empty()) {
            TRY(out(text));
        }
        if (piece.empty()) {
            return {};
        }
    }
}

namespace {

Result<std::string> empty_folder(const std::string& path) {
    if (const auto found = something_in(path, {})) {
        return peer_error(ErrorCode::Denied, path + " is not empty (" + *found +
                                                 "); an export is written into an empty folder");
    }
    if (!file_exists(path)) {
        TRY(make_folder(path, 0700));
    }
    return path;
}

Result<> sync_folder(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool is_done = fd >= 0 && ::syncfs(fd) == 0;
    if (fd >= 0) {
        ::close(fd);
    }
    if (!is_done) {
        return temporary_error(ErrorCode::Io, "cannot sync " + path);
    }
    return {};
}

}  // namespace

int run_export(const Invocation& call, const ExportWork& work) {
    // Folders below the one that was given, which may be open to all: mail is nobody else's.
    ::umask(0077);
    const auto settings = find_server(call);
    if (!settings) {
        return call.fail(settings.error());
    }
    const auto folder = empty_folder(call.arguments()[1]);
    if (!folder) {
        return call.fail(folder.error());
    }
    auto client = AdminClient::open(*settings);
    if (!client) {
        return call.fail(client.error());
    }
    MoveReport report(call.console(), "exported");
    ExportSource source(*std::move(client), call.arguments().front(), call.values("--only"),
                        &report);
    Result<> done = work(source, *folder);
    if (done) {
        done = sync_folder(*folder);
    }
    const int code = report.finish(call);
    return done ? code : call.fail(done.error());
}

}  // namespace godwit::app
