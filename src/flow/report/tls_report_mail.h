// A TLS report as mail of our own, and who it says it is from. RFC 8460, "Email Transport".
#pragma once

#include <string>
#include <string_view>

#include "flow/report/tls_report_row.h"
#include "flow/services.h"
#include "mail/report/tls_report.h"
#include "net/io/task.h"
#include "store/commit/plan.h"

namespace godwit::flow {

/// What the settings say, or else what follows from default_domain.
std::string tls_report_organization(const Settings& settings);
std::string tls_report_contact(const Settings& settings);
std::string tls_report_from(const Settings& settings);
/// Letters and digits: the same for the same day, domain and server.
std::string tls_report_unique(const TlsReportDay& day, std::string_view hostname);

struct TlsReportLetter {
    mail::TlsReport report;
    mail::Address to;
    std::string unique;
};
/// Added to `plan`: into a mailbox here or into the queue, for a day at most, with whatever TLS can
/// be had, and nobody is told when it cannot be delivered. Peer error when the address is one of
/// ours that leads nowhere.
net::Task<Result<MailId>> add_tls_report_mail(const Services* services, store::Plan* plan,
                                              TlsReportLetter letter);

}  // namespace godwit::flow
