#include "flow/report/tls_report_mail.h"

#include <functional>
#include <utility>

#include "base/encoding.h"
#include "base/random.h"
#include "flow/inbound/placement.h"
#include "flow/read.h"
#include "flow/report/tls_reporter.h"
#include "mail/message/parser.h"
#include "store/directory/directory.h"
#include "store/store.h"

namespace godwit::flow {

namespace {

store::NewBody as_body(std::string bytes) {
    store::NewBody body;
    body.id.hash = sha256(bytes);
    body.size = bytes.size();
    body.content = std::move(bytes);
    return body;
}

std::string at_default(const Settings& settings, std::string_view local) {
    const std::string& domain =
        settings.default_domain.empty() ? settings.hostname : settings.default_domain;
    return std::string(local) + "@" + domain;
}

net::Task<Result<store::Recipient>> find(const Services* services, mail::Address to) {
    const std::string domain = services->settings()->default_domain;
    co_return co_await read(
        services,
        [to, domain](const store::Snapshot& snapshot,
                     store::ReadTier tier) -> Result<store::Recipient> {
            store::Recipient found = TRY(store::resolve_recipient(snapshot, tier, to, domain));
            if (found.verdict == store::RecipientVerdict::NotLocal) {
                found.targets = {store::RemoteTarget{to}};
            } else if (found.verdict != store::RecipientVerdict::Local || found.targets.empty()) {
                return peer_error(ErrorCode::NotFound, to.to_string() + " leads nowhere here");
            }
            return found;
        });
}

}  // namespace

std::string tls_report_organization(const Settings& settings) {
    const std::string& stated = settings.tls_reports.organization;
    return !stated.empty()                    ? stated
           : !settings.default_domain.empty() ? settings.default_domain
                                              : settings.hostname;
}

std::string tls_report_contact(const Settings& settings) {
    const std::string& stated = settings.tls_reports.contact;
    return stated.empty() ? at_default(settings, "postmaster") : stated;
}

std::string tls_report_from(const Settings& settings) {
    const std::string& stated = settings.tls_reports.from;
    return stated.empty() ? tls_report_contact(settings) : stated;
}

net::Task<Result<MailId>> add_tls_report_mail(const Services* services, store::Plan* plan,
                                              TlsReportLetter letter) {
    // What was not delivered within the time that RFC 8460 gives is too old.
    Settings settings = *services->settings();
    settings.retry.lifetime = tls_report_patience;
    const WallTime now = services->clock->wall();
    const MailId own_id = services->store->next_mail_id();
    const mail::Address from = CO_TRY(mail::parse_address(tls_report_from(settings)));
    const mail::Address contact = CO_TRY(mail::parse_address(letter.report.contact));
    mail::TlsReportMail about;
    about.from = from;
    about.to = letter.to;
    about.submitter = contact.domain;
    about.unique = letter.unique;
    about.now = unix_seconds(now);
    about.message_id = "<" + to_string(own_id) + "." + std::to_string(about.now) + ".tlsrpt@" +
                       settings.hostname + ">";
    about.boundary_seed = letter.unique;
    std::string bytes = CO_TRY(mail::build_tls_report_mail(letter.report, about));

    Arrival arrival;
    arrival.mail = own_id;
    arrival.origin.peer = "local";
    arrival.origin.received.helo = settings.hostname;
    arrival.sender = from;
    arrival.parsed = mail::parse_message(bytes);
    arrival.body = as_body(std::move(bytes));
    ArrivalRecipient recipient;
    recipient.resolved = CO_TRY(co_await find(services, letter.to));
    recipient.envelope.address = std::move(letter.to);
    recipient.envelope.parameters.notify.is_stated = true;  // NEVER
    arrival.recipients.push_back(std::move(recipient));
    const std::function<MailId()> next_id = [services] { return services->store->next_mail_id(); };
    Placement placement = place(settings, arrival, now, {false}, next_id);
    for (store::PlanStep& step : placement.plan.steps) {
        plan->steps.push_back(std::move(step));
    }
    plan->bodies.push_back(std::move(arrival.body));
    co_return own_id;
}

}  // namespace godwit::flow
