#include "flow/outbound/deliver_here.h"

#include <optional>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "flow/commit.h"
#include "flow/message_record.h"
#include "flow/read.h"
#include "mail/message/parser.h"
#include "mail/message/trace.h"
#include "store/directory/directory.h"
#include "store/mailbox/mailbox.h"

namespace godwit::flow {

namespace {

constexpr std::uint64_t kBodyStep = 64 * 1024;

smtp::Outcome say(smtp::OutcomeKind kind, std::uint16_t code, smtp::EnhancedStatus status,
                  std::string text) {
    smtp::Outcome outcome;
    outcome.kind = kind;
    outcome.scope =
        kind == smtp::OutcomeKind::Delivered ? smtp::FaultScope::None : smtp::FaultScope::Recipient;
    outcome.stage = smtp::Stage::DataEnd;
    outcome.reply = smtp::make_reply(code, status, std::move(text));
    outcome.is_local = true;
    return outcome;
}

smtp::Outcome outcome_of(const Error& error) {
    switch (error.code) {
        case ErrorCode::OverQuota:
            return say(smtp::OutcomeKind::Temporary, 452, {4, 2, 2}, "Mailbox is full");
        case ErrorCode::NotFound:
            return say(smtp::OutcomeKind::Temporary, 450, {4, 2, 1}, "Mailbox is being changed");
        default:
            return say(smtp::OutcomeKind::Temporary, 451, {4, 3, 0},
                       "Cannot store the message now");
    }
}

// A piece at a time; the whole is never in memory.
net::Task<Result<mail::ParsedMessage>> parse_stored(const Services* services,
                                                    const store::QueueMessage* message) {
    mail::MessageParser parser;
    store::BlobStore* blobs = &services->store->blobs();
    const BlobId blob = message->blob;
    for (std::uint64_t at = 0; at < message->blob_size;) {
        const std::string piece = CO_TRY(co_await read(
            services, [blobs, blob, at](const store::Snapshot&, store::ReadTier tier) {
                return blobs->read(blob, at, kBodyStep, tier);
            }));
        if (piece.empty()) {
            co_return internal_error(ErrorCode::Corrupt, "the body is too short");
        }
        parser.feed(piece);
        at += piece.size();
    }
    co_return parser.finish();
}

// One recipient; `record` has no prefix yet.
net::Task<smtp::Outcome> deliver_one(const Services* services, const store::QueueMessage* message,
                                     std::string name, store::MessageRecord record,
                                     std::uint64_t once_key) {
    const auto address = mail::parse_address(name);
    if (!address) {
        co_return say(smtp::OutcomeKind::Permanent, 550, {5, 1, 1},
                      "<" + name + "> is not known here");
    }
    const std::string domain = services->settings()->default_domain;
    const auto found = co_await read(
        services,
        [address = *address, domain](const store::Snapshot& snapshot, store::ReadTier tier) {
            return store::resolve_recipient(snapshot, tier, address, domain);
        });
    if (!found) {
        co_return outcome_of(found.error());
    }
    std::optional<mail::Address> sender;
    if (auto parsed = mail::parse_address(message->sender, mail::Domainless::Allow); parsed) {
        sender = std::move(*parsed);
    }
    const WallTime now = services->clock->wall();
    store::Plan plan;
    for (const store::Target& target : found->targets) {
        const auto* local = std::get_if<store::LocalTarget>(&target);
        if (local == nullptr) {
            continue;
        }
        store::AppendMessage append;
        append.account = local->account;
        append.mailbox = store::kInbox;
        append.record = record;
        append.record.prefix = mail::write_return_path(sender) +
                               mail::write_delivered_to(local->address) + message->prefix;
        append.internal_date = unix_seconds(now);
        append.mail = message->mail;
        append.once_key = once_key;
        plan.steps.emplace_back(std::move(append));
    }
    if (plan.steps.empty()) {
        co_return say(smtp::OutcomeKind::Permanent, 550, {5, 1, 1},
                      "<" + name + "> is not known here any more");
    }
    JsonWriter json;
    json.begin_object().key("to").begin_array().string(name).end_array();
    json.field("mailbox", "INBOX").end_object();
    plan.steps.emplace_back(
        store::TraceEvent{message->mail, now, "delivered", std::move(json).take()});
    const store::CommitResult committed = co_await commit(services->store, std::move(plan));
    if (!committed) {
        log::warn("queue.not_delivered_here",
                  {{"id", message->mail}, {"error", committed.error().error.text}});
        co_return outcome_of(committed.error().error);
    }
    count(Metric::LocalDeliveries);
    co_return say(smtp::OutcomeKind::Delivered, 250, {2, 1, 5}, "Delivered");
}

}  // namespace

net::Task<std::vector<AttemptResult>> deliver_here(const Services* services,
                                                   const store::QueueMessage* message,
                                                   const store::QueueDelivery* delivery) {
    std::vector<AttemptResult> results;
    const Result<mail::ParsedMessage> parsed = co_await parse_stored(services, message);
    store::MessageRecord record;
    if (parsed) {
        store::NewBody body;
        body.id = message->blob;
        body.size = message->blob_size;
        record = make_record(*parsed, body);
    }
    for (std::size_t i = 0; i < delivery->recipients.size(); ++i) {
        if (delivery->recipients[i].state != store::RecipientState::Waiting) {
            continue;
        }
        AttemptResult result;
        result.recipient = i;
        result.is_final = true;
        if (parsed) {
            const std::uint64_t once_key = (std::uint64_t{delivery->number} << 32U) + i + 1;
            result.outcome = co_await deliver_one(
                services, message, delivery->recipients[i].address, record, once_key);
        } else {
            result.outcome = outcome_of(parsed.error());
        }
        results.push_back(std::move(result));
    }
    co_return results;
}

}  // namespace godwit::flow
