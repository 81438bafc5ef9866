#include "flow/report/tls_report_row.h"

#include <array>
#include <chrono>
#include <utility>

#include "base/ascii.h"
#include "base/bytes.h"
#include "store/kv/key.h"
#include "store/kv/record.h"
#include "store/mailbox/keys.h"

namespace godwit::flow {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr auto kFamily = static_cast<char>(store::Family::Open);
constexpr std::size_t kDaySize = 10;  // "2026-01-31"
// The year 9999: a damaged row must not lead to a time that cannot be reckoned with.
constexpr std::int64_t kTimeMax = 253'402'300'799;

constexpr std::array<std::string_view, 5> kStates = {"counting", "unwanted", "sending", "sent",
                                                     "given_up"};
constexpr std::array<std::string_view, 3> kParcelStates = {"waiting", "sent", "given_up"};

void write_time(ByteWriter& out, WallTime time) {
    out.svarint(unix_seconds(time));
}

bool read_time(ByteReader& in, WallTime& time) {
    const std::int64_t seconds = in.svarint();
    const bool is_time = seconds >= 0 && seconds <= kTimeMax;
    time = from_unix_seconds(is_time ? seconds : 0);
    return is_time;
}

void write_list(ByteWriter& out, const std::vector<std::string>& list) {
    out.varint(list.size());
    for (const std::string& each : list) {
        out.bytes(each);
    }
}

std::vector<std::string> read_list(ByteReader& in) {
    std::vector<std::string> list;
    const std::uint64_t count = in.varint_at_most(mail::tls_report_lines_max);
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        list.emplace_back(in.bytes());
    }
    return list;
}

void write_detail(ByteWriter& out, const mail::TlsFailureDetail& detail) {
    out.u8(static_cast<std::uint8_t>(detail.failure)).varint(detail.sessions);
    out.bytes(detail.sending_ip).bytes(detail.receiving_host).bytes(detail.receiving_helo);
    out.bytes(detail.receiving_ip).bytes(detail.reason);
}

bool read_detail(ByteReader& in, mail::TlsFailureDetail& detail) {
    const std::uint8_t failure = in.u8();
    detail.sessions = in.varint();
    detail.sending_ip = in.bytes();
    detail.receiving_host = in.bytes();
    detail.receiving_helo = in.bytes();
    detail.receiving_ip = in.bytes();
    detail.reason = in.bytes();
    const bool is_known = failure <= std::to_underlying(mail::TlsFailure::StsWebpkiInvalid);
    detail.failure = is_known ? static_cast<mail::TlsFailure>(failure) : detail.failure;
    return is_known;
}

void write_policy(ByteWriter& out, const mail::TlsPolicyCounts& counts) {
    out.u8(static_cast<std::uint8_t>(counts.policy.type));
    write_list(out, counts.policy.lines);
    write_list(out, counts.policy.hosts);
    out.varint(counts.succeeded).varint(counts.failed).varint(counts.details.size());
    for (const mail::TlsFailureDetail& detail : counts.details) {
        write_detail(out, detail);
    }
}

bool read_policy(ByteReader& in, mail::TlsPolicyCounts& counts) {
    const std::uint8_t type = in.u8();
    counts.policy.lines = read_list(in);
    counts.policy.hosts = read_list(in);
    counts.succeeded = in.varint();
    counts.failed = in.varint();
    const std::uint64_t details = in.varint_at_most(mail::tls_report_details_max);
    for (std::uint64_t i = 0; i < details && in.ok(); ++i) {
        if (!read_detail(in, counts.details.emplace_back())) {
            return false;
        }
    }
    if (type > std::to_underlying(mail::TlsPolicyType::Sts)) {
        return false;
    }
    counts.policy.type = static_cast<mail::TlsPolicyType>(type);
    return true;
}

bool read_parcel(ByteReader& in, TlsReportParcel& parcel) {
    const std::uint8_t state = in.u8();
    parcel.uri = in.bytes();
    parcel.said = in.bytes();
    if (!read_time(in, parcel.at) || state >= kParcelStates.size()) {
        return false;
    }
    parcel.state = static_cast<TlsReportParcel::State>(state);
    return true;
}

// All but what the reader itself notices.
bool read_row(ByteReader& in, TlsReportRow& row) {
    const std::uint8_t state = in.u8();
    row.attempts = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
    if (!read_time(in, row.first_at) || !read_time(in, row.next_at) || state >= kStates.size()) {
        return false;
    }
    row.state = static_cast<TlsReportState>(state);
    row.said = in.bytes();
    row.counts.uncounted = in.varint();
    const std::uint64_t policies = in.varint_at_most(mail::tls_report_policies_max);
    for (std::uint64_t i = 0; i < policies && in.ok(); ++i) {
        if (!read_policy(in, row.counts.policies.emplace_back())) {
            return false;
        }
    }
    const std::uint64_t parcels = in.varint_at_most(mail::tls_report_places_max);
    for (std::uint64_t i = 0; i < parcels && in.ok(); ++i) {
        if (!read_parcel(in, row.parcels.emplace_back())) {
            return false;
        }
    }
    return true;
}

