#include "flow/outbound/sts.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/outbound/outbound_tls.h"
#include "flow/read.h"
#include "flow/report/tls_tally.h"
#include "flow/web_host.h"
#include "net/dial/https_client.h"
#include "net/resolver/resolver.h"
#include "store/kv/record.h"
#include "store/mailbox/keys.h"

namespace godwit::flow {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr auto kFamily = static_cast<char>(store::Family::Open);
constexpr std::chrono::hours kRound(1);
// While somebody else fetches the same policy.
constexpr std::chrono::milliseconds kLook(200);

std::string prefix() {
    return store::make_key(kFamily, std::string_view("sts"), std::string_view("\0", 1));
}

void write_time(ByteWriter& out, WallTime time) {
    out.svarint(unix_seconds(time));
}
// The year 9999: a damaged row must not lead to a time that cannot be reckoned with.
constexpr std::int64_t kTimeMax = 253'402'300'799;

bool read_time(ByteReader& in, WallTime& time) {
    const std::int64_t seconds = in.svarint();
    const bool is_time = seconds >= 0 && seconds <= kTimeMax;
    time = from_unix_seconds(is_time ? seconds : 0);
    return is_time;
}

}  // namespace

bool StsRow::is_due(WallTime now) const {
    const std::chrono::seconds half(policy.max_age_seconds / 2);
    return now - fetched_at >= std::min<std::chrono::seconds>(half, sts_refresh_after);
}

std::string sts_key(std::string_view domain) {
    return prefix() + to_lower(domain);
}

std::string encode(const StsRow& row) {
    ByteWriter out = store::begin_record(kVersion);
    out.bytes(row.id);
    write_time(out, row.fetched_at);
    write_time(out, row.used_at);
    out.u8(static_cast<std::uint8_t>(row.policy.mode)).u32(row.policy.max_age_seconds);
    out.varint(row.policy.hosts.size());
    for (const std::string& host : row.policy.hosts) {
        out.bytes(host);
    }
    return store::seal(std::move(out));
}

Result<StsRow> decode_sts_row(std::string_view value) {
    ByteReader in = TRY(store::read_record(value, kVersion, "MTA-STS policy"));
    StsRow row;
    row.id = in.bytes();
    if (!read_time(in, row.fetched_at) || !read_time(in, row.used_at)) {
        return internal_error(ErrorCode::Corrupt, "MTA-STS policy: a time is out of bounds");
    }
    const std::uint8_t mode = in.u8();
    row.policy.max_age_seconds = std::min(in.u32(), sts_max_age_max);
    const std::uint64_t hosts = in.varint_at_most(sts_policy_hosts_max);
    for (std::uint64_t i = 0; i < hosts && in.ok(); ++i) {
        row.policy.hosts.emplace_back(in.bytes());
    }
    TRY(in.finish("MTA-STS policy"));
    if (mode > static_cast<std::uint8_t>(StsMode::None)) {
        return internal_error(ErrorCode::Corrupt, "MTA-STS policy: unknown mode");
    }
    row.policy.mode = static_cast<StsMode>(mode);
    return row;
}

