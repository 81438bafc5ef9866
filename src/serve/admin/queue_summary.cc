// What waits in the queue, counted by site and age: where is it stuck, and since when.
// In pieces: each call counts a bounded stretch of the queue, and whoever asks adds up the rows of
// one site.
#include <array>
#include <map>

#include "flow/outbound/scheduler.h"
#include "serve/admin/calls.h"
#include "store/queue/queue.h"
#include "store/store.h"

namespace godwit::serve {
namespace {

/// Deliveries counted in one call: about a tenth of a second, and the most sites it can name.
constexpr std::size_t kCountedMax = 20'000;
constexpr std::size_t kStepMessages = 256;

/// Columns by age: what is younger than this, and not than the one before. Doubling, for a queue
/// that is stuck ages.
struct AgeColumn {
    std::string_view name;
    std::chrono::minutes below;
};
constexpr std::array<AgeColumn, 10> kAges = {{
    {"under_5m", std::chrono::minutes(5)},
    {"under_10m", std::chrono::minutes(10)},
    {"under_20m", std::chrono::minutes(20)},
    {"under_40m", std::chrono::minutes(40)},
    {"under_80m", std::chrono::minutes(80)},
    {"under_160m", std::chrono::minutes(160)},
    {"under_320m", std::chrono::minutes(320)},
    {"under_640m", std::chrono::minutes(640)},
    {"under_1280m", std::chrono::minutes(1280)},
    {"older", std::chrono::minutes::max()},
}};

struct SiteCount {
    std::uint64_t deliveries = 0;
    std::uint64_t held = 0;
    std::array<std::uint64_t, kAges.size()> by_age{};
};

std::size_t age_column(Duration age) {
    std::size_t column = 0;
    while (column + 1 < kAges.size() && age >= kAges[column].below) {
        ++column;
    }
    return column;
}

}  // namespace

Result<std::string> summarize_queue(const AdminHost& host, const AdminArguments& arguments) {
    const std::string start = arguments.text_or("after", "");
    MailId after = start.empty() ? MailId{} : TRY(parse_mail_id(start));
    const auto snapshot = host.store->snapshot();
    const WallTime now = host.clock->wall();
    std::map<std::string, SiteCount> sites;
    std::size_t counted = 0;
    bool has_more = true;
    while (has_more && counted < kCountedMax) {
        const auto step =
            TRY(store::walk_queue(*snapshot, store::ReadTier::Disk, after, kStepMessages));
        has_more = step.size() == kStepMessages;
        for (const auto& [message, deliveries] : step) {
            after = message.mail;
            counted += deliveries.size();
            for (const store::QueueDelivery& delivery : deliveries) {
                SiteCount& site = sites[delivery.site];
                ++site.deliveries;
                site.held += delivery.is_held ? 1 : 0;
                ++site.by_age[age_column(now - message.accepted_at)];
            }
        }
    }
    flow::OutboundScheduler* const scheduler =
        host.services != nullptr ? host.services->scheduler : nullptr;
    JsonWriter json;
    json.begin_object().key("rows").begin_array();
    for (const auto& [name, site] : sites) {
        json.begin_object().field("site", name);
        json.field("hosts", scheduler == nullptr ? "" : scheduler->outlets().hosts_of(name));
        json.field("deliveries", site.deliveries).field("held", site.held);
        for (std::size_t i = 0; i < kAges.size(); ++i) {
            json.field(kAges[i].name, site.by_age[i]);
        }
        json.end_object();
    }
    json.end_array();
    if (has_more) {
        json.field("next", to_string(after));
    }
    json.end_object();
    return std::move(json).take();
}

}  // namespace godwit::serve
