// An account's mail as the server gives it out (serve/admin/export.cc), for the exporting commands.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "app/admin_client.h"
#include "app/move_report.h"
#include "app/spool.h"
#include "mail/file/line_ends.h"

namespace godwit::app {

struct ExportFolder {
    std::string name;  ///< UTF-8, '/' between levels.
    std::uint32_t mailbox = 0;
    std::uint32_t uid_validity = 0;
    std::uint32_t uid_next = 0;
    bool is_subscribed = false;
    bool is_selectable = true;
};

struct ExportMessage {
    std::uint32_t uid = 0;
    std::int64_t date = 0;
    std::vector<std::string> flags;
    Spool octets;
    mail::LineEndSurvey lines;
};

class ExportSource {
public:
    ExportSource(AdminClient client, std::string account, std::vector<std::string> only,
                 MoveReport* report)
        : client_(std::move(client)),
          account_(std::move(account)),
          only_(std::move(only)),
          report_(report) {}

    /// Those that were asked for.
    Result<std::vector<ExportFolder>> folders();
    /// Each message by UID. One that cannot be read is in the report and passed over; what `take`
    /// fails with ends it.
    using Take = std::function<Result<>(ExportMessage&)>;
    Result<> each_message(const ExportFolder& folder, const Take& take);
    [[nodiscard]] MoveReport& report() { return *report_; }

private:
    Result<> give(const ExportFolder& folder, ExportMessage& message, const Take& take);

    AdminClient client_;
    std::string account_;
    std::vector<std::string> only_;
    MoveReport* report_;
};

/// Writes the message with the line ends of files where MailLineEnds gives it back exactly so, else
/// as it is. What is said when not even that holds.
inline constexpr std::string_view kLineEndsChange =
    "its line ends are mixed: an import would make them all CRLF";
Result<> write_lines(ExportMessage& message, const std::function<Result<>(std::string_view)>& out);

/// Opens the server and an empty folder for the files, runs `work`, prints the report. The exit
/// code.
using ExportWork = std::function<Result<>(ExportSource& source, const std::string& folder)>;
int run_export(const Invocation& call, const ExportWork& work);

}  // namespace godwit::app
