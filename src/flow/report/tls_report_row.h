// One domain's day of TLS reports as it is stored: what was counted, and what became of the report.
// RFC 8460; docs/storage.md (rows G "tls-report").
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "mail/report/tls_report.h"
#include "mail/report/tls_report_record.h"
#include "store/commit/plan.h"
#include "store/kv/kv.h"

namespace godwit::flow {

/// A day in UTC of a domain, in A-labels and lower case.
struct TlsReportDay {
    std::int32_t day = 0;  ///< Days since 1970.
    std::string domain;
    auto operator<=>(const TlsReportDay&) const = default;
};
std::int32_t day_of(WallTime time);
WallTime begin_of(std::int32_t day);
/// "2026-01-31"
std::string show_day(std::int32_t day);
/// nullopt for anything else.
std::optional<std::int32_t> parse_day(std::string_view text);

enum class TlsReportState : std::uint8_t {
    Counting,  ///< Nobody has looked whether the domain wants a report.
    Unwanted,  ///< It does not.
    Sending,
    Sent,     ///< To all its places.
    GivenUp,  ///< At least one of its places did not get it in time.
};
std::string_view to_string(TlsReportState state);

/// A report on its way to one place.
struct TlsReportParcel {
    enum class State : std::uint8_t { Waiting, Sent, GivenUp } state = State::Waiting;
    std::string uri;
    std::string said;  ///< What came of the last try: "queued as ID", "200", an error.
    WallTime at{};     ///< When that was.
    bool operator==(const TlsReportParcel&) const = default;
};
std::string_view to_string(TlsReportParcel::State state);

struct TlsReportRow {
    mail::TlsCounts counts;
    TlsReportState state = TlsReportState::Counting;
    std::uint32_t attempts = 0;
    WallTime first_at{};  ///< Of the attempts; meaningless before there was one, as next_at.
    WallTime next_at{};
    std::string said;  ///< Of the last look-up, where it failed.
    std::vector<TlsReportParcel> parcels;
    [[nodiscard]] bool is_open() const {
        return state == TlsReportState::Counting || state == TlsReportState::Sending;
    }
    bool operator==(const TlsReportRow&) const = default;
};

/// Of all rows; of a day's.
std::string tls_report_prefix();
std::string tls_report_prefix(std::int32_t day);
std::string tls_report_key(const TlsReportDay& day);
std::optional<TlsReportDay> parse_tls_report_key(std::string_view key);
std::string encode(const TlsReportRow& row);
Result<TlsReportRow> decode_tls_report_row(std::string_view value);

/// nullopt: there is none. A damaged row is logged, and is none.
Result<std::optional<TlsReportRow>> read_tls_report_row(const store::Snapshot& snapshot,
                                                        store::ReadTier tier,
                                                        const std::string& key);
/// A change of rows that may wait for others to be committed with it.
store::Plan tls_report_plan(std::vector<store::Batch::Entry> entries);

}  // namespace godwit::flow
