// Counts sessions with others' exchangers by day, domain and policy, in memory; TlsReporter puts
// what was counted into rows every few minutes. RFC 8460, the sections "Report Time-Frame" and
// "Delivery Summary".
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "flow/report/tls_report_row.h"
#include "flow/services.h"
#include "net/io/locked.h"

namespace godwit::flow {

/// Domains counted a day; those that come later are not, and the log says so once. At 300 octets a
/// row as a rule: 3 MB a day, 24 MB in the days that are kept.
inline constexpr std::size_t tls_report_domains_max = 10'000;

/// Octets, about, of what is counted and in no row yet: some 50,000 domains as a rule. Sessions
/// beyond it are not counted, and the log says so.
inline constexpr std::size_t tls_report_pending_size_max = std::size_t{16} << 20U;

/// What sessions under a TLS policy are counted as.
struct TlsAccounting {
    mail::TlsPolicyText policy;
    /// Every session fails so, whatever its TLS: a policy that cannot be met, or not be read.
    std::optional<mail::TlsFailureDetail> standing{};
};

using TlsCountsByDay = std::map<TlsReportDay, mail::TlsCounts>;

/// Any thread.
class TlsTally {
public:
    /// A session that came to `failure`, or to TLS as the policy has it.
    void note(std::string domain, const mail::TlsPolicyText& policy,
              std::optional<mail::TlsFailureDetail> failure, WallTime now);
    /// What was counted since the last call; the caller stores it or puts it back.
    TlsCountsByDay take();
    void put_back(const TlsCountsByDay& counts);
    /// What take() would give of a day and a domain.
    [[nodiscard]] mail::TlsCounts pending(const TlsReportDay& day);
    [[nodiscard]] std::vector<std::string> pending_domains(std::int32_t day);
    /// Domains of the day that have rows: after a restart.
    void know(std::int32_t day, const std::vector<std::string>& domains);

private:
    struct State {
        TlsCountsByDay counts;
        std::size_t size = 0;  ///< Octets, about, of `counts`.
        std::int32_t day = 0;
        std::set<std::string, std::less<>> domains;  ///< Of `day`.
        bool is_full_told = false;

        void add(const TlsReportDay& at, const mail::TlsCounts& more);
    };
    static void turn_to(State& state, std::int32_t day);
    net::Locked<State> state_;
};

/// What OpenSSL says of a certificate ("certificate has expired"), as a kind of failure. Pure.
mail::TlsFailure failure_of_certificate(std::string_view text);

/// Notes a session where reports are on (tls_reports.enabled); else nothing.
void note_tls_session(const Services* services, const std::string& domain,
                      const mail::TlsPolicyText& policy,
                      std::optional<mail::TlsFailureDetail> failure);

}  // namespace godwit::flow