namespace {

using Found = std::optional<StsRow>;

net::Task<Found> read_row(const Services* services, std::string domain) {
    const Result<Found> row = co_await read(
        services,
        [key = sts_key(domain)](const store::Snapshot& snapshot,
                                store::ReadTier tier) -> Result<Found> {
            const auto value = TRY(snapshot.get(key, tier));
            return value ? store::if_sound(key, decode_sts_row(*value)) : Result<Found>(Found());
        });
    co_return row ? *row : Found();
}

net::Task<void> write_row(const Services* services, std::string domain, StsRow row) {
    store::ChangeRows change;
    change.entries.push_back({.key = sts_key(domain), .value = encode(row)});
    store::Plan plan;
    plan.may_wait = true;
    plan.steps.emplace_back(std::move(change));
    const Result<> done = co_await commit_all(services->store, std::move(plan));
    if (!done) {
        // It holds for this message, and is fetched again for the next.
        log::warn("sts.not_kept", {{"domain", domain}, {"error", done.error().text}});
    }
}

// RFC 8461: by HTTPS alone, with a certificate of the policy host, and no redirect.
net::Task<Result<std::string>> fetch(const Services* services, std::string domain) {
    net::HttpsRequest request;
    request.host = "mta-sts." + domain;
    request.at = find_web_host(*services->settings(), request.host);
    request.path = "/.well-known/mta-sts.txt";
    request.body_size_max = sts_policy_size_max;
    request.patience = sts_fetch_timeout;
    net::HttpsResponse response = CO_TRY(co_await net::ask_https(
        services->network, services->resolver, services->tls_client, std::move(request)));
    if (response.status != 200) {
        co_return peer_error(ErrorCode::Invalid,
                             "the policy host answered " + std::to_string(response.status));
    }
    const std::string_view type = trim(
        std::string_view(response.content_type)
            .substr(0, std::min(response.content_type.find(';'), response.content_type.size())));
    if (!equals_ignore_case(type, "text/plain")) {
        co_return peer_error(ErrorCode::Invalid,
                             "the policy is no text/plain: " + response.content_type.substr(0, 64));
    }
    co_return std::move(response.body);
}

// RFC 8460, "Result Types": one fetch is counted as one session.
void note_fetch(const Services* services, const std::string& domain, const Error& error,
                bool is_fetched) {
    mail::TlsFailureDetail detail;
    detail.failure = is_fetched                        ? mail::TlsFailure::StsPolicyInvalid
                     : error.code == ErrorCode::Denied ? mail::TlsFailure::StsWebpkiInvalid
                                                       : mail::TlsFailure::StsPolicyFetchError;
    detail.reason = error.text;
    note_tls_session(services, domain, {.type = mail::TlsPolicyType::Sts}, std::move(detail));
}

// Fetches and keeps; nullopt, and a pause, when that fails. The caller has begun the fetch.
net::Task<Found> fetch_row(const Services* services, std::string domain, std::string id,
                           WallTime used_at) {
    const Result<std::string> text = co_await fetch(services, domain);
    const Result<StsPolicy> policy =
        text ? parse_sts_policy(*text) : Result<StsPolicy>(std::unexpected(text.error()));
    const WallTime now = services->clock->wall();
    if (!policy) {
        note_fetch(services, domain, policy.error(), text.has_value());
        probe<"sts.not_fetched">();
        log::warn("sts.not_fetched", {{"domain", domain}, {"error", policy.error().text}});
        services->outbound_tls->end_fetch(domain, now + sts_fetch_pause);
        co_return Found();
    }
    StsRow row{.id = std::move(id), .fetched_at = now, .used_at = used_at, .policy = *policy};
    log::info("sts.fetched", {{"domain", domain},
                              {"mode", to_string(row.policy.mode)},
                              {"max_age", row.policy.max_age_seconds}});
    co_await write_row(services, domain, row);
    services->outbound_tls->end_fetch(domain, std::nullopt);
    co_return row;
}

net::Task<void> refresh(const Services* services, std::string domain, std::string id,
                        WallTime used_at) {
    (void)co_await fetch_row(services, std::move(domain), std::move(id), used_at);
}

// What another fetch of the same policy came to.
net::Task<Found> wait_for_fetch(const Services* services, std::string domain) {
    const MonoTime deadline = net::Shard::here().now() + sts_fetch_timeout;
    while (services->outbound_tls->is_fetching(domain) && net::Shard::here().now() < deadline) {
        co_await net::sleep_for(kLook);
    }
    co_return co_await read_row(services, std::move(domain));
}

net::Task<Found> with_use_noted(const Services* services, std::string domain, StsRow row,
                                WallTime now) {
    if (now - row.used_at >= std::chrono::days(1)) {
        row.used_at = now;
        co_await write_row(services, std::move(domain), row);
    }
    co_return row;
}

}  // namespace

