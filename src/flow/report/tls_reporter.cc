#include "flow/report/tls_reporter.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/read.h"
#include "flow/report/tls_report_mail.h"
#include "flow/web_host.h"
#include "mail/report/gzip.h"
#include "net/dial/https_client.h"
#include "net/resolver/resolver.h"
#include "store/kv/record.h"
#include "store/store.h"

namespace godwit::flow {

namespace {

std::string digest_of(const TlsReportDay& day, std::string_view hostname) {
    return sha256_bytes(show_day(day.day) + "\n" + day.domain + "\n" + std::string(hostname));
}

Result<std::optional<TlsReportRow>> read_row(const store::Snapshot& snapshot, store::ReadTier tier,
                                             const std::string& key) {
    const auto value = TRY(snapshot.get(key, tier));
    return value ? store::if_sound(key, decode_tls_report_row(*value))
                 : Result<std::optional<TlsReportRow>>(std::nullopt);
}

store::Plan plan_of(std::vector<store::Batch::Entry> entries) {
    store::ChangeRows change;
    change.entries = std::move(entries);
    store::Plan plan;
    plan.may_wait = true;
    plan.steps.emplace_back(std::move(change));
    return plan;
}

struct Kept {
    TlsReportDay day;
    bool is_open = false;
    bool has_begun = false;
    WallTime next_at{};
};
struct Page {
    std::vector<Kept> rows;
    std::string next;  ///< Empty: the end.
};

Result<Page> read_page(const store::Snapshot& snapshot, store::ReadTier tier,
                       const std::string& from) {
    Page page;
    const std::string start = tls_report_prefix();
    const auto cursor = snapshot.cursor(tier);
    std::size_t seen = 0;
    for (cursor->seek(from); cursor->is_valid() && cursor->key().starts_with(start);
         cursor->next()) {
        if (++seen > tls_report_page_rows) {
            page.next = std::string(cursor->key());
            break;
        }
        const auto day = parse_tls_report_key(cursor->key());
        const auto row =
            TRY(store::if_sound(cursor->key(), decode_tls_report_row(cursor->value())));
        if (day) {
            page.rows.push_back({.day = *day,
                                 .is_open = row && row->is_open(),
                                 .has_begun = row && row->attempts > 0,
                                 .next_at = row ? row->next_at : WallTime()});
        }
    }
    TRY(cursor->status());
    return page;
}

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

WallTime tls_report_turn(const TlsReportDay& day, std::string_view hostname) {
    const std::string digest = digest_of(day, hostname);
    std::uint32_t number = 0;
    for (const char c : std::string_view(digest).substr(0, sizeof number)) {
        number = number << 8U | static_cast<unsigned char>(c);
    }
    const std::chrono::seconds spread = tls_report_spread;
    return begin_of(day.day + 1) +
           std::chrono::seconds(number % static_cast<std::uint32_t>(spread.count()));
}

std::chrono::seconds tls_report_backoff(std::uint32_t attempts) {
    std::chrono::seconds pause = tls_report_pause;
    for (std::uint32_t i = 1; i < attempts && pause < tls_report_pause_max; ++i) {
        pause *= 2;
    }
    return std::min<std::chrono::seconds>(pause, tls_report_pause_max);
}

mail::TlsReport make_tls_report(const Settings& settings, const TlsReportDay& day,
                                mail::TlsCounts counts) {
    mail::TlsReport report;
    const std::string unique = tls_report_unique(day, settings.hostname);
    report.organization = tls_report_organization(settings);
    report.contact = tls_report_contact(settings);
    report.id = show_day(day.day) + "." + unique + "@" + settings.hostname;
    report.domain = day.domain;
    report.begins_at = unix_seconds(begin_of(day.day));
    report.counts = std::move(counts);
    return report;
}

std::string tls_report_unique(const TlsReportDay& day, std::string_view hostname) {
    return hex_encode(digest_of(day, hostname)).substr(0, 16);
}

TlsReporter::TlsReporter(const Services* services)
    : services_(services), ending_(std::make_shared<net::Event>()) {}

void TlsReporter::end(net::Shard* shard) {
    shard->post([ending = ending_] { ending->set(); });
}

net::Task<void> TlsReporter::run() {
    is_running_ = true;
    while (!ending_->is_set()) {
        co_await round();
        if (!ending_->is_set()) {
            static_cast<void>(co_await ending_->wait(net::Shard::here().now() + tls_report_round));
        }
    }
    (void)co_await flush();  // What cannot be written now is lost, as at a crash.
    is_running_ = false;
}

net::Task<void> TlsReporter::round() {
    const std::int32_t today = day_of(services_->clock->wall());
    if (std::exchange(dropped_day_, today) != today) {
        co_await drop_old(today);
    }
    if (!services_->settings()->tls_reports.enabled) {
        agenda_day_ = -1;
        co_return;
    }
    if (const Result<> done = co_await flush(); !done) {
        log::warn("tls_report.not_kept", {{"error", done.error().text}});
    }
    if (agenda_day_ != today) {
        co_await read_agenda(today);
    }
    co_await send_due();
}

net::Task<Result<>> TlsReporter::flush() {
    TlsCountsByDay all =
        services_->tls_tally != nullptr ? services_->tls_tally->take() : TlsCountsByDay();
    while (!all.empty()) {
        TlsCountsByDay some;
        while (!all.empty() && some.size() < tls_report_page_rows) {
            some.insert(all.extract(all.begin()));
        }
        const Result<> done = co_await flush_some(some);
        if (!done) {
            services_->tls_tally->put_back(some);
            services_->tls_tally->put_back(all);
            co_return done;
        }
    }
    co_return Result<>();
}

net::Task<Result<>> TlsReporter::flush_some(TlsCountsByDay some) {
    using Rows = std::vector<std::optional<TlsReportRow>>;
    std::vector<std::string> keys;
    for (const auto& [day, counts] : some) {
        keys.push_back(tls_report_key(day));
    }
    Rows rows = CO_TRY(co_await read(
        services_, [keys](const store::Snapshot& snapshot, store::ReadTier tier) -> Result<Rows> {
            Rows found;
            for (const std::string& key : keys) {
                found.push_back(TRY(read_row(snapshot, tier, key)));
            }
            return found;
        }));
    std::vector<store::Batch::Entry> entries;
    std::size_t at = 0;
    for (const auto& [day, counts] : some) {
        TlsReportRow row = rows[at] ? *std::move(rows[at]) : TlsReportRow();
        mail::add_counts(row.counts, counts);
        entries.push_back({.key = keys[at++], .value = encode(row)});
    }
    CO_TRY(co_await commit_all(services_->store, plan_of(std::move(entries))));
    co_return Result<>();
}

net::Task<void> TlsReporter::read_agenda(std::int32_t today) {
    const std::string hostname = services_->settings()->hostname;
    std::map<TlsReportDay, WallTime> agenda;
    std::vector<std::string> known;
    std::string from = tls_report_prefix();
    while (!from.empty()) {
        Result<Page> page =
            co_await read(services_, [from](const store::Snapshot& snapshot, store::ReadTier tier) {
                return read_page(snapshot, tier, from);
            });
        if (!page) {
            log::warn("tls_report.unreadable", {{"error", page.error().text}});
            co_return;
        }
        for (Kept& kept : page->rows) {
            if (kept.day.day >= today) {
                known.push_back(std::move(kept.day.domain));
            } else if (kept.is_open) {
                const WallTime turn = tls_report_turn(kept.day, hostname);
                agenda.emplace(std::move(kept.day), kept.has_begun ? kept.next_at : turn);
            }
        }
        from = std::move(page->next);
    }
    if (services_->tls_tally != nullptr) {
        services_->tls_tally->know(today, known);
    }
    agenda_ = std::move(agenda);
    agenda_day_ = today;
}

net::Task<void> TlsReporter::drop_old(std::int32_t today) {
    const std::int32_t oldest = today - tls_report_days_kept + 1;
    for (;;) {
        const Result<Page> page =
            co_await read(services_, [](const store::Snapshot& snapshot, store::ReadTier tier) {
                return read_page(snapshot, tier, tls_report_prefix());
            });
        std::vector<store::Batch::Entry> entries;
        for (const Kept& kept : page ? page->rows : std::vector<Kept>()) {
            if (kept.day.day < oldest) {
                entries.push_back({.key = tls_report_key(kept.day), .value = std::nullopt});
            }
        }
        if (entries.empty()) {
            co_return;
        }
        const Result<> done = co_await commit_all(services_->store, plan_of(std::move(entries)));
        if (!done) {
            co_return;  // The next day tries again.
        }
    }
}

net::Task<void> TlsReporter::send_due() {
    std::vector<TlsReportDay> due;
    const WallTime now = services_->clock->wall();
    for (const auto& [day, at] : agenda_) {
        if (at <= now) {
            due.push_back(day);
        }
    }
    MonoTime flushed = net::Shard::here().now();
    for (TlsReportDay& day : due) {
        if (ending_->is_set()) {
            co_return;
        }
        co_await send(std::move(day));
        if (net::Shard::here().now() - flushed >= tls_report_round) {
            (void)co_await flush();  // Said when the next round begins.
            flushed = net::Shard::here().now();
        }
    }
}

net::Task<Result<>> TlsReporter::write(TlsReportDay day, TlsReportRow row) {
    std::vector<store::Batch::Entry> entries;
    entries.push_back({.key = tls_report_key(day), .value = encode(row)});
    co_return co_await commit_all(services_->store, plan_of(std::move(entries)));
}

net::Task<void> TlsReporter::send(TlsReportDay day) {
    const std::string key = tls_report_key(day);
    const Result<std::optional<TlsReportRow>> found =
        co_await read(services_, [key](const store::Snapshot& snapshot, store::ReadTier tier) {
            return read_row(snapshot, tier, key);
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
    for (std::size_t i = 0; i < row.parcels.size(); ++i) {
        const auto place = mail::parse_tls_report_place(row.parcels[i].uri);
        if (row.parcels[i].state != TlsReportParcel::State::Waiting || !place) {
            continue;
        }
        if (place->kind == mail::TlsReportPlace::Kind::Web) {
            co_await post_parcel(&day, &row, i);
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
    agenda_[day] = row.next_at;
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
                                         std::size_t index) {
    const SettingsPtr settings = services_->settings();
    const auto place = mail::parse_tls_report_place(row->parcels[index].uri);
    net::HttpsRequest request;
    request.host = place->host;
    request.port = place->port;
    request.at = find_web_host(*settings, place->host);
    request.path = place->path;
    request.post_body = mail::gzip(mail::to_json(make_tls_report(*settings, *day, row->counts)));
    request.content_type = "application/tlsrpt+gzip";
    request.body_size_max = tls_report_answer_size_max;
    request.patience = tls_report_post_timeout;
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
