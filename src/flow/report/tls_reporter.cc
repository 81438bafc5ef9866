#include "flow/report/tls_reporter.h"

#include <algorithm>
#include <utility>

#include "base/crypto.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/read.h"
#include "flow/report/tls_report_mail.h"
#include "net/io/task_group.h"
#include "store/kv/record.h"
#include "store/store.h"

namespace godwit::flow {

namespace {

std::string digest_of(const TlsReportDay& day, std::string_view hostname) {
    return sha256_bytes(show_day(day.day) + "\n" + day.domain + "\n" + std::string(hostname));
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
    const net::Semaphore::Permit permit = co_await flushing_.acquire();
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
                found.push_back(TRY(read_tls_report_row(snapshot, tier, key)));
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
    CO_TRY(co_await commit_all(services_->store, tls_report_plan(std::move(entries))));
    co_return Result<>();
}

net::Task<void> TlsReporter::read_agenda(std::int32_t today) {
    const std::string hostname = services_->settings()->hostname;
    std::map<TlsReportDay, Turn> agenda;
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
                agenda.emplace(std::move(kept.day), Turn{.at = kept.has_begun ? kept.next_at : turn,
                                                         .has_begun = kept.has_begun});
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
        const Result<> done =
            co_await commit_all(services_->store, tls_report_plan(std::move(entries)));
        if (!done) {
            co_return;  // The next day tries again.
        }
    }
}

net::Task<void> TlsReporter::send_due() {
    std::vector<TlsReportDay> due;
    const WallTime now = services_->clock->wall();
    for (const auto& [day, turn] : agenda_) {
        if (turn.at <= now) {
            due.push_back(day);
        }
    }
    // Those that are asked for the first time are not behind those that failed before.
    std::ranges::stable_sort(due, {}, [this](const TlsReportDay& day) {
        const Turn& turn = agenda_.at(day);
        return std::pair(turn.has_begun, turn.at);
    });
    Due shared{.days = {std::make_move_iterator(due.begin()), std::make_move_iterator(due.end())},
               .flushed_at = net::Shard::here().now(),
               .at_work = std::min(tls_report_parallel, due.size())};
    if (shared.at_work == 0) {
        co_return;
    }
    net::TaskGroup group(shared.at_work + 1);
    for (std::size_t i = shared.at_work; i > 0; --i) {
        group.try_spawn("tls_report.send", send_some(&shared));
    }
    group.try_spawn("tls_report.end", watch_for_end(&shared));
    (void)co_await shared.over.wait();
    if (shared.at_work > 0) {
        // A server that keeps silent must not cost what was counted, nor keep the end waiting. What
        // it was to get is sent again; its id tells the two apart.
        probe<"tls_report.left_at_the_end">();
        shared.over.reset();
        (void)co_await flush();
        (void)co_await shared.over.wait(net::Shard::here().now() + tls_report_farewell);
    }
}

net::Task<void> TlsReporter::watch_for_end(Due* due) {
    (void)co_await ending_->wait();
    due->over.set();
}

net::Task<void> TlsReporter::send_some(Due* due) {
    while (!due->days.empty() && !ending_->is_set()) {
        TlsReportDay day = std::move(due->days.front());
        due->days.pop_front();
        co_await send(std::move(day));
        const MonoTime now = net::Shard::here().now();
        if (now - due->flushed_at >= tls_report_round) {
            due->flushed_at = now;
            (void)co_await flush();  // Said when the next round begins.
        }
    }
    if (--due->at_work == 0) {
        due->over.set();
    }
}

}  // namespace godwit::flow
