// Keeps the counts of TLS sessions in rows, and sends each domain that asks for it the report of
// the day before: once, to all places it names. RFC 8460; docs/operating/tls-reports.md.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "flow/report/tls_tally.h"
#include "flow/services.h"
#include "net/io/sync.h"
#include "net/io/task.h"

namespace godwit::flow {

/// How often counts go into rows, and so how much of them a crash costs at most. An orderly end
/// costs nothing.
inline constexpr std::chrono::minutes tls_report_round{5};
/// Reports of a day go out over so long after midnight, each domain at its own time: RFC 8460 asks
/// for a delay, so that not all of a receiver's reports come in one moment.
inline constexpr std::chrono::hours tls_report_spread{4};
/// RFC 8460, "Delivery Retry": for a day after the first attempt.
inline constexpr std::chrono::hours tls_report_patience{24};
/// Between attempts: doubled from the first to the second of these.
inline constexpr std::chrono::minutes tls_report_pause{15};
inline constexpr std::chrono::minutes tls_report_pause_max{240};
/// Domains whose reports are under way at once, and how long each may take, so that those that do
/// not answer keep no others waiting. Whose time is over is tried again with those that failed.
inline constexpr std::size_t tls_report_parallel = 8;
inline constexpr std::chrono::seconds tls_report_domain_time{60};
/// At the end: what is written by then is whole, and who still waits for a server is left.
inline constexpr std::chrono::seconds tls_report_farewell{2};
/// For one POST with its look-up, connection and answer, of which this much is read.
inline constexpr std::chrono::seconds tls_report_post_timeout{30};
inline constexpr std::size_t tls_report_answer_size_max = 16 * 1024;
/// Rows are looked at by operators for so long, today among them.
inline constexpr int tls_report_days_kept = 8;
/// Rows read and written in one step.
inline constexpr std::size_t tls_report_page_rows = 32;

/// When the report about the day goes out. Pure; the same after a restart.
WallTime tls_report_turn(const TlsReportDay& day, std::string_view hostname);
/// Until the next attempt after so many. Pure.
std::chrono::seconds tls_report_backoff(std::uint32_t attempts);

/// A report as it is sent: also what operators are shown. Pure.
mail::TlsReport make_tls_report(const Settings& settings, const TlsReportDay& day,
                                mail::TlsCounts counts);

/// One shard; all rows are written by its task and those it begins.
class TlsReporter {
public:
    /// `services` outlives it; it outlives its shard's last step.
    explicit TlsReporter(const Services* services);
    /// Until it is told to end or cancelled. Once; on the shard that end() names.
    net::Task<void> run();
    /// Writes what was counted and ends, whoever is silent. Any thread.
    void end(net::Shard* shard);
    /// Own shard: run() has ended, or was never called.
    [[nodiscard]] bool is_done() const { return !is_running_; }

private:
    net::Task<void> round();
    net::Task<Result<>> flush();
    net::Task<Result<>> flush_some(TlsCountsByDay some);
    net::Task<void> read_agenda(std::int32_t today);
    net::Task<void> drop_old(std::int32_t today);
    net::Task<void> send_due();
    struct Turn {
        WallTime at{};
        bool has_begun = false;  ///< It failed before.
    };
    /// What those who send share.
    struct Due {
        std::deque<TlsReportDay> days;
        MonoTime flushed_at{};
        std::size_t at_work = 0;
        net::Event over{};  ///< Nobody is at work, or it is time to end.
    };
    net::Task<void> watch_for_end(Due* due);
    net::Task<void> send_some(Due* due);
    net::Task<void> send(TlsReportDay day);
    net::Task<Result<>> look_up(const TlsReportDay* day, TlsReportRow* row);
    net::Task<Result<>> mail_parcel(const TlsReportDay* day, TlsReportRow* row, std::size_t index);
    net::Task<void> post_parcel(const TlsReportDay* day, TlsReportRow* row, std::size_t index,
                                MonoTime until);
    net::Task<Result<>> write(TlsReportDay day, TlsReportRow row);

    const Services* services_;
    net::Semaphore flushing_{1};          ///< Rows are read, added to and written by one at a time.
    std::shared_ptr<net::Event> ending_;  ///< Two lifetimes: what end() posted, and this.
    bool is_running_ = false;
    std::int32_t dropped_day_ = -1;
    std::int32_t agenda_day_ = -1;
    std::map<TlsReportDay, Turn> agenda_;  ///< Bounded by the rows of days before today.
};

}  // namespace godwit::flow
