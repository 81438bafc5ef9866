// Serves NOTIFY. RFC 5465 3.1, 5; what was asked for is told by notified.cc.
#include "wire/imap/notify.h"
#include "serve/imap/conversation.h"
#include "serve/imap/notified.h"

namespace godwit::serve::imap_desk {

AnswerTask run_notify(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<imap::NotifyArguments> arguments = imap::parse_notify(lexer, c->spelling());
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    if (arguments->has_unknown_event) {
        co_return no("BADEVENT (" + std::string(imap::kNotifyEventNames) + ")",
                     "There is no such event here");
    }
    // RFC 5465 3.1: SET implies NOOP, with what was not told under the order before.
    CO_TRY(co_await tell_news(c, Expunges::Tell));
    auto notified = std::make_unique<Notified>(std::move(*arguments));
    Notified* asked = notified.get();
    c->notify(std::move(notified));
    if (const Result<> stock = co_await asked->take_stock(c); !stock) {
        c->notify(nullptr);
        co_return refusal(stock.error(), "NOTIFY");
    }
    co_return ok("NOTIFY completed");
}

}  // namespace godwit::serve::imap_desk
