// The session at work: what is said and heard, and the messages that go over it.
#include "flow/outbound/remote.h"

#include <algorithm>
#include <numeric>

#include "base/log.h"
#include "base/probe.h"
#include "flow/outbound/deliver_by.h"
#include "flow/read.h"
#include "store/kv/record.h"

namespace godwit::flow {

namespace {

namespace ev = smtp::client_event;

std::chrono::seconds patience(smtp::WaitingFor waiting) {
    switch (waiting) {
        case smtp::WaitingFor::Greeting: return limits::smtp_client_greeting_timeout;
        case smtp::WaitingFor::DataInitReply: return limits::smtp_client_data_init_timeout;
        case smtp::WaitingFor::BodyWrite: return limits::smtp_client_data_block_timeout;
        case smtp::WaitingFor::DataDoneReply: return limits::smtp_client_data_done_timeout;
        case smtp::WaitingFor::QuitReply: return limits::smtp_client_quit_timeout;
        case smtp::WaitingFor::CommandReply:
        case smtp::WaitingFor::Nothing: break;
    }
    return limits::smtp_client_command_timeout;
}

// What waits for its reply was said, or the reply has come.
void pass_said(smtp::WaitingFor awaited) {
    switch (awaited) {
        case smtp::WaitingFor::CommandReply: return crash_point<"outbound.command_said">();
        case smtp::WaitingFor::DataInitReply: return crash_point<"outbound.data_said">();
        case smtp::WaitingFor::DataDoneReply: return crash_point<"outbound.dot_said">();
        case smtp::WaitingFor::QuitReply: return crash_point<"outbound.quit_said">();
        case smtp::WaitingFor::Greeting:
        case smtp::WaitingFor::BodyWrite:
        case smtp::WaitingFor::Nothing: return;
    }
}

void pass_heard(smtp::WaitingFor awaited) {
    switch (awaited) {
        case smtp::WaitingFor::Greeting: return crash_point<"outbound.greeting_heard">();
        case smtp::WaitingFor::CommandReply: return crash_point<"outbound.command_answered">();
        case smtp::WaitingFor::DataInitReply: return crash_point<"outbound.data_answered">();
        case smtp::WaitingFor::DataDoneReply: return crash_point<"outbound.dot_answered">();
        case smtp::WaitingFor::QuitReply:
        case smtp::WaitingFor::BodyWrite:
        case smtp::WaitingFor::Nothing: return;
    }
}

smtp::Outcome unread_body() {
    smtp::Outcome outcome;
    outcome.scope = smtp::FaultScope::Message;
    outcome.stage = smtp::Stage::Body;
    outcome.reply = smtp::make_reply(451, {4, 3, 0}, "the stored message could not be read whole");
    outcome.is_local = true;
    return outcome;
}

smtp::RcptParameters parameters_of(const store::QueueRecipient& recipient) {
    smtp::RcptParameters parameters;
    const auto has = [&recipient](store::Notify bit) {
        return (recipient.notify & static_cast<std::uint8_t>(bit)) != 0;
    };
    parameters.notify.is_stated = recipient.notify != 0;
    parameters.notify.success = has(store::Notify::Success);
    parameters.notify.failure = has(store::Notify::Failure);
    parameters.notify.delay = has(store::Notify::Delay);
    const std::size_t separator = recipient.original.find(';');
    if (separator != std::string::npos) {
        parameters.orcpt = smtp::OriginalRecipient{recipient.original.substr(0, separator),
                                                   recipient.original.substr(separator + 1)};
    }
    if (recipient.valid_since) {
        parameters.valid_since =
            smtp::ValidSince{.at = unix_seconds(recipient.valid_since->at),
                             .must_be_checked = recipient.valid_since->must_be_checked};
    }
    return parameters;
}

}  // namespace

MonoTime RemoteSession::deadline_in(Duration patience) const {
    const MonoTime usual = net::Shard::here().now() + patience;
    return std::min(usual, hop_.give_up_at.value_or(usual));
}

// A reply that comes in drops has the time of one that does not: whoever says an octet now and then
// would keep its worker for ever.
MonoTime RemoteSession::deadline_of_reply() const {
    const MonoTime usual = waits_since_ + patience(engine_->waiting_for());
    return std::min(usual, hop_.give_up_at.value_or(usual));
}

void RemoteSession::note_quirk(PeerQuirk quirk) {
    if (services_->peer_quirks != nullptr) {
        probe<"outbound.peer_has_quirk">();
        log::info(
            "outbound.peer_quirk",
            {{"host", peer_name_},
             {"quirk", quirk == PeerQuirk::HangsInGroups ? "hangs in groups" : "masked greeting"}});
        services_->peer_quirks->note(at_, quirk, services_->clock->mono());
    }
}

// C18: what breaks behind such a greeting may go with less.
void RemoteSession::heed_masked_greeting(const std::vector<smtp::Outcome>& outcomes) {
    const bool is_broken = std::ranges::any_of(outcomes, [](const smtp::Outcome& outcome) {
        return outcome.is_local && outcome.kind == smtp::OutcomeKind::Temporary;
    });
    if (engine_->is_greeting_masked() && is_broken && may_say_helo()) {
        note_quirk(PeerQuirk::Fixup);
    }
}

net::Task<Result<>> RemoteSession::flush() {
    const bool is_complete = engine_->is_message_complete();
    const std::string output = engine_->take_output();
    if (output.empty()) {
        co_return Result<>();
    }
    if (in_hand_ != nullptr && is_complete) {
        in_hand_->set_may_be_sent(true);
    }
    // RFC 5321 4.5.3.2.5: for each block; what is a command alone is not given longer.
    stream_->set_deadline(deadline_in(limits::smtp_client_data_block_timeout));
    Result<> written = co_await stream_->write_all(output);
    waits_since_ = net::Shard::here().now();
    if (engine_->waiting_for() == smtp::WaitingFor::BodyWrite) {
        crash_point<"outbound.body_piece_said">();
    }
    if (!written) {
        engine_->on_write_failed();
    }
    co_return written;
}

// Writes what is ready, then waits for the peer once.
net::Task<void> RemoteSession::hear() {
    const Result<> written = co_await flush();
    const bool wants_body = engine_->waiting_for() == smtp::WaitingFor::BodyWrite;
    if (engine_->is_closed() || (written && wants_body)) {
        co_return;
    }
    if (!written) {
        probe<"outbound.cut_short">();
    }
    const smtp::WaitingFor awaited = engine_->waiting_for();
    pass_said(awaited);
    // After a write error the peer's last words may still be there (E7).
    stream_->set_deadline(deadline_of_reply());
    reply_buffer_.resize(reply_buffer_size);
    const Result<std::size_t> got = co_await stream_->read_some(reply_buffer_);
    if (got && *got > 0) {
        pass_heard(awaited);
        is_tls_proven_ = stream_->tls() != nullptr;
        const std::uint64_t before = engine_->replies();
        engine_->feed(std::string_view(reply_buffer_).substr(0, *got));
        waits_since_ = engine_->replies() != before ? net::Shard::here().now() : waits_since_;
    }
    if (is_late_alert(got)) {
        probe<"outbound.tls_late_alert">();
        engine_->tls_failed(got.error().text);
    } else if (!written) {
        engine_->on_disconnect(written.error().text);
    } else if (!got && got.error().code == ErrorCode::Timeout) {
        engine_->on_timeout();
    } else if (!got || *got == 0) {
        engine_->on_disconnect(got ? "connection closed by the peer" : got.error().text);
    }
}

// C19: with TLS 1.3 the peer's "no" to the handshake comes after we think it done.
bool RemoteSession::is_late_alert(const Result<std::size_t>& got) const {
    return stream_->tls() != nullptr && !is_tls_proven_ && !got &&
           got.error().kind == ErrorKind::Peer;
}

net::Task<ev::Event> RemoteSession::next_event() {
    for (;;) {
        std::optional<ev::Event> event = engine_->next_event();
        if (event && std::holds_alternative<ev::StartTls>(*event)) {
            co_await secure();
            continue;
        }
        if (event) {
            co_return std::move(*event);
        }
        if (engine_->is_closed()) {
            co_return ev::Closed{};
        }
        co_await hear();
    }
}

smtp::OutgoingMail RemoteSession::envelope(const RemoteMail& mail,
                                           const std::vector<std::size_t>& batch) const {
    smtp::OutgoingMail outgoing;
    if (!mail.message.sender.empty()) {
        if (auto sender = mail::parse_address(mail.message.sender, mail::Domainless::Allow);
            sender) {
            outgoing.sender = std::move(*sender);
        }
    }
    for (const std::size_t index : batch) {
        const store::QueueRecipient& recipient = mail.recipients[index];
        if (auto address = mail::parse_address(recipient.address); address) {
            outgoing.recipients.push_back({std::move(*address), parameters_of(recipient)});
        }
    }
    outgoing.size = form_.size;
    outgoing.is_eight_bit = form_.is_eight_bit;
    outgoing.needs_smtputf8 = mail.message.needs_smtputf8;
    // RFC 3461 5.2.1 (b): as it was said to us, or not at all.
    outgoing.ret = mail.message.return_headers_only ? smtp::DsnReturn::Headers
                   : mail.message.return_full       ? smtp::DsnReturn::Full
                                                    : smtp::DsnReturn::Unstated;
    if (!mail.message.envelope_id.empty()) {
        outgoing.envid = mail.message.envelope_id;
    }
    outgoing.is_binary = form_.is_binary;
    outgoing.require_tls = mail.message.require_tls;
    outgoing.by = time_left(mail.message, services_->clock->wall());
    outgoing.priority = mail.message.priority;
    outgoing.solicit = mail.message.solicit;
    outgoing.auth = mail.message.auth;
    return outgoing;
}

void RemoteSession::note_damage(MailId mail, const Error& error) {
    log::error("outbound.body_unreadable", {{"id", mail}, {"error", error.text}});
    if (error.code == ErrorCode::NotFound || store::is_damage(error)) {
        body_damage_ = error;
    }
}

// A message on its way: where it is read, and what rewrites it.
struct RemoteSession::Outgoing {
    Outgoing(const Services* services, const store::QueueMessage* queued,
             const mail::ReencodePlan* plan)
        : message(queued), stored(services, queued) {
        if (plan != nullptr) {
            encoder.emplace(plan);
        }
    }
    const store::QueueMessage* message;
    StoredMessage stored;
    std::optional<mail::Reencoder> encoder;
};

// One step of the body. It leaves when enough is there to be written, or with its end.
net::Task<void> RemoteSession::pump_body(Outgoing* outgoing) {
    for (;;) {
        Result<std::string> piece = co_await outgoing->stored.next();
        if (!piece) {
            note_damage(outgoing->message->mail, piece.error());
            engine_->abort_body();
            co_return;
        }
        const bool is_end = piece->empty();
        std::string bytes;
        if (!outgoing->encoder) {
            bytes = std::move(*piece);
        } else if (is_end) {
            outgoing->encoder->finish(bytes);
        } else {
            outgoing->encoder->feed(*piece, bytes);
        }
        if (!bytes.empty()) {
            engine_->supply(bytes);
        }
        if (is_end) {
            engine_->end_body();
        }
        if (is_end || !bytes.empty()) {
            co_return;
        }
    }
}

// False when the stored message could not be read.
net::Task<bool> RemoteSession::prepare_body(const store::QueueMessage* message) {
    const smtp::ExtensionSet& offered = engine_->peer().set;
    const HopForm hop{.eight_bit = offered.contains(smtp::Extension::EightBitMime),
                      .binary = offered.contains(smtp::Extension::BinaryMime) &&
                                offered.contains(smtp::Extension::Chunking)};
    Result<BodyForm> form = co_await decide_form(services_, message, hop);
    if (!form) {
        note_damage(message->mail, form.error());
        co_return false;
    }
    form_ = std::move(*form);
    co_return true;
}

// As many of those that are left as the peer takes in one transaction (RFC 9422); at least one.
std::vector<std::size_t> RemoteSession::next_batch(const RemoteMail& mail,
                                                   const std::vector<std::size_t>& open) const {
    const smtp::PeerLimits& peer = engine_->peer().limits;
    std::vector<std::size_t> batch;
    std::vector<std::string> domains;
    for (const std::size_t index : open) {
        if (peer.recipients && batch.size() >= *peer.recipients) {
            break;
        }
        const std::string& address = mail.recipients[index].address;
        std::string domain = to_lower(address.substr(address.rfind('@') + 1));
        if (std::ranges::find(domains, domain) == domains.end()) {
            if (peer.domains && domains.size() >= *peer.domains) {
                continue;
            }
            domains.push_back(std::move(domain));
        }
        batch.push_back(index);
    }
    return batch;
}

net::Task<std::vector<smtp::Outcome>> RemoteSession::send(RemoteMail mail) {
    body_damage_.reset();
    const bool is_read = co_await prepare_body(&mail.message);
    if (!is_read || form_.refusal) {
        // Nothing was said: the session is as good as before.
        co_return std::vector<smtp::Outcome>(mail.recipients.size(),
                                             is_read ? *form_.refusal : unread_body());
    }
    std::vector<std::optional<smtp::Outcome>> outcomes(mail.recipients.size());
    std::vector<std::size_t> open(mail.recipients.size());
    std::iota(open.begin(), open.end(), std::size_t{0});
    const std::uint32_t mails_max = engine_->peer().limits.mails.value_or(UINT32_MAX);
    while (!open.empty() && is_ready_) {
        const std::vector<std::size_t> batch = next_batch(mail, open);
        std::vector<smtp::Outcome> said = co_await transact(&mail, batch);
        std::erase_if(open, [&](std::size_t index) {
            const auto at = std::ranges::find(batch, index);
            if (at == batch.end()) {
                return false;
            }
            smtp::Outcome& outcome = said[static_cast<std::size_t>(at - batch.begin())];
            // B6: those that were only too many go next, in the same session. Each turn settles
            // one at the least: the first that was accepted.
            const bool goes_again = outcome.is_for_number && is_ready_;
            outcomes[index] = std::move(outcome);
            return !goes_again;
        });
        if (messages_ >= mails_max && is_ready_) {
            is_used_up_ = !open.empty();
            co_await close();  // B7: the peer wants no more on this connection.
        }
    }
    std::vector<smtp::Outcome> all;
    for (std::optional<smtp::Outcome>& outcome : outcomes) {
        all.push_back(std::move(outcome).value_or(
            host_failure(smtp::Stage::Mail, {4, 4, 2}, peer_name_ + ": connection lost")));
    }
    co_return all;
}

net::Task<std::vector<smtp::Outcome>> RemoteSession::transact(const RemoteMail* mail,
                                                              std::vector<std::size_t> batch) {
    is_ready_ = false;
    ++messages_;
    in_hand_ = mail->in_hand;
    engine_->send(envelope(*mail, batch));
    Outgoing outgoing(services_, &mail->message, form_.plan.get());
    std::vector<smtp::Outcome> outcomes;
    for (;;) {
        ev::Event event = co_await next_event();
        if (std::holds_alternative<ev::Pause>(event)) {
            if (const Result<> written = co_await flush(); written) {
                co_await net::sleep_for(fixup_pause);
            }
            engine_->resume();
            continue;
        }
        if (std::holds_alternative<ev::NeedBody>(event)) {
            co_await pump_body(&outgoing);
            continue;
        }
        if (auto* done = std::get_if<ev::TransactionDone>(&event)) {
            outcomes = std::move(done->outcomes);
            if (done->too_many_recipients) {
                probe<"outbound.too_many_recipients">();
            }
            if (engine_->is_closed()) {
                break;
            }
            continue;
        }
        is_ready_ = std::holds_alternative<ev::Ready>(event);
        break;
    }
    in_hand_ = nullptr;
    if (engine_->is_closed()) {
        co_await part();  // D15: it may still have its QUIT to say.
    }
    if (engine_->has_hung_in_group()) {
        note_quirk(PeerQuirk::HangsInGroups);
    }
    heed_masked_greeting(outcomes);
    if (outcomes.size() != batch.size()) {
        outcomes.resize(batch.size(), host_failure(smtp::Stage::Mail, {4, 4, 2},
                                                   peer_name_ + ": connection lost"));
    }
    co_return outcomes;
}

net::Task<smtp::Outcome> RemoteSession::ask(std::string sender, mail::Address recipient) {
    smtp::OutgoingMail question;
    question.is_probe = true;
    if (auto from = mail::parse_address(sender, mail::Domainless::Allow); from) {
        question.sender = std::move(*from);
    }
    question.recipients.push_back({std::move(recipient), {}});
    is_ready_ = false;
    ++messages_;
    engine_->send(std::move(question));
    smtp::Outcome said =
        host_failure(smtp::Stage::Mail, {4, 4, 2}, peer_name_ + ": connection lost");
    for (;;) {
        ev::Event event = co_await next_event();
        auto* done = std::get_if<ev::TransactionDone>(&event);
        if (done == nullptr) {
            is_ready_ = std::holds_alternative<ev::Ready>(event);
            co_return said;
        }
        if (!done->outcomes.empty()) {
            said = std::move(done->outcomes.front());
        }
    }
}

bool RemoteSession::peer_has_dsn() const {
    return engine_ && engine_->peer().set.contains(smtp::Extension::Dsn);
}

bool RemoteSession::peer_keeps_time() const {
    return engine_ && engine_->peer().set.contains(smtp::Extension::DeliverBy);
}

net::Task<void> RemoteSession::close() {
    if (!is_ready_) {
        co_return;
    }
    is_ready_ = false;
    engine_->quit();
    const ev::Event event = co_await next_event();
    static_cast<void>(event);  // 221 or not, it is over (C13).
    stream_->set_deadline(net::Shard::here().now() + limits::smtp_client_quit_timeout);
    co_await stream_->close();
}

}  // namespace godwit::flow
