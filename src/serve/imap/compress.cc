// Serves COMPRESS and UNAUTHENTICATE. RFC 4978 3; RFC 8437 3. Q37, Q40; T11.
#include "base/ascii.h"
#include "serve/imap/conversation.h"

namespace godwit::serve::imap_desk {

AnswerTask run_compress(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    const auto mechanism = [&]() -> Result<std::string> {
        TRY(lexer.space());
        std::string name = to_upper(TRY(lexer.atom()));
        TRY(lexer.end());
        return name;
    }();
    if (!mechanism || *mechanism != "DEFLATE") {
        co_return bad(mechanism ? "DEFLATE is the one mechanism" : mechanism.error().text);
    }
    if (c->is_compressing()) {
        Answer active = bad("DEFLATE is active already");
        active.code = imap::code::kCompressionActive;
        co_return active;
    }
    const Result<bool> more = c->stream().has_input();
    if (c->reader().has_unread() || (more && *more)) {
        // What follows would be read as clear text or as compressed, depending on who wrote it.
        c->say_bye(imap::code::kClientBug, "Nothing may follow COMPRESS before its answer");
        co_return bad("Input behind COMPRESS");
    }
    CO_TRY(co_await c->announce(Expunges::Tell));
    c->out().tagged(command.tag, imap::Condition::Ok, "", "DEFLATE active");
    CO_TRY(co_await c->flush());
    c->start_compression();
    co_return Answer{.code = "", .text = "", .is_silent = true};
}

AnswerTask run_unauthenticate(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    if (const Result<> end = lexer.end(); !end) {
        co_return bad(end.error().text);
    }
    co_await c->leave_mailbox();
    // RFC 8437 4.1: the answer is the last that is compressed.
    c->out().tagged(command.tag, imap::Condition::Ok, "", "UNAUTHENTICATE completed");
    CO_TRY(co_await c->flush());
    c->log_out();
    co_return Answer{.code = "", .text = "", .is_silent = true};
}

}  // namespace godwit::serve::imap_desk
