// One domain's report: its places looked up, and a copy to each.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/read.h"
#include "flow/report/tls_report_mail.h"
#include "flow/report/tls_report_places.h"
#include "flow/report/tls_reporter.h"
#include "mail/report/gzip.h"
#include "net/dial/https_client.h"
#include "net/resolver/resolver.h"
#include "store/store.h"

namespace godwit::flow {

namespace {

// All places have it, or will never.
void settle(TlsReportRow& row) {
    const auto is = [](TlsReportParcel::State state) {
        return [state](const TlsReportParcel& parcel) { return parcel.state == state; };
    };
    if (std::ranges::any_of(row.parcels, is(TlsReportParcel::State::Waiting))) {
        return;
    }
    const bool is_lost = std::ranges::any_of(row.parcels, is(TlsReportParcel::State::GivenUp));
    row.state = is_lost ? TlsReportState::GivenUp : TlsReportState::Sent;
}

void give_up(TlsReportRow& row) {
    probe<"tls_report.given_up">();
    row.state = TlsReportState::GivenUp;
    for (TlsReportParcel& parcel : row.parcels) {
        if (parcel.state == TlsReportParcel::State::Waiting) {
            parcel.state = TlsReportParcel::State::GivenUp;
        }
    }
}

}  // namespace

net::Task<Result<>> TlsReporter::write(TlsReportDay day, TlsReportRow row) {
    std::vector<store::Batch::Entry> entries;
    entries.push_back({.key = tls_report_key(day), .value = encode(row)});
    co_return co_await commit_all(services_->store, tls_report_plan(std::move(entries)));
}

net::Task<void> TlsReporter::send(TlsReportDay day) {
    const std::string key = tls_report_key(day);
    const Result<std::optional<TlsReportRow>> found =
        co_await read(services_, [key](const store::Snapshot& snapshot, store::ReadTier tier) {
            return read_tls_report_row(snapshot, tier, key);
        });
    const WallTime now = services_->clock->wall();
    if (!found || !*found || !(*found)->is_open()) {
        if (found) {
            agenda_.erase(day);
        }
        co_return;
    }
    TlsReportRow row = **found;
    row.first_at = row.attempts == 0 ? now : row.first_at;
    row.attempts += 1;
    // The last attempt is when the time is over.
    row.next_at = std::min<WallTime>(now + tls_report_backoff(row.attempts),
                                     row.first_at + tls_report_patience);
    if (row.state == TlsReportState::Counting) {
        const Result<> looked_up = co_await look_up(&day, &row);
        row.said = looked_up ? "" : looked_up.error().text;
    }
    const MonoTime until = net::Shard::here().now() + tls_report_domain_time;
    for (std::size_t i = 0; i < row.parcels.size() && net::Shard::here().now() < until; ++i) {
        const auto place = mail::parse_tls_report_place(row.parcels[i].uri);
        if (row.parcels[i].state != TlsReportParcel::State::Waiting || !place) {
            continue;
        }
        if (place->kind == mail::TlsReportPlace::Kind::Web) {
            co_await post_parcel(&day, &row, i, until);
        } else if (const Result<> mailed = co_await mail_parcel(&day, &row, i); !mailed) {
            row.parcels[i].said = mailed.error().text;
            row.parcels[i].at = now;
        }
    }
    if (row.state == TlsReportState::Sending) {
        settle(row);
    }
    if (row.is_open() && now - row.first_at >= tls_report_patience) {
        give_up(row);
    }
    const bool is_open = row.is_open();
    log::info("tls_report.attempt", {{"domain", day.domain},
                                     {"day", show_day(day.day)},
                                     {"state", to_string(row.state)},
                                     {"attempt", row.attempts}});
    agenda_[day] = {.at = row.next_at, .has_begun = true};
    if (const Result<> written = co_await write(day, std::move(row)); written && !is_open) {
        agenda_.erase(day);
    }
}

net::Task<Result<>> TlsReporter::look_up(const TlsReportDay* day, TlsReportRow* row) {
    if (services_->resolver == nullptr) {
        co_return temporary_error(ErrorCode::Unavailable, "DNS look-ups are turned off");
    }
    const net::TextAnswer record =
        CO_TRY(co_await services_->resolver->txt("_smtp._tls." + day->domain));
    for (std::string& uri : mail::parse_tls_report_record(record.texts)) {
        row->parcels.push_back({.state = TlsReportParcel::State::Waiting,
                                .uri = std::move(uri),
                                .said = "",
                                .at = WallTime()});
    }
    row->state = row->parcels.empty() ? TlsReportState::Unwanted : TlsReportState::Sending;
    co_return Result<>();
}

// The message and what the row says of it in one commit: it is queued once.
net::Task<Result<>> TlsReporter::mail_parcel(const TlsReportDay* day, TlsReportRow* row,
                                             std::size_t index) {
    const SettingsPtr settings = services_->settings();
    const auto place = mail::parse_tls_report_place(row->parcels[index].uri);
    if (!may_mail_tls_report(*settings, day->domain, place->address)) {
        row->parcels[index].state = TlsReportParcel::State::GivenUp;
        co_return peer_error(ErrorCode::Denied, "a private route leads to " +
                                                    place->address.to_string() +
                                                    ", which is not the domain's own");
    }
    TlsReportLetter letter;
    letter.report = make_tls_report(*settings, *day, row->counts);
    letter.to = place->address;
    letter.unique = tls_report_unique(*day, settings->hostname);
    store::Plan plan;
    const MailId mail = CO_TRY(co_await add_tls_report_mail(services_, &plan, std::move(letter)));
    TlsReportRow sent = *row;
    sent.parcels[index].state = TlsReportParcel::State::Sent;
    sent.parcels[index].said = "queued as " + to_string(mail);
    sent.parcels[index].at = services_->clock->wall();
    settle(sent);
    store::ChangeRows change;
    change.entries.push_back({.key = tls_report_key(*day), .value = encode(sent)});
    plan.steps.emplace_back(std::move(change));
    CO_TRY(co_await commit_all(services_->store, std::move(plan)));
    log::info("tls_report.queued",
              {{"domain", day->domain}, {"day", show_day(day->day)}, {"id", mail}});
    *row = std::move(sent);
    co_return Result<>();
}

// RFC 8460, "Reporting Policy": certificate errors may be ignored when a report is submitted: what
// it tells may be just that.
net::Task<void> TlsReporter::post_parcel(const TlsReportDay* day, TlsReportRow* row,
                                         std::size_t index, MonoTime until) {
    const SettingsPtr settings = services_->settings();
    const auto place = mail::parse_tls_report_place(row->parcels[index].uri);
    net::HttpsRequest request;
    request.host = place->host;
    request.port = place->port;
    request.at = tls_report_web_host(*settings, day->domain, place->host);
    request.path = place->path;
    request.post_body = mail::gzip(mail::to_json(make_tls_report(*settings, *day, row->counts)));
    request.content_type = "application/tlsrpt+gzip";
    request.body_size_max = tls_report_answer_size_max;
    request.patience =
        std::min(tls_report_post_timeout,
                 std::chrono::ceil<std::chrono::seconds>(until - net::Shard::here().now()));
    request.verify = net::TlsVerify::Opportunistic;
    const Result<net::HttpsResponse> answer = co_await net::ask_https(
        services_->network, services_->resolver, services_->tls_client, std::move(request));
    TlsReportParcel& parcel = row->parcels[index];
    parcel.at = services_->clock->wall();
    parcel.said = answer ? std::to_string(answer->status)
                         : answer.error().text.substr(0, mail::tls_report_text_size_max);
    const bool is_taken = answer && answer->status >= 200 && answer->status < 300;
    if (!is_taken) {
        probe<"tls_report.not_posted">();
        log::warn("tls_report.not_posted", {{"domain", day->domain},
                                            {"day", show_day(day->day)},
                                            {"host", place->host},
                                            {"error", parcel.said}});
        co_return;
    }
    parcel.state = TlsReportParcel::State::Sent;
    log::info("tls_report.posted", {{"domain", day->domain},
                                    {"day", show_day(day->day)},
                                    {"host", place->host},
                                    {"status", answer->status}});
    // At once: what comes between costs a second copy, which its id tells from the first.
    TlsReportRow sent = *row;
    settle(sent);
    (void)co_await write(*day, std::move(sent));
}

}  // namespace godwit::flow
