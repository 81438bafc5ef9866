#include "flow/report/tls_tally.h"

#include <utility>

#include "base/ascii.h"
#include "base/log.h"
#include "base/probe.h"
#include "mail/address/domain.h"

namespace godwit::flow {

void TlsTally::turn_to(State& state, std::int32_t day) {
    if (state.day != day) {
        state.day = day;
        state.domains.clear();
        state.is_full_told = false;
    }
}

void TlsTally::State::add(const TlsReportDay& at, const mail::TlsCounts& more) {
    const auto [found, is_new] = counts.try_emplace(at);
    size += mail::add_counts(found->second, more) +
            (is_new ? sizeof(TlsReportDay) + sizeof(mail::TlsCounts) + at.domain.size() : 0);
}

void TlsTally::note(std::string domain, const mail::TlsPolicyText& policy,
                    std::optional<mail::TlsFailureDetail> failure, WallTime now) {
    mail::TlsPolicyCounts one{.policy = mail::bounded(policy)};
    if (failure) {
        probe<"tls_report.failure_counted">();
        failure->sessions = 1;
        one.failed = 1;
        one.details.push_back(mail::bounded(*std::move(failure)));
    } else {
        probe<"tls_report.success_counted">();
        one.succeeded = 1;
    }
    const std::int32_t day = day_of(now);
    const bool is_refused = state_.with([&](State& state) {
        turn_to(state, day);
        const bool is_new = !state.domains.contains(domain);
        if ((is_new && state.domains.size() >= tls_report_domains_max) ||
            state.size >= tls_report_pending_size_max) {
            return !std::exchange(state.is_full_told, true);
        }
        if (is_new) {
            state.domains.insert(domain);
        }
        state.add({day, std::move(domain)}, {.policies = {std::move(one)}, .uncounted = 0});
        return false;
    });
    if (is_refused) {
        log::warn("tls_report.too_much_counted",
                  {{"most_domains", static_cast<std::uint64_t>(tls_report_domains_max)}});
    }
}

TlsCountsByDay TlsTally::take() {
    return state_.with([](State& state) {
        state.size = 0;
        return std::exchange(state.counts, {});
    });
}

void TlsTally::put_back(const TlsCountsByDay& counts) {
    state_.with([&](State& state) {
        for (const auto& [day, each] : counts) {
            state.add(day, each);
        }
        return 0;
    });
}

mail::TlsCounts TlsTally::pending(const TlsReportDay& day) {
    return state_.with([&](State& state) {
        const auto found = state.counts.find(day);
        return found != state.counts.end() ? found->second : mail::TlsCounts();
    });
}

std::vector<std::string> TlsTally::pending_domains(std::int32_t day) {
    return state_.with([&](State& state) {
        std::vector<std::string> domains;
        for (auto at = state.counts.lower_bound({day, ""});
             at != state.counts.end() && at->first.day == day; ++at) {
            domains.push_back(at->first.domain);
        }
        return domains;
    });
}

void TlsTally::know(std::int32_t day, const std::vector<std::string>& domains) {
    state_.with([&](State& state) {
        turn_to(state, day);
        state.domains.insert(domains.begin(), domains.end());
        return 0;
    });
}

mail::TlsFailure failure_of_certificate(std::string_view text) {
    if (text.contains("hostname mismatch") || text.contains("IP address mismatch")) {
        return mail::TlsFailure::CertificateHostMismatch;
    }
    if (text.contains("certificate has expired")) {
        return mail::TlsFailure::CertificateExpired;
    }
    return mail::TlsFailure::CertificateNotTrusted;
}

void note_tls_session(const Services* services, const std::string& domain,
                      const mail::TlsPolicyText& policy,
                      std::optional<mail::TlsFailureDetail> failure) {
    if (services->tls_tally == nullptr || !services->settings()->tls_reports.enabled) {
        return;
    }
    // A report names its domain in A-labels.
    auto name = mail::normalize_domain(domain);
    if (name) {
        services->tls_tally->note(*std::move(name), policy, std::move(failure),
                                  services->clock->wall());
    }
}

}  // namespace godwit::flow
