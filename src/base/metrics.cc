#include "base/metrics.h"

#include <array>
#include <atomic>

namespace godwit {

namespace {

constexpr std::size_t kCount = static_cast<std::size_t>(Metric::Count_);

constexpr std::array<MetricRow, kCount> kRows = {{
    {Metric::ConnectionsAccepted, "godwit_connections_accepted_total", "counter",
     "Connections taken in."},
    {Metric::ConnectionsRefused, "godwit_connections_refused_total", "counter",
     "Connections shed by a limit."},
    {Metric::ConnectionsOpen, "godwit_connections_open", "gauge", "Connections open now."},
    {Metric::SmtpMessagesAccepted, "godwit_smtp_messages_accepted_total", "counter",
     "Messages answered 250 after the commit."},
    {Metric::SmtpMessagesRefused, "godwit_smtp_messages_refused_total", "counter",
     "Messages refused after DATA or BDAT."},
    {Metric::SmtpRecipientsRefused, "godwit_smtp_recipients_refused_total", "counter",
     "RCPT commands refused."},
    {Metric::SmtpLimitHits, "godwit_smtp_limit_hits_total", "counter",
     "SMTP bounds reached by a peer."},
    {Metric::LocalDeliveries, "godwit_local_deliveries_total", "counter",
     "Messages put into mailboxes."},
    {Metric::QueueMessages, "godwit_queue_messages", "gauge", "Messages in the queue."},
    {Metric::QueueDeliveriesDone, "godwit_queue_deliveries_done_total", "counter",
     "Recipients delivered to a next hop."},
    {Metric::QueueDeliveriesDeferred, "godwit_queue_deliveries_deferred_total", "counter",
     "Attempts that will be tried again."},
    {Metric::QueueBounces, "godwit_queue_bounces_total", "counter",
     "Recipients that failed for good."},
    {Metric::QueueQuarantined, "godwit_queue_quarantined_total", "counter",
     "Deliveries put aside after two crashes with them in hand."},
    {Metric::PossibleDuplicates, "godwit_possible_duplicates_total", "counter",
     "Outcomes unknown (windows W1, W2)."},
    {Metric::ImapCommands, "godwit_imap_commands_total", "counter", "IMAP commands run."},
    {Metric::ImapLimitHits, "godwit_imap_limit_hits_total", "counter",
     "IMAP bounds reached by a peer."},
    {Metric::Pop3Commands, "godwit_pop3_commands_total", "counter", "POP3 commands run."},
    {Metric::LoginsDone, "godwit_logins_total", "counter", "Successful logins."},
    {Metric::LoginsFailed, "godwit_logins_failed_total", "counter", "Refused logins."},
    {Metric::PasswordHashes, "godwit_password_hashes_total", "counter",
     "Argon2id hashes computed to check passwords."},
    {Metric::PasswordDerivations, "godwit_password_derivations_total", "counter",
     "SCRAM keys derived to check passwords."},
    {Metric::CommitGroups, "godwit_commit_groups_total", "counter", "Group commits written."},
    {Metric::CommitPlans, "godwit_commit_plans_total", "counter", "Plans committed."},
    {Metric::CommitSyncs, "godwit_commit_syncs_total", "counter",
     "Disk syncs done by the commit thread."},
    {Metric::CommitReplans, "godwit_commit_replans_total", "counter", "Plans returned as stale."},
    {Metric::BlobBytesWritten, "godwit_blob_written_bytes_total", "counter",
     "Bytes of bodies written."},
    {Metric::ScrubOctets, "godwit_scrub_octets_total", "counter",
     "Octets of rows and bodies read again."},
    {Metric::ScrubDamaged, "godwit_scrub_damaged_total", "counter",
     "Rows and bodies found damaged."},
    {Metric::DnsQueries, "godwit_dns_queries_total", "counter", "Questions put to the resolver."},
    {Metric::TlsHandshakes, "godwit_tls_handshakes_total", "counter", "TLS handshakes completed."},
    {Metric::TlsHandshakeFailures, "godwit_tls_handshake_failures_total", "counter",
     "TLS handshakes failed."},
}};

constexpr bool rows_in_order() {
    for (std::size_t i = 0; i < kCount; ++i) {
        if (kRows[i].metric != static_cast<Metric>(i)) {
            return false;
        }
    }
    return true;
}
static_assert(rows_in_order(), "one row a metric, in the order of the enumeration");

std::array<std::atomic<std::int64_t>, kCount> values{};

}  // namespace

std::span<const MetricRow> metric_rows() {
    return kRows;
}
void count(Metric metric, std::int64_t by) {
    values.at(static_cast<std::size_t>(metric)).fetch_add(by, std::memory_order_relaxed);
}
std::int64_t metric_value(Metric metric) {
    return values.at(static_cast<std::size_t>(metric)).load(std::memory_order_relaxed);
}

}  // namespace godwit
