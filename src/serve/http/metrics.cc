#include "serve/http/metrics.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "base/metrics.h"
#include "flow/outbound/operator_desk.h"
#include "store/queue/queue.h"
#include "store/store.h"

namespace godwit::serve {
namespace {

constexpr std::string_view kTotal = "_total";

class Exposition {
public:
    explicit Exposition(MetricsFormat format) : format_(format) {}

    /// `name` as in the table: a counter's ends in _total.
    void begin(std::string_view name, std::string_view type, std::string_view help) {
        const bool is_open = format_ == MetricsFormat::OpenMetrics;
        std::string_view family = name;
        // OpenMetrics 1.0: the family's name is without _total, its sample has it; the older
        // format knows only the sample's name.
        if (is_open && family.ends_with(kTotal)) {
            family.remove_suffix(kTotal.size());
        }
        line("# TYPE ", family, type);
        if (is_open && family.ends_with("_bytes")) {
            line("# UNIT ", family, "bytes");
        }
        line("# HELP ", family, help);
    }
    void sample(std::string_view name, std::int64_t value, std::string_view site = {}) {
        text_.append(name);
        if (!site.empty()) {
            text_.append("{site=\"");
            escape(site);
            text_.append("\"}");
        }
        text_.append(" ").append(std::to_string(value)).append("\n");
    }
    std::string finish() && {
        if (format_ == MetricsFormat::OpenMetrics) {
            text_.append("# EOF\n");
        }
        return std::move(text_);
    }

private:
    void line(std::string_view mark, std::string_view name, std::string_view rest) {
        text_.append(mark).append(name).append(" ").append(rest).append("\n");
    }
    void escape(std::string_view value) {
        for (const char c : value) {
            if (c == '"' || c == '\\') {
                text_.push_back('\\');
            }
            c == '\n' ? text_.append("\\n") : text_.append(1, c);
        }
    }

    MetricsFormat format_;
    std::string text_;
};

void write_sites(Exposition& out, const MetricsFacts& facts) {
    constexpr std::string_view kName = "godwit_queue_deliveries_sending";
    std::vector<std::pair<std::string, std::uint32_t>> sites(facts.under_way.begin(),
                                                             facts.under_way.end());
    std::ranges::sort(sites, {}, [](const auto& site) {
        return std::pair(-std::int64_t{site.second}, site.first);
    });
    out.begin(kName, "gauge",
              "Deliveries under way by site; those of all but the busiest sites together as "
              "(others).");
    std::int64_t others = 0;
    for (std::size_t i = 0; i < sites.size(); ++i) {
        if (i < metrics_sites_max) {
            out.sample(kName, sites[i].second, sites[i].first);
        } else {
            others += sites[i].second;
        }
    }
    out.sample(kName, others, "(others)");
}

}  // namespace

MetricsFacts gather_metrics(const flow::Services& services) {
    MetricsFacts facts;
    facts.queue_messages =
        store::read_queue_count(*services.store->snapshot(), store::ReadTier::Disk).value_or(0);
    facts.takes_mail = services.store->is_sound() && services.store->has_room_for_mail();
    if (services.operators != nullptr) {
        facts.under_way = services.operators->under_way().by_site();
    }
    return facts;
}

MetricsFormat metrics_format(std::string_view accept) {
    return to_lower(accept).find("application/openmetrics-text") != std::string::npos
               ? MetricsFormat::OpenMetrics
               : MetricsFormat::Text;
}

std::string_view content_type(MetricsFormat format) {
    return format == MetricsFormat::OpenMetrics
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

std::string render_metrics(MetricsFormat format, const MetricsFacts& facts) {
    Exposition out(format);
    for (const MetricRow& row : metric_rows()) {
        out.begin(row.name, row.type, row.help);
        out.sample(row.name, row.metric == Metric::QueueMessages
                                 ? static_cast<std::int64_t>(facts.queue_messages)
                                 : metric_value(row.metric));
    }
    out.begin("godwit_takes_mail", "gauge",
              "1 while mail is accepted, 0 when the disk is full or has failed.");
    out.sample("godwit_takes_mail", facts.takes_mail ? 1 : 0);
    write_sites(out, facts);
    return std::move(out).finish();
}

}  // namespace godwit::serve
