// godwit export mbox: a file a folder, in the form mboxrd.
#include "app/commands.h"
#include "app/export_file.h"
#include "app/export_source.h"
#include "app/mbox_names.h"
#include "mail/file/mbox.h"

namespace godwit::app {
namespace {

Result<> write_message(ExportSource& source, const ExportFolder& folder, ExportMessage& message,
                       ExportFile& file) {
    const std::string_view line_end = message.lines.is_plain() ? "\n" : "\r\n";
    const std::string front = mail::mbox_front(message.date, message.flags, line_end);
    // A message that begins as if it went on from a header field would go on from X-Keywords.
    bool is_folded = false;
    bool has_front = false;
    const auto write_front = [&](std::string_view octets) {
        has_front = true;
        is_folded = octets.starts_with(' ') || octets.starts_with('\t');
        return file.write(is_folded ? front.substr(0, front.find('\n') + 1) : front);
    };
    mail::MboxQuoter quoter;
    TRY(write_lines(message, [&](std::string_view octets) -> Result<> {
        if (!has_front) {
            TRY(write_front(octets));
        }
        std::string text;
        quoter.feed(octets, text);
        return file.write(text);
    }));
    if (!has_front) {
        TRY(write_front(""));
    }
    if (is_folded) {
        source.report().add_changed({.folder = folder.name,
                                     .message = "UID " + std::to_string(message.uid),
                                     .reason = "its first line is a field's second: its flags are "
                                               "left out"});
    }
    std::string end;
    quoter.finish(end);
    const bool is_whole = message.lines.ends_in_line_end();
    TRY(file.write(end.append(is_whole ? "" : line_end).append("\n")));
    if (!is_whole || !(message.lines.is_plain() || message.lines.survives_as_is())) {
        source.report().add_changed({.folder = folder.name,
                                     .message = "UID " + std::to_string(message.uid),
                                     .reason = is_whole ? std::string(kLineEndsChange)
                                                        : "its last line has no end: it got one"});
    }
    return {};
}

// Each level by itself; the last keeps its ".mbox", by which it is told to be one.
std::string shortened(std::string_view path) {
    constexpr std::string_view kEnd = ".mbox";
    std::string out;
    for (std::size_t end = path.find('/'); end != std::string_view::npos; end = path.find('/')) {
        out.append(file_name_of(std::string(path.substr(0, end)))).append("/");
        path.remove_prefix(end + 1);
    }
    const std::string whole = file_name_of(std::string(path));
    return out.append(whole).append(whole.ends_with(kEnd) ? "" : kEnd);
}

Result<> export_mbox(ExportSource& source, const std::string& root) {
    for (const ExportFolder& folder : TRY(source.folders())) {
        if (!folder.is_selectable) {
            continue;
        }
        source.report().add_folder();
        const std::string whole = mbox_path(folder.name);
        const std::string path = shortened(whole);
        if (path != whole) {
            source.report().add_changed(
                {.folder = folder.name, .message = "", .reason = long_name_reason(path)});
        }
        auto file = TRY(ExportFile::create(root + "/" + path));
        TRY(source.each_message(folder, [&](ExportMessage& message) {
            return write_message(source, folder, message, file);
        }));
        TRY(file.close());
    }
    return {};
}

}  // namespace

int run_export_mbox(const Invocation& call) {
    return run_export(call, export_mbox);
}

}  // namespace godwit::app
