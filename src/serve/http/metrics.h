// The counters and gauges of the process as text for Prometheus: OpenMetrics 1.0, or the older text
// format for whoever does not ask for it. Names, types, units and help: base/metrics.cc and the
// table of docs/operating/metrics.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "flow/services.h"

namespace godwit::serve {

/// Sites that have a row of their own: those with the most deliveries under way. The rest is one
/// sum, so that an answer stays small whatever the queue holds.
inline constexpr std::size_t metrics_sites_max = 20;

/// What is not counted but looked up for each answer.
struct MetricsFacts {
    std::uint64_t queue_messages = 0;
    bool takes_mail = true;
    std::map<std::string, std::uint32_t> under_way{};  ///< Deliveries, by site.
};
/// Blocking for a moment: rows that are nearly always cached.
MetricsFacts gather_metrics(const flow::Services& services);

enum class MetricsFormat : std::uint8_t { OpenMetrics, Text };
/// By the request's Accept field. RFC 9110 12.5.1, without weights: whoever names OpenMetrics takes
/// it.
MetricsFormat metrics_format(std::string_view accept);
std::string_view content_type(MetricsFormat format);

/// Pure but for the process's counters.
std::string render_metrics(MetricsFormat format, const MetricsFacts& facts);

}  // namespace godwit::serve
