// Serves APPEND: the message goes through to the body store while it arrives, byte for byte.
// RFC 3501 6.3.11; RFC 4315 3 (APPENDUID); RFC 7888; RFC 5530 3. Q14, Q27, Q35, Q44; T76, T77.
#include "base/log.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/message_record.h"
#include "flow/read.h"
#include "mail/message/parser.h"
#include "mail/message/summary.h"
#include "serve/imap/changes.h"
#include "store/directory/quota.h"
#include "wire/imap/arguments.h"

namespace godwit::serve::imap_desk {

namespace {

// One APPEND from the offer of its literal to the commit.
class Appending {
public:
    Appending(Conversation* conversation, imap::AppendMessage message, MailboxId mailbox)
        : c_(conversation),
          message_(std::move(message)),
          mailbox_(mailbox),
          writer_(c_->services()->store->blobs().writer()) {}

    /// The answer, after the whole command was read or refused.
    AnswerTask run();

private:
    /// nullopt: the command is whole. Else its answer.
    net::Task<Result<std::optional<Answer>>> receive();
    net::Task<Result<>> put(std::string bytes);
    net::Task<Result<store::NewBody>> finish_body();
    store::Plan make_plan(store::NewBody body);

    Conversation* c_;
    imap::AppendMessage message_;
    MailboxId mailbox_;
    // Two lifetimes: a session that is torn down leaves a job on the pool with its writer.
    std::shared_ptr<store::BlobWriter> writer_;
    mail::MessageParser parser_;
};

net::Task<Result<>> Appending::put(std::string bytes) {
    parser_.feed(bytes);
    if (!writer_->is_spooling() && writer_->size() + bytes.size() <= limits::body_memory_size_max) {
        co_return writer_->append(bytes);
    }
    std::shared_ptr<store::BlobWriter> writer = writer_;
    co_return co_await net::offload(c_->services()->offload, [writer, chunk = std::move(bytes)] {
        return writer->append(chunk);
    });
}

net::Task<Result<store::NewBody>> Appending::finish_body() {
    if (!writer_->is_spooling()) {
        co_return writer_->finish();
    }
    std::shared_ptr<store::BlobWriter> writer = writer_;
    co_return co_await net::offload(c_->services()->offload, [writer] { return writer->finish(); });
}

net::Task<Result<std::optional<Answer>>> Appending::receive() {
    imap::CommandReader& reader = c_->reader();
    for (;;) {
        imap::ReaderEvent event = reader.next();
        if (const auto* chunk = std::get_if<imap::LiteralChunkView>(&event)) {
            std::string bytes(chunk->bytes);
            if (bytes.find('\0') != std::string::npos) {
                // RFC 3501 4.3, 9: CHAR8 is %x01-ff. NO, since a client that moves a mailbox should
                // go on with the next message.
                reader.refuse_literal();
                co_return no(imap::code::kCannot, "The message has a NUL octet (RFC 3501 CHAR8)");
            }
            const Result<> stored = co_await put(std::move(bytes));
            if (!stored) {
                reader.refuse_literal();
                co_return refusal(stored.error(), "APPEND");
            }
        } else if (const auto* command = std::get_if<imap::Command>(&event)) {
            imap::Lexer lexer(*command);
            const Result<imap::AppendArguments> whole = imap::parse_append(lexer, c_->spelling());
            co_return whole ? std::optional<Answer>() : bad(whole.error().text);
        } else if (std::holds_alternative<imap::Continue>(event)) {
            c_->out().continuation("Go ahead");
        } else if (std::holds_alternative<imap::LiteralOffer>(event)) {
            reader.refuse_literal();
            co_return bad("One message in an APPEND");  // RFC 3502 is not announced.
        } else if (const auto* rejected = std::get_if<imap::Rejected>(&event)) {
            Answer answer = bad(rejected->text);
            answer.code = rejected->code;
            co_return answer;
        } else if (const auto* fatal = std::get_if<imap::Fatal>(&event)) {
            c_->say_fatal(*fatal);
            co_return Answer{.code = "", .text = "", .is_silent = true};
        } else if (std::holds_alternative<imap::NeedMore>(event)) {
            // A server that is closing lets the message come in; the silent are not waited for.
            const bool has_input = CO_TRY(co_await c_->fill(c_->silence_limit()));
            if (!has_input && c_->stream().shard().now() >= c_->silence_limit()) {
                c_->say_bye("", "Autologout, idle for too long");
                co_return Answer{.code = "", .text = "", .is_silent = true};
            }
        }
    }
}

store::Plan Appending::make_plan(store::NewBody body) {
    store::AppendMessage step;
    step.account = c_->account();
    step.mailbox = mailbox_;
    step.record = flow::make_record(parser_.finish(), body);
    step.flags = as_names(message_.flags);
    step.internal_date =
        unix_seconds(message_.internal_date.value_or(c_->services()->clock->wall()));
    store::Plan plan;
    plan.steps.emplace_back(std::move(step));
    plan.bodies.push_back(std::move(body));
    return plan;
}

Answer mailbox_refusal(const Error& error) {
    // RFC 3501 7.1: only where CREATE might help.
    return error.code == ErrorCode::NotFound ? no(imap::code::kTryCreate, "No such mailbox")
                                             : refusal(error, "APPEND");
}

AnswerTask Appending::run() {
    c_->reader().accept_literal();
    std::optional<Answer> failed = CO_TRY(co_await receive());
    if (failed) {
        co_return *std::move(failed);
    }
    Result<store::NewBody> body = co_await finish_body();
    if (!body) {
        co_return refusal(body.error(), "APPEND");
    }
    crash_point<"imap.append_planned">();
    store::CommitResult result =
        co_await flow::commit(c_->services()->store, make_plan(std::move(*body)));
    if (!result) {
        co_return mailbox_refusal(result.error().error);
    }
    crash_point<"imap.append_committed">();
    const auto& appended = std::get<store::Appended>(result->results.at(0));
    Answer answer = ok("APPEND completed");
    answer.code = imap::code::append_uid(appended.uid_validity, appended.uid);
    answer.once_written = &crash_point<"imap.append_answered">;
    co_return answer;
}

// Says no before the message is sent where that is known already.
net::Task<std::optional<Answer>> forbid_size(Conversation* c, std::uint64_t size) {
    if (size == 0) {
        co_return no(imap::code::kCannot, "The message is empty");
    }
    if (!c->services()->store->has_room_for_mail()) {
        probe<"imap.append_without_room">();
        co_return no(imap::code::kUnavailable, "Disk is nearly full, try again later");
    }
    const AccountId account = c->account();
    const Result<bool> fits = co_await flow::read(
        c->services(),
        [account, size](const store::Snapshot& snapshot, store::ReadTier tier) -> Result<bool> {
            return TRY(store::read_quota(snapshot, tier, account))
                .has_room({.bytes = size, .messages = 1});
        });
    if (!fits) {
        co_return refusal(fits.error(), "APPEND");
    }
    co_return *fits ? std::nullopt
                    : std::optional(no(imap::code::kOverQuota, "Account is over its quota"));
}

// Looks at an offer without taking its literal: the mailbox, or why not.
net::Task<std::expected<MailboxId, Answer>> judge(Conversation* c,
                                                  imap::AppendArguments* arguments) {
    const imap::AppendMessage& message = arguments->messages.back();
    if (arguments->messages.size() > 1) {
        co_return std::unexpected(bad("One message in an APPEND"));
    }
    if (message.literal.binary && !message.utf8) {
        co_return std::unexpected(
            bad("Binary literals are not taken"));  // RFC 3516 is not announced.
    }
    const Result<store::MailboxState> mailbox =
        co_await find_selectable(c, arguments->mailbox.name);
    if (!mailbox) {
        co_return std::unexpected(mailbox_refusal(mailbox.error()));
    }
    if (std::optional<Answer> forbidden = co_await forbid_size(c, message.literal.size)) {
        co_return std::unexpected(*std::move(forbidden));
    }
    co_return mailbox->id;
}

}  // namespace

AnswerTask run_append(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    if (command.streamed.empty()) {
        const Result<imap::AppendArguments> whole = imap::parse_append(lexer, c->spelling());
        co_return bad(whole ? "APPEND wants a message" : whole.error().text);
    }
    Result<imap::AppendArguments> arguments = imap::parse_append_offer(lexer, c->spelling());
    if (!arguments) {
        c->reader().refuse_literal();
        co_return bad(arguments.error().text);
    }
    std::expected<MailboxId, Answer> mailbox = co_await judge(c, &*arguments);
    if (!mailbox) {
        c->reader().refuse_literal();
        co_return std::move(mailbox.error());
    }
    Appending appending(c, std::move(arguments->messages.back()), *mailbox);
    co_return co_await appending.run();
}

}  // namespace godwit::serve::imap_desk
