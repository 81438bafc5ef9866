#include "serve/http/metrics.h"

#include <gtest/gtest.h>

#include "base/ascii.h"

namespace godwit::serve {
namespace {

MetricsFacts many_sites(std::size_t count) {
    MetricsFacts facts;
    for (std::size_t i = 0; i < count; ++i) {
        facts.under_way["site" + std::to_string(i) + ".test"] = 2;
    }
    return facts;
}

std::size_t rows_of_sites(const std::string& text) {
    std::size_t rows = 0;
    for (const std::string_view line : split(text, '\n')) {
        rows += line.starts_with("godwit_queue_deliveries_sending{") ? 1 : 0;
    }
    return rows;
}

TEST(Metrics, openmetrics_has_families_units_and_an_end) {
    const std::string text = render_metrics(MetricsFormat::OpenMetrics, {.queue_messages = 7});
    EXPECT_NE(text.find("# TYPE godwit_smtp_messages_accepted counter\n"), std::string::npos);
    EXPECT_NE(text.find("\ngodwit_smtp_messages_accepted_total "), std::string::npos);
    EXPECT_NE(text.find("# UNIT godwit_blob_written_bytes bytes\n"), std::string::npos);
    EXPECT_NE(text.find("\ngodwit_queue_messages 7\n"), std::string::npos);
    EXPECT_TRUE(text.ends_with("\n# EOF\n"));
}

TEST(Metrics, older_text_names_its_counters_whole_and_has_no_end) {
    const std::string text = render_metrics(MetricsFormat::Text, {});
    EXPECT_NE(text.find("# TYPE godwit_smtp_messages_accepted_total counter\n"), std::string::npos);
    EXPECT_EQ(text.find("# UNIT"), std::string::npos);
    EXPECT_EQ(text.find("# EOF"), std::string::npos);
}

TEST(Metrics, sites_are_bounded) {
    EXPECT_EQ(rows_of_sites(render_metrics(MetricsFormat::Text, many_sites(metrics_sites_max - 1))),
              metrics_sites_max);
    EXPECT_EQ(rows_of_sites(render_metrics(MetricsFormat::Text, many_sites(metrics_sites_max))),
              metrics_sites_max + 1);
    const std::string text = render_metrics(MetricsFormat::Text, many_sites(metrics_sites_max + 1));
    EXPECT_EQ(rows_of_sites(text), metrics_sites_max + 1);
    EXPECT_NE(text.find("{site=\"(others)\"} 2\n"), std::string::npos);
}

TEST(Metrics, label_values_are_escaped) {
    MetricsFacts facts;
    facts.under_way["a\"b\\c\nd"] = 1;
    EXPECT_NE(render_metrics(MetricsFormat::Text, facts).find("{site=\"a\\\"b\\\\c\\nd\"} 1\n"),
              std::string::npos);
}

TEST(Metrics, format_is_what_is_asked_for) {
    EXPECT_EQ(metrics_format("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
              MetricsFormat::OpenMetrics);
    EXPECT_EQ(metrics_format("text/plain"), MetricsFormat::Text);
    EXPECT_EQ(metrics_format(""), MetricsFormat::Text);
}

}  // namespace
}  // namespace godwit::serve
