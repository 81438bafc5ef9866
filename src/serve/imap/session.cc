#include "serve/imap/session.h"

#include "base/log.h"
#include "base/metrics.h"
#include "serve/imap/changes.h"
#include "serve/imap/conversation.h"

namespace godwit::serve {

namespace {

using imap_desk::Answer;
using imap_desk::CommandRow;
using imap_desk::Conversation;
using imap_desk::Expunges;
using imap_desk::Prefix;

// Carries one connection from greeting to close; what commands do is in the table.
class Session {
public:
    explicit Session(Connection connection)
        : protocol_(connection.listener.protocol),
          tls_(connection.tls),
          conversation_(std::move(connection)) {}

    net::Task<void> run();

private:
    net::Task<Result<>> converse();
    net::Task<Result<>> handle(imap::ReaderEvent event);
    net::Task<Result<>> handle_command(imap::Command command);
    net::Task<Result<>> load_ahead();
    net::Task<std::optional<Answer>> get_rows(const CommandRow* row);
    void greet();
    void answer(const std::string& tag, const Answer& answer);
    std::optional<Answer> forbid(const CommandRow* row, const imap::Command& command);

    flow::Protocol protocol_;
    const net::TlsServerContext* tls_;
    Conversation conversation_;
    std::size_t bad_commands_ = 0;
};

net::Task<void> Session::run() {
    net::Stream& stream = conversation_.stream();
    if (protocol_ == flow::Protocol::Imaps && tls_ != nullptr && conversation_.has_permit()) {
        const Result<> secured = co_await conversation_.start_tls();
        if (!secured) {
            log::info("imap.tls_failed",
                      {{"peer", stream.peer().to_string()}, {"error", secured.error().text}});
            co_return;
        }
    }
    const Result<> ended = co_await converse();
    co_await conversation_.leave_mailbox();
    if (!ended) {
        if (ended.error().code != ErrorCode::Closed) {
            log::debug("imap.connection_lost",
                       {{"peer", stream.peer().to_string()}, {"error", ended.error().text}});
        }
        co_return;
    }
    stream.set_deadline(stream.shard().now() + std::chrono::seconds(5));
    co_await stream.close();
}

void Session::greet() {
    if (!conversation_.has_permit()) {
        conversation_.say_bye(imap::code::kUnavailable, "Too many connections, try again later");
        return;
    }
    // Q37: many clients never ask.
    conversation_.out().untagged(imap::Condition::Ok,
                                 imap::code::capability(imap_desk::capability_list(conversation_)),
                                 conversation_.services()->settings()->hostname + " Godwit ready");
}

net::Task<Result<>> Session::converse() {
    greet();
    for (;;) {
        if (CO_TRY(co_await conversation_.must_end())) {
            break;
        }
        imap::ReaderEvent event = conversation_.reader().next();
        if (std::holds_alternative<imap::NeedMore>(event)) {
            CO_TRY(co_await load_ahead());
            CO_TRY(co_await imap_desk::tell_unasked(&conversation_));
            if (!conversation_.has_said_bye()) {
                static_cast<void>(
                    CO_TRY(co_await conversation_.fill(conversation_.silence_limit())));
            }
            continue;
        }
        CO_TRY(co_await handle(std::move(event)));
        CO_TRY(co_await conversation_.drain());
    }
    CO_TRY(co_await conversation_.flush());
    co_return Result<>();
}

net::Task<Result<>> Session::handle(imap::ReaderEvent event) {
    if (auto* command = std::get_if<imap::Command>(&event)) {
        CO_TRY(co_await handle_command(std::move(*command)));
    } else if (std::holds_alternative<imap::Continue>(event)) {
        conversation_.out().continuation("Go ahead");
    } else if (auto* offer = std::get_if<imap::LiteralOffer>(&event)) {
        // APPEND begins before it is whole; it takes the rest from the reader itself.
        imap::Command begun = std::move(offer->command);
        CO_TRY(co_await handle_command(std::move(begun)));
    } else if (const auto* rejected = std::get_if<imap::Rejected>(&event)) {
        Answer refused = imap_desk::bad(rejected->text);
        refused.code = rejected->code;
        answer(rejected->tag, refused);
    } else if (const auto* fatal = std::get_if<imap::Fatal>(&event)) {
        count(Metric::ImapLimitHits);
        conversation_.say_fatal(*fatal);
    }
    co_return Result<>();
}

std::optional<Answer> Session::forbid(const CommandRow* row, const imap::Command& command) {
    if (row == nullptr) {
        return imap_desk::bad("Unknown command");
    }
    if (command.uid ? row->prefix == Prefix::None : row->prefix == Prefix::Required) {
        return imap_desk::bad("Unknown command");
    }
    // RFC 9586 3: these would name messages by number. EXPUNGE and ESEARCH name none.
    if (row->prefix == Prefix::Optional && !command.uid && row->run != &imap_desk::run_expunge &&
        row->run != &imap_desk::run_esearch &&
        conversation_.has_enabled(imap_desk::Feature::UidOnly)) {
        return imap_desk::uid_required();
    }
    if ((row->states & static_cast<std::uint8_t>(conversation_.state())) != 0) {
        return std::nullopt;
    }
    switch (conversation_.state()) {
        case imap_desk::State::NotAuthenticated: return imap_desk::bad("Please log in first");
        case imap_desk::State::Authenticated:
            return imap_desk::bad((row->states & 1U) != 0 ? "Already logged in"
                                                          : "Please select a mailbox first");
        case imap_desk::State::Selected: break;
    }
    return imap_desk::bad("Already logged in");
}

// SELECT is answered; what most clients ask for next needs the rows, and while they think is a good
// time. Where that fails the command that needs them says so.
net::Task<Result<>> Session::load_ahead() {
    if (conversation_.selected() == nullptr || conversation_.selected()->is_settled()) {
        co_return Result<>();
    }
    CO_TRY(co_await conversation_.flush());
    if (const Result<> ready = co_await conversation_.need_rows(); !ready) {
        log::warn("imap.rows_unread", {{"error", ready.error().text}});
    }
    co_return Result<>();
}

// Commands that only a selected mailbox can be given work on its rows, and ESEARCH may; to leave
// it,
// none are needed.
net::Task<std::optional<Answer>> Session::get_rows(const CommandRow* row) {
    const bool may_use_rows =
        row->states == static_cast<std::uint8_t>(imap_desk::State::Selected) ||
        row->run == &imap_desk::run_esearch;
    if (conversation_.selected() == nullptr || !may_use_rows ||
        row->run == &imap_desk::run_unselect) {
        co_return std::nullopt;
    }
    if (const Result<> ready = co_await conversation_.need_rows(); !ready) {
        co_return imap_desk::refusal(ready.error(), row->name);
    }
    if (conversation_.has_said_bye()) {
        co_return Answer{.code = "", .text = "", .is_silent = true};
    }
    if (!conversation_.selected()->is_settled() && row->run != &imap_desk::run_close &&
        row->run != &imap_desk::run_check) {
        co_return imap_desk::forbid_read(&conversation_);
    }
    co_return std::nullopt;
}

net::Task<Result<>> Session::handle_command(imap::Command command) {
    count(Metric::ImapCommands);
    const CommandRow* row = imap_desk::find_command(command.name);
    const std::string tag = command.tag;
    if (const std::optional<Answer> forbidden = forbid(row, command)) {
        if (!command.streamed.empty()) {
            conversation_.reader().refuse_literal();
        }
        answer(tag, *forbidden);
        co_return Result<>();
    }
    // T84: whoever is in a mailbox of somebody else is asked for his rights by each command.
    const Result<> checked = co_await conversation_.check_access();
    if (!checked || conversation_.has_said_bye()) {
        if (!command.streamed.empty()) {
            conversation_.reader().refuse_literal();
        }
        if (!checked) {
            answer(tag, imap_desk::refusal(checked.error(), command.name));
        }
        co_return Result<>();
    }
    if (const std::optional<Answer> unready = co_await get_rows(row)) {
        if (!command.streamed.empty()) {
            conversation_.reader().refuse_literal();
        }
        answer(tag, *unready);
        co_return Result<>();
    }
    // RFC 3501 7.4.1 names FETCH, STORE and SEARCH; with UID they are other commands.
    const Expunges expunges = command.uid ? Expunges::Tell : row->expunges;
    conversation_.progress().begin(tag, conversation_.stream().shard().now());
    const Answer done = CO_TRY(co_await row->run(&conversation_, std::move(command)));
    if (!conversation_.has_said_bye() && !done.is_silent &&
        done.condition != imap::Condition::Bad) {
        if (conversation_.selected() != nullptr &&
            (row->run == &imap_desk::run_expunge || row->run == &imap_desk::run_move)) {
            conversation_.selected()->tell_own_expunges();
        }
        CO_TRY(co_await imap_desk::tell_news(&conversation_,
                                             done.holds_expunges ? Expunges::Hold : expunges));
    }
    answer(tag, done);
    co_return Result<>();
}

void Session::answer(const std::string& tag, const Answer& answer) {
    if (!answer.is_silent) {
        conversation_.out().tagged(tag, answer.condition, answer.code, answer.text);
        conversation_.call_once_written(answer.once_written);
    }
    if (answer.condition != imap::Condition::Bad) {
        bad_commands_ = 0;
    } else if (++bad_commands_ >= limits::imap_bad_commands_max) {
        count(Metric::ImapLimitHits);
        conversation_.say_bye("", "Too many bad commands");
    }
}

}  // namespace

net::Task<void> serve_imap(Connection connection) {
    Session session(std::move(connection));
    co_await session.run();
}

}  // namespace godwit::serve