std::optional<unsigned> number(std::string_view digits) {
    unsigned value = 0;
    for (const char c : digits) {
        if (!is_digit(c)) {
            return std::nullopt;
        }
        value = value * 10 + static_cast<unsigned>(c - '0');
    }
    return value;
}

std::string padded(unsigned value, std::size_t width) {
    std::string text = std::to_string(value);
    return std::string(width - std::min(width, text.size()), '0') + text;
}

}  // namespace

std::int32_t day_of(WallTime time) {
    return static_cast<std::int32_t>(
        std::chrono::floor<std::chrono::days>(time.time_since_epoch()).count());
}

WallTime begin_of(std::int32_t day) {
    return WallTime(std::chrono::days(day));
}

std::string show_day(std::int32_t day) {
    const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
    const int year = static_cast<int>(date.year());
    return padded(static_cast<unsigned>(year < 0 ? 0 : year), 4) + "-" +
           padded(static_cast<unsigned>(date.month()), 2) + "-" +
           padded(static_cast<unsigned>(date.day()), 2);
}

std::optional<std::int32_t> parse_day(std::string_view text) {
    if (text.size() != kDaySize || text[4] != '-' || text[7] != '-') {
        return std::nullopt;
    }
    const auto year = number(text.substr(0, 4));
    const auto month = number(text.substr(5, 2));
    const auto day = number(text.substr(8, 2));
    if (!year || !month || !day) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)),
                                           std::chrono::month(*month), std::chrono::day(*day));
    if (!date.ok()) {
        return std::nullopt;
    }
    return static_cast<std::int32_t>(std::chrono::sys_days(date).time_since_epoch().count());
}

std::string_view to_string(TlsReportState state) {
    return kStates.at(std::to_underlying(state));
}

std::string_view to_string(TlsReportParcel::State state) {
    return kParcelStates.at(std::to_underlying(state));
}

std::string tls_report_prefix() {
    return store::make_key(kFamily, std::string_view("tls-report"), std::string_view("\0", 1));
}

std::string tls_report_prefix(std::int32_t day) {
    return tls_report_prefix() + show_day(day) + " ";
}

std::string tls_report_key(const TlsReportDay& day) {
    return tls_report_prefix(day.day) + to_lower(day.domain);
}

std::optional<TlsReportDay> parse_tls_report_key(std::string_view key) {
    const std::string prefix = tls_report_prefix();
    if (!key.starts_with(prefix)) {
        return std::nullopt;
    }
    key.remove_prefix(prefix.size());
    const auto day = parse_day(key.substr(0, std::min(kDaySize, key.size())));
    if (!day || key.size() <= kDaySize + 1 || key[kDaySize] != ' ') {
        return std::nullopt;
    }
    return TlsReportDay{*day, std::string(key.substr(kDaySize + 1))};
}

std::string encode(const TlsReportRow& row) {
    ByteWriter out = store::begin_record(kVersion);
    out.u8(static_cast<std::uint8_t>(row.state)).varint(row.attempts);
    write_time(out, row.first_at);
    write_time(out, row.next_at);
    out.bytes(row.said).varint(row.counts.uncounted).varint(row.counts.policies.size());
    for (const mail::TlsPolicyCounts& counts : row.counts.policies) {
        write_policy(out, counts);
    }
    out.varint(row.parcels.size());
    for (const TlsReportParcel& parcel : row.parcels) {
        out.u8(static_cast<std::uint8_t>(parcel.state)).bytes(parcel.uri).bytes(parcel.said);
        write_time(out, parcel.at);
    }
    return store::seal(std::move(out));
}

Result<TlsReportRow> decode_tls_report_row(std::string_view value) {
    ByteReader in = TRY(store::read_record(value, kVersion, "TLS report"));
    TlsReportRow row;
    const bool is_sound = read_row(in, row);
    if (!is_sound) {
        return internal_error(ErrorCode::Corrupt, "TLS report: a value is out of bounds");
    }
    TRY(in.finish("TLS report"));
    return row;
}

Result<std::optional<TlsReportRow>> read_tls_report_row(const store::Snapshot& snapshot,
                                                        store::ReadTier tier,
                                                        const std::string& key) {
    const auto value = TRY(snapshot.get(key, tier));
    return value ? store::if_sound(key, decode_tls_report_row(*value))
                 : Result<std::optional<TlsReportRow>>(std::nullopt);
}

store::Plan tls_report_plan(std::vector<store::Batch::Entry> entries) {
    store::ChangeRows change;
    change.entries = std::move(entries);
    store::Plan plan;
    plan.may_wait = true;
    plan.steps.emplace_back(std::move(change));
    return plan;
}

}  // namespace godwit::flow
