#include "flow/outbound/body_form.h"

#include "base/probe.h"
#include "flow/read.h"
#include "mail/message/parser.h"

namespace godwit::flow {

namespace {

constexpr std::uint64_t kBodyStep = 64 * 1024;

bool may_change(const Services* services, const store::QueueMessage& message) {
    switch (services->settings()->reencode) {
        case Reencode::Never: return false;
        case Reencode::Own:
            // Of an account, of a program on this machine, or a report of ours.
            return message.submitter != AccountId{} || message.peer.starts_with("local");
        case Reencode::Unsigned: return true;
    }
    return false;
}

smtp::Outcome refuse(smtp::EnhancedStatus status, std::string text) {
    smtp::Outcome outcome;
    outcome.kind = smtp::OutcomeKind::Permanent;
    outcome.scope = smtp::FaultScope::Host;  // Another host may take it as it is.
    outcome.stage = smtp::Stage::Mail;
    outcome.reply = smtp::make_reply(554, status, std::move(text));
    outcome.is_local = true;
    return outcome;
}

template <class Reader>
net::Task<Result<>> read_into(const Services* services, const store::QueueMessage* message,
                              Reader* reader) {
    StoredMessage stored(services, message);
    for (;;) {
        const std::string piece = CO_TRY(co_await stored.next());
        if (piece.empty()) {
            co_return Result<>();
        }
        reader->feed(piece);
    }
}

/// Counts what a Reencoder writes.
class Measure {
public:
    explicit Measure(const mail::ReencodePlan* plan) : encoder_(plan) {}
    void feed(std::string_view bytes) {
        std::string out;
        encoder_.feed(bytes, out);
        size_ += out.size();
    }
    std::uint64_t finish() {
        std::string out;
        encoder_.finish(out);
        return size_ + out.size();
    }

private:
    mail::Reencoder encoder_;
    std::uint64_t size_ = 0;
};

}  // namespace

net::Task<Result<std::string>> StoredMessage::next() {
    if (!std::exchange(has_given_prefix_, true) && !message_->prefix.empty()) {
        co_return message_->prefix;
    }
    if (offset_ >= message_->blob_size) {
        co_return std::string();
    }
    store::BlobStore* blobs = &services_->store->blobs();
    const BlobId blob = message_->blob;
    const std::uint64_t at = offset_;
    std::string piece = CO_TRY(
        co_await read(services_, [blobs, blob, at](const store::Snapshot&, store::ReadTier tier) {
            return blobs->read(blob, at, kBodyStep, tier);
        }));
    if (piece.empty()) {
        co_return internal_error(ErrorCode::Corrupt, "the body is too short");
    }
    offset_ += piece.size();
    co_return piece;
}

net::Task<Result<BodyForm>> decide_form(const Services* services,
                                        const store::QueueMessage* message, HopForm hop) {
    BodyForm form;
    form.size = message->prefix.size() + message->blob_size;
    form.is_eight_bit = message->is_8bit;
    form.is_binary = message->is_binary;
    const bool may = may_change(services, *message);
    const bool must = message->is_binary && !hop.binary;
    const bool is_eight_bit_lost = message->is_8bit && !message->is_binary && !hop.eight_bit;
    const bool is_long = message->has_long_lines && !message->is_binary;
    if (!must && !(may && (is_eight_bit_lost || is_long))) {
        co_return form;
    }
    mail::MessageParser parser;
    CO_TRY(co_await read_into(services, message, &parser));
    const mail::ParsedMessage parsed = parser.finish();
    if (mail::is_signed(parsed)) {
        if (must) {
            form.refusal = refuse({5, 6, 1},
                                  "The next host takes no binary content, and what is signed is "
                                  "not converted");
        }
        co_return form;  // D9: just as it is.
    }
    mail::ReencodeSurvey survey(&parsed);
    CO_TRY(co_await read_into(services, message, &survey));
    auto plan = std::make_shared<mail::ReencodePlan>(
        survey.finish({.eight_bit = hop.eight_bit, .long_lines = !may}));
    switch (plan->verdict) {
        case mail::ReencodePlan::Verdict::Fits: form.is_binary = false; co_return form;
        case mail::ReencodePlan::Verdict::Signed:
        case mail::ReencodePlan::Verdict::Impossible:
            if (must) {
                form.refusal =
                    refuse({5, 6, 3}, "The binary content cannot be converted for the next host");
            }
            co_return form;
        case mail::ReencodePlan::Verdict::Changes: break;
    }
    probe<"outbound.reencoded">();
    Measure measure(plan.get());
    CO_TRY(co_await read_into(services, message, &measure));
    form.size = measure.finish();
    form.is_binary = false;
    form.is_eight_bit = message->is_8bit && hop.eight_bit;
    form.plan = std::move(plan);
    co_return form;
}

}  // namespace godwit::flow
