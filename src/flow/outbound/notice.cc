#include "flow/outbound/notice.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/inbound/placement.h"
#include "flow/read.h"
#include "mail/message/parser.h"
#include "store/directory/directory.h"

namespace godwit::flow {

namespace {

// Prefix and body, at most what a report may return; the rest is not read.
net::Task<Result<std::string>> read_original(const Services* services,
                                             const store::QueueMessage* message) {
    const BlobId blob = message->blob;
    store::BlobStore* blobs = &services->store->blobs();
    constexpr std::uint64_t wanted =
        limits::header_block_size_max + limits::dsn_returned_body_size_max;
    std::string body =
        CO_TRY(co_await read(services, [blobs, blob](const store::Snapshot&, store::ReadTier tier) {
            return blobs->read(blob, 0, wanted, tier);
        }));
    co_return message->prefix + body;
}

// Trying again later does not help.
bool is_beyond_reading(const Error& error) {
    return error.code == ErrorCode::Corrupt || error.code == ErrorCode::NotFound;
}

// The body of a notice is made here whole: it is small, and it is in memory already.
store::NewBody as_body(std::string bytes) {
    store::NewBody body;
    body.id.hash = sha256(bytes);
    body.size = bytes.size();
    body.content = std::move(bytes);
    return body;
}

// What the report of `own_id` says, but for the original. Takes the recipients.
mail::DsnReport report_of(const Services& services, Notice& notice, const mail::Address& sender,
                          MailId own_id) {
    const std::string hostname = services.settings()->hostname;
    const std::int64_t now = unix_seconds(services.clock->wall());
    mail::DsnReport report;
    report.reporting_host = hostname;
    report.envelope_id = notice.message.envelope_id;
    report.arrived = unix_seconds(notice.message.accepted_at);
    report.now = now;
    report.sender = sender;
    report.message_id =
        "<" + to_string(own_id) + "." + std::to_string(now) + ".dsn@" + hostname + ">";
    report.boundary_seed = hex_encode(services.random->bytes(12));
    report.recipients = std::move(notice.recipients);
    // RET asks for the whole message only where it failed (RFC 3461 4.3); other reports carry its
    // header, as all do that must travel protected (RFC 8689 5).
    const bool is_failure = std::any_of(
        report.recipients.begin(), report.recipients.end(),
        [](const mail::DsnRecipient& r) { return r.action == mail::DsnAction::Failed; });
    report.return_full =
        is_failure && !notice.message.return_headers_only && !notice.message.require_tls;
    return report;
}

}  // namespace

net::Task<Result<>> add_notice(const Services* services, store::Plan* plan, Notice notice) {
    if (notice.message.sender.empty()) {
        probe<"outbound.nobody_to_tell">();
        co_return Result<>();
    }
    const SettingsPtr settings = services->settings();
    const mail::Address sender = CO_TRY(mail::parse_address(notice.message.sender));
    if (notice.original.empty()) {
        Result<std::string> original = co_await read_original(services, &notice.message);
        if (!original && is_beyond_reading(original.error())) {
            probe<"outbound.original_unreadable">();
            log::error("dsn.without_original",
                       {{"id", notice.message.mail}, {"error", original.error().text}});
            // Our own trace line is all that is left to return.
            original = notice.message.prefix;
        }
        notice.original = CO_TRY(std::move(original));
    }
    const MailId own_id = services->store->next_mail_id();
    mail::DsnReport report = report_of(*services, notice, sender, own_id);
    report.original = std::move(notice.original);
    std::string bytes = CO_TRY(mail::build_dsn(report));

    Arrival arrival;
    arrival.mail = own_id;
    arrival.origin.peer = "local";
    arrival.origin.received.helo = settings->hostname;
    arrival.parsed = mail::parse_message(bytes);
    arrival.body = as_body(std::move(bytes));
    arrival.parameters.smtputf8 = sender.needs_smtputf8();
    arrival.parameters.require_tls = notice.message.require_tls;  // RFC 8689 5
    arrival.parameters.priority = notice.message.priority;        // RFC 6710 4.6

    const std::string domain = settings->default_domain;
    const mail::Address postmaster = {.local = "postmaster", .domain = domain};
    ArrivalRecipient recipient;
    recipient.envelope.address = sender;
    recipient.resolved = CO_TRY(co_await read(
        services,
        [sender, postmaster, domain](const store::Snapshot& snapshot,
                                     store::ReadTier tier) -> Result<store::Recipient> {
            store::Recipient resolved =
                TRY(store::resolve_recipient(snapshot, tier, sender, domain));
            if (resolved.verdict == store::RecipientVerdict::NotLocal) {
                resolved.targets = {store::RemoteTarget{sender}};
            } else if (resolved.verdict != store::RecipientVerdict::Local) {
                // A local sender that is gone: a person looks at what came of its mail.
                resolved = TRY(store::resolve_recipient(snapshot, tier, postmaster, domain));
            }
            return resolved;
        }));
    if (recipient.resolved.targets.empty()) {
        log::warn("dsn.nowhere_to_go",
                  {{"id", notice.message.mail}, {"sender", notice.message.sender}});
        co_return Result<>();
    }
    arrival.recipients.push_back(std::move(recipient));
    Placement placement = place(*settings, arrival, services->clock->wall(), {false});
    for (store::PlanStep& step : placement.plan.steps) {
        plan->steps.push_back(std::move(step));
    }
    plan->bodies.push_back(std::move(arrival.body));
    co_return Result<>();
}

}  // namespace godwit::flow
