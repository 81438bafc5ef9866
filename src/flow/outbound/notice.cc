#include "flow/outbound/notice.h"

#include <algorithm>
#include <functional>

#include "base/encoding.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/forward/return_address.h"
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

// Where the report goes: behind a return address of ours is whoever sent the mail first (G5). A
// local sender that is gone has the postmaster look at what came of its mail; one behind an address
// that has run out is told nothing.
net::Task<Result<Returned>> find_sender(const Services* services, mail::Address sender) {
    const ReturnContext context = return_context(services);
    co_return co_await read(
        services,
        [sender, context](const store::Snapshot& snapshot,
                          store::ReadTier tier) -> Result<Returned> {
            Returned returned = TRY(resolve_returned(snapshot, tier, sender, context));
            if (returned.fault) {
                return returned;
            }
            if (returned.recipient.verdict == store::RecipientVerdict::NotLocal) {
                returned.recipient.targets = {store::RemoteTarget{returned.address}};
            } else if (returned.recipient.verdict != store::RecipientVerdict::Local) {
                const mail::Address postmaster = {.local = "postmaster",
                                                  .domain = context.default_domain};
                returned.recipient = TRY(
                    store::resolve_recipient(snapshot, tier, postmaster, context.default_domain));
            }
            return returned;
        });
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
    const Returned returned = CO_TRY(co_await find_sender(services, sender));
    const MailId own_id = services->store->next_mail_id();
    mail::DsnReport report = report_of(*services, notice, returned.address, own_id);
    report.original = std::move(notice.original);
    std::string bytes = CO_TRY(mail::build_dsn(report));

    Arrival arrival;
    arrival.mail = own_id;
    arrival.origin.peer = "local";
    arrival.origin.received.helo = settings->hostname;
    arrival.parsed = mail::parse_message(bytes);
    arrival.body = as_body(std::move(bytes));
    arrival.parameters.smtputf8 = returned.address.needs_smtputf8();
    arrival.parameters.require_tls = notice.message.require_tls;  // RFC 8689 5
    arrival.parameters.priority = notice.message.priority;        // RFC 6710 4.6

    ArrivalRecipient recipient;
    recipient.envelope.address = returned.address;
    recipient.resolved = returned.recipient;
    if (recipient.resolved.targets.empty()) {
        log::warn("dsn.nowhere_to_go",
                  {{"id", notice.message.mail}, {"sender", notice.message.sender}});
        co_return Result<>();
    }
    arrival.recipients.push_back(std::move(recipient));
    const std::function<MailId()> next_id = [services] { return services->store->next_mail_id(); };
    Placement placement = place(*settings, arrival, services->clock->wall(), {false}, next_id);
    for (store::PlanStep& step : placement.plan.steps) {
        plan->steps.push_back(std::move(step));
    }
    plan->bodies.push_back(std::move(arrival.body));
    co_return Result<>();
}

}  // namespace godwit::flow
