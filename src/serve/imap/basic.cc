// Serves CAPABILITY, NOOP, CHECK, LOGOUT and ID.
// RFC 3501 6.1.1-6.1.3, 6.4.1; RFC 2971 3. Q36 (ID in any state).
#include "serve/imap/conversation.h"
#include "wire/imap/arguments.h"

namespace godwit::serve::imap_desk {

namespace {
// Commands without arguments.
std::optional<Answer> take_nothing(const imap::Command& command) {
    imap::Lexer lexer(command);
    const Result<> end = lexer.end();
    return end ? std::nullopt : std::optional(bad(end.error().text));
}
}  // namespace

AnswerTask run_capability(Conversation* c, imap::Command command) {
    if (auto wrong = take_nothing(command)) {
        co_return *std::move(wrong);
    }
    c->out().line("CAPABILITY " + capability_list(*c));
    co_return ok("CAPABILITY completed");
}

AnswerTask run_noop(Conversation*, imap::Command command) {
    if (auto wrong = take_nothing(command)) {
        co_return *std::move(wrong);
    }
    co_return ok("NOOP completed");
}

AnswerTask run_check(Conversation*, imap::Command command) {
    if (auto wrong = take_nothing(command)) {
        co_return *std::move(wrong);
    }
    // RFC 3501 6.4.1: housekeeping. All that was answered is on disk already.
    co_return ok("CHECK completed");
}

AnswerTask run_logout(Conversation* c, imap::Command command) {
    if (auto wrong = take_nothing(command)) {
        co_return *std::move(wrong);
    }
    co_await c->leave_mailbox();
    c->say_bye("", "Logging out");
    co_return ok("LOGOUT completed");
}

AnswerTask run_id(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    const Result<imap::IdFields> fields = imap::parse_id(lexer);
    if (!fields) {
        co_return bad(fields.error().text);
    }
    // RFC 2971 7: what a server tells of itself may help to find its holes. So no version at all,
    // and before login no vendor.
    c->out().line(c->state() == State::NotAuthenticated
                      ? R"(ID ("name" "Godwit"))"
                      : R"(ID ("name" "Godwit" "vendor" "The Godwit project"))");
    co_return ok("ID completed");
}

}  // namespace godwit::serve::imap_desk
