// Serves IDLE: what happens in the selected mailbox is told as soon as it is durable.
// RFC 2177 3. Q9, Q24 (keepalive), Q31 (nothing but the selected mailbox), Q45.
#include "serve/imap/conversation.h"

#include "base/ascii.h"
#include "base/probe.h"

namespace godwit::serve::imap_desk {

namespace {

// Q24: often enough for middle boxes, seldom enough for phones, never all at once.
constexpr std::chrono::minutes kKeepaliveMin{9};
constexpr std::uint64_t kKeepaliveSpreadSeconds = 180;
// DONE, with room for what clients put around it.
constexpr std::size_t kLineSizeMax = 64;

// Wakes the session for news while it lives.
class Listening {
public:
    explicit Listening(Conversation* conversation) : conversation_(conversation) {
        conversation_->wake_on_news(true);
    }
    ~Listening() { conversation_->wake_on_news(false); }
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;

private:
    Conversation* conversation_;
};

MonoTime next_keepalive(Conversation* c) {
    const auto jitter = std::chrono::seconds(c->services()->random->below(kKeepaliveSpreadSeconds));
    return c->stream().shard().now() + kKeepaliveMin + jitter;
}

}  // namespace

AnswerTask run_idle(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    if (const Result<> end = lexer.end(); !end) {
        co_return bad(end.error().text);
    }
    const Listening listening(c);
    c->out().continuation("idling");
    c->reader().expect_line(kLineSizeMax);
    MonoTime keepalive = next_keepalive(c);
    for (;;) {
        imap::ReaderEvent event = c->reader().next();
        if (const auto* line = std::get_if<imap::ContinuationLine>(&event)) {
            const bool is_done = equals_ignore_case(trim(line->text), "DONE");
            co_return is_done ? ok("IDLE completed") : bad("Expected DONE");
        }
        if (const auto* fatal = std::get_if<imap::Fatal>(&event)) {
            c->say_fatal(*fatal);
            co_return Answer{.code = "", .text = "", .is_silent = true};
        }
        if (CO_TRY(co_await c->must_end())) {
            co_return Answer{.code = "", .text = "", .is_silent = true};
        }
        CO_TRY(co_await tell_news(c, Expunges::Tell));
        if (c->has_said_bye()) {
            co_return Answer{.code = "", .text = "", .is_silent = true};
        }
        if (c->stream().shard().now() >= keepalive) {
            probe<"imap.idle_keepalive">();
            c->out().untagged(imap::Condition::Ok, "", "Still here");
            keepalive = next_keepalive(c);
        }
        static_cast<void>(CO_TRY(co_await c->fill(keepalive)));
    }
}

}  // namespace godwit::serve::imap_desk
