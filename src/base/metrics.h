// Counters and gauges of the process. One table (metrics.cc) gives each its name, unit and help;
// names are an interface. Callable from any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace godwit {

enum class Metric : std::uint8_t {
    ConnectionsAccepted,
    ConnectionsRefused,
    ConnectionsOpen,
    SmtpMessagesAccepted,
    SmtpMessagesRefused,
    SmtpRecipientsRefused,
    SmtpLimitHits,
    LocalDeliveries,
    QueueMessages,
    QueueDeliveriesDone,
    QueueDeliveriesDeferred,
    QueueBounces,
    QueueQuarantined,
    PossibleDuplicates,
    ImapCommands,
    ImapLimitHits,
    Pop3Commands,
    LoginsDone,
    LoginsFailed,
    PasswordHashes,
    PasswordDerivations,
    CommitGroups,
    CommitPlans,
    CommitSyncs,
    CommitReplans,
    BlobBytesWritten,
    ScrubOctets,
    ScrubDamaged,
    DnsQueries,
    TlsHandshakes,
    TlsHandshakeFailures,
    Count_,
};

struct MetricRow {
    Metric metric;
    std::string_view name;  ///< OpenMetrics name with unit: godwit_smtp_messages_accepted_total.
    std::string_view type;  ///< "counter" or "gauge".
    std::string_view help;
};

std::span<const MetricRow> metric_rows();
void count(Metric metric, std::int64_t by = 1);
[[nodiscard]] std::int64_t metric_value(Metric metric);

}  // namespace godwit
