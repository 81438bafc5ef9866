// Administrators' look at TLS reports (RFC 8460): what was counted of a day, and what was sent.
// From the rows, and from what the running server has not put into them yet.
#include <optional>
#include <set>
#include <string>

#include "base/ascii.h"
#include "flow/report/tls_reporter.h"
#include "mail/address/domain.h"
#include "serve/admin/calls.h"
#include "store/kv/record.h"
#include "store/store.h"

namespace godwit::serve {
namespace {

using flow::TlsReportDay;
using flow::TlsReportRow;

Result<std::int32_t> day_of(const AdminHost& host, const AdminArguments& arguments) {
    const std::string text = arguments.text_or("day", "");
    const auto day = flow::parse_day(text);
    if (!text.empty() && !day) {
        return peer_error(ErrorCode::Invalid, "expected a day as 2026-01-31, not '" + text + "'");
    }
    return day ? *day : flow::day_of(host.clock->wall());
}

flow::TlsTally* tally_of(const AdminHost& host) {
    return host.services != nullptr ? host.services->tls_tally : nullptr;
}

/// nullopt: nothing is known of that day.
Result<std::optional<TlsReportRow>> read_day(const AdminHost& host, const store::Snapshot& snapshot,
                                             const TlsReportDay& day) {
    const std::string key = flow::tls_report_key(day);
    const auto value = TRY(snapshot.get(key, store::ReadTier::Disk));
    std::optional<TlsReportRow> row;
    if (value) {
        row = TRY(store::if_sound(key, flow::decode_tls_report_row(*value)));
    }
    const mail::TlsCounts pending =
        tally_of(host) != nullptr ? tally_of(host)->pending(day) : mail::TlsCounts();
    if (!row && pending == mail::TlsCounts()) {
        return row;
    }
    row = row ? std::move(row) : std::optional(TlsReportRow());
    mail::add_counts(row->counts, pending);
    return row;
}

void write_state(JsonWriter& json, const TlsReportDay& day, const TlsReportRow& row) {
    json.field("domain", day.domain).field("day", flow::show_day(day.day));
    json.field("state", flow::to_string(row.state));
    json.field("succeeded", row.counts.succeeded()).field("failed", row.counts.failed());
    json.field("uncounted", row.counts.uncounted).field("attempts", row.attempts);
    json.key("next_attempt");
    row.is_open() && row.attempts > 0 ? json.string(show_time(row.next_at)) : json.null();
    json.field("error", row.said).key("places").begin_array();
    for (const flow::TlsReportParcel& parcel : row.parcels) {
        json.begin_object().field("uri", parcel.uri).field("state", flow::to_string(parcel.state));
        json.field("reply", parcel.said).key("at");
        parcel.at == WallTime() ? json.null() : json.string(show_time(parcel.at));
        json.end_object();
    }
    json.end_array();
}

/// The domains of a day after one, as many as a page may need.
Result<std::set<std::string>> domains_after(const AdminHost& host, const store::Snapshot& snapshot,
                                            std::int32_t day, const std::string& after) {
    std::set<std::string> domains;
    const std::string prefix = flow::tls_report_prefix(day);
    const auto cursor = snapshot.cursor(store::ReadTier::Disk);
    for (cursor->seek(prefix + after); cursor->is_valid() && cursor->key().starts_with(prefix) &&
                                       domains.size() < limits::admin_page_rows_max + 2;
         cursor->next()) {
        domains.emplace(cursor->key().substr(prefix.size()));
    }
    TRY(cursor->status());
    if (tally_of(host) != nullptr) {
        for (std::string& domain : tally_of(host)->pending_domains(day)) {
            domains.insert(std::move(domain));
        }
    }
    return domains;
}

}  // namespace

Result<std::string> list_tls_reports(const AdminHost& host, const AdminArguments& arguments) {
    const std::int32_t day = TRY(day_of(host, arguments));
    const auto snapshot = host.store->snapshot();
    Page page(arguments);
    for (const std::string& domain : TRY(domains_after(host, *snapshot, day, page.after()))) {
        const auto row = TRY(read_day(host, *snapshot, {day, domain}));
        if (row && page.admits(domain)) {
            page.json().begin_object();
            write_state(page.json(), {day, domain}, *row);
            page.json().end_object();
        }
        if (page.is_full()) {
            break;
        }
    }
    return page.finish();
}

Result<std::string> show_tls_report(const AdminHost& host, const AdminArguments& arguments) {
    const std::string domain = TRY(mail::normalize_domain(TRY(arguments.text("domain"))));
    const TlsReportDay day{TRY(day_of(host, arguments)), domain};
    const auto row = TRY(read_day(host, *host.store->snapshot(), day));
    if (!row) {
        return peer_error(ErrorCode::NotFound, "no session with hosts of " + domain +
                                                   " was counted on " + flow::show_day(day.day));
    }
    flow::Settings settings;
    settings.hostname = settings.default_domain = host.default_domain;
    if (host.services != nullptr) {
        settings = *host.services->settings();
    }
    JsonWriter json;
    json.begin_object();
    write_state(json, day, *row);
    json.key("report").raw(mail::to_json(flow::make_tls_report(settings, day, row->counts)));
    json.end_object();
    return std::move(json).take();
}

}  // namespace godwit::serve