net::Task<std::optional<StsRow>> find_sts(const Services* services, std::string domain) {
    if (services->resolver == nullptr || services->outbound_tls == nullptr) {
        co_return Found();
    }
    const Result<net::TextAnswer> record = co_await services->resolver->txt("_mta-sts." + domain);
    const std::optional<std::string> id =
        record ? parse_sts_record(record->texts) : std::optional<std::string>();
    Found row = co_await read_row(services, domain);
    const WallTime now = services->clock->wall();
    if (row && !row->is_valid(now)) {
        row.reset();
    }
    const bool is_same = row && id && row->id == *id;
    // RFC 8461: without a record that can be read, a policy that was learnt holds to its end.
    if (!id || (is_same && !row->is_due(now))) {
        co_return row ? co_await with_use_noted(services, std::move(domain), *std::move(row), now)
                      : Found();
    }
    if (!services->outbound_tls->begin_fetch(domain, now)) {
        if (row || !services->outbound_tls->is_fetching(domain)) {
            co_return row;
        }
        Found other = co_await wait_for_fetch(services, std::move(domain));
        co_return other && other->is_valid(services->clock->wall()) ? std::move(other) : Found();
    }
    if (is_same) {
        // It holds for a while yet: nobody need wait.
        net::spawn(net::Shard::here(), "sts.refresh", refresh(services, domain, *id, now));
        co_return row;
    }
    Found fetched = co_await fetch_row(services, std::move(domain), *id, now);
    co_return fetched ? std::move(fetched) : std::move(row);
}

namespace {

struct Kept {
    std::string domain;
    StsRow row;
};
struct Page {
    std::vector<Kept> rows;
    std::string next;  ///< Empty: the end.
};

Result<Page> read_page(const store::Snapshot& snapshot, store::ReadTier tier,
                       const std::string& from) {
    constexpr std::size_t kPage = 256;
    Page page;
    const std::string start = prefix();
    const auto cursor = snapshot.cursor(tier);
    std::size_t seen = 0;
    for (cursor->seek(from); cursor->is_valid() && cursor->key().starts_with(start);
         cursor->next()) {
        if (++seen > kPage) {
            page.next = std::string(cursor->key());
            break;
        }
        auto row = TRY(store::if_sound(cursor->key(), decode_sts_row(cursor->value())));
        if (row) {
            page.rows.push_back({std::string(cursor->key().substr(start.size())), *std::move(row)});
        }
    }
    TRY(cursor->status());
    return page;
}

net::Task<void> drop_row(const Services* services, std::string domain) {
    store::ChangeRows change;
    change.entries.push_back({.key = sts_key(domain), .value = std::nullopt});
    store::Plan plan;
    plan.may_wait = true;
    plan.steps.emplace_back(std::move(change));
    (void)co_await commit_all(services->store, std::move(plan));  // It is looked at again.
}

}  // namespace

net::Task<void> renew_sts(const Services* services) {
    std::string from = prefix();
    while (!from.empty()) {
        Result<Page> page =
            co_await read(services, [from](const store::Snapshot& snapshot, store::ReadTier tier) {
                return read_page(snapshot, tier, from);
            });
        if (!page) {
            log::warn("sts.unreadable", {{"error", page.error().text}});
            co_return;
        }
        for (Kept& kept : page->rows) {
            const WallTime now = services->clock->wall();
            if (!kept.row.is_valid(now) || now - kept.row.used_at >= sts_unused_max) {
                probe<"sts.dropped">();
                co_await drop_row(services, kept.domain);
            } else if (kept.row.is_due(now) &&
                       services->outbound_tls->begin_fetch(kept.domain, now)) {
                (void)co_await fetch_row(services, kept.domain, kept.row.id, kept.row.used_at);
            }
        }
        from = std::move(page->next);
    }
}

net::Task<void> keep_sts_fresh(const Services* services) {
    for (;;) {
        co_await net::sleep_for(kRound);
        if (services->resolver != nullptr && services->outbound_tls != nullptr) {
            co_await renew_sts(services);
        }
    }
}

}  // namespace godwit::flow
