// Serves SELECT, EXAMINE, CLOSE and UNSELECT.
// RFC 3501 6.3.1, 6.3.2, 6.4.2; RFC 3691 2; RFC 4467 8 (URLMECH); RFC 5530 3; RFC
// 7162 3.1.8, 3.2.5, 3.2.8, 3.2.11; RFC 8474 4.2; RFC 9051 6.3.2. Q13, Q15, Q41, Q42, Q45.
#include "flow/read.h"
#include "serve/imap/changes.h"
#include "serve/imap/conversation.h"
#include "serve/imap/mailbox_line.h"
#include "serve/imap/object_id.h"
#include "serve/imap/place.h"
#include "serve/imap/vanished.h"
#include "wire/imap/arguments.h"

namespace godwit::serve::imap_desk {

namespace {

void describe(Conversation* c, const store::MailboxState* state, std::string_view asked) {
    Selected& selected = *c->selected();
    imap::ResponseWriter& out = c->out();
    selected.write_flag_lists(out);
    out.numbered(selected.exists(), "EXISTS");
    if (c->has_enabled(Feature::Rev2)) {
        // RFC 9051 6.3.2, Appendix E 10-12.
        write_name(c, *state, asked);
    } else {
        out.numbered(selected.recent_count(), "RECENT");
        const std::optional<std::uint32_t> first = selected.first_unseen();
        if (first && !c->has_enabled(Feature::UidOnly)) {
            out.untagged(imap::Condition::Ok, imap::code::unseen(*first), "First unseen message");
        }
    }
    out.untagged(imap::Condition::Ok, imap::code::uid_validity(selected.view().uid_validity()),
                 "UIDs are valid");
    out.untagged(imap::Condition::Ok, imap::code::uid_next(selected.view().uid_next()),
                 "Next UID at least");
    out.untagged(imap::Condition::Ok,
                 mailbox_id_code(selected.view().account(), selected.view().mailbox()),
                 "Its id, whatever its name");
    out.untagged(imap::Condition::Ok, imap::code::kUrlMech, "How its URLs can be signed");
    // RFC 7162 3.1.2: always, so that a client need not ask twice.
    out.untagged(imap::Condition::Ok,
                 imap::code::highest_mod_seq(selected.view().highest_mod_seq()),
                 "Highest mod-sequence");
}

AnswerTask open(Conversation* c, imap::Command command, Access access) {
    // RFC 3501 6.3.1: the mailbox selected before is left, whatever comes now.
    if (c->selected() != nullptr) {
        co_await c->leave_mailbox();
        // RFC 7162 3.2.11: to every client, also to those that enabled nothing. Q42.
        c->out().untagged(imap::Condition::Ok, imap::code::kClosed, "Previous mailbox was left");
    }
    imap::Lexer lexer(command);
    Result<imap::SelectArguments> arguments = imap::parse_select(lexer, c->spelling());
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    if (arguments->qresync && !c->has_enabled(Feature::Qresync)) {
        co_return bad("QRESYNC needs ENABLE QRESYNC");  // RFC 7162 3.2.5.
    }
    if (arguments->qresync && !arguments->qresync->matched_numbers.empty() &&
        c->has_enabled(Feature::UidOnly)) {
        co_return uid_required();  // RFC 9586 3.
    }
    if (arguments->condstore) {
        c->follow_mod_seqs();
    }
    const Sought<Place> place = co_await seek_place(c, arguments->mailbox.name, store::Right::Read,
                                                    Wanted::Messages, "SELECT");
    if (!place) {
        co_return place.error();
    }
    const Result<> opened =
        co_await c->select(*place, access, arguments->qresync ? Rows::Now : Rows::Later);
    if (!opened) {
        co_return refusal(opened.error(), "SELECT");
    }
    describe(c, &place->state, arguments->mailbox.given);
    if (arguments->qresync) {
        CO_TRY(co_await resynchronise(c, *std::move(arguments->qresync)));
    }
    Answer answer = ok(access == Access::ReadOnly ? "EXAMINE completed" : "SELECT completed");
    answer.code =
        c->selected()->is_told_read_only() ? imap::code::kReadOnly : imap::code::kReadWrite;
    co_return answer;
}

}  // namespace

AnswerTask run_select(Conversation* c, imap::Command command) {
    co_return co_await open(c, std::move(command), Access::ReadWrite);
}

AnswerTask run_examine(Conversation* c, imap::Command command) {
    co_return co_await open(c, std::move(command), Access::ReadOnly);
}

AnswerTask run_close(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    if (const Result<> end = lexer.end(); !end) {
        co_return bad(end.error().text);
    }
    Selected& selected = *c->selected();
    // RFC 4314 4: without the right CLOSE expunges nothing, and says nothing.
    if (!selected.is_read_only() && !selected.is_deleted() &&
        selected.rights().has(store::Right::Expunge)) {
        const Result<std::size_t> removed = co_await expunge_deleted(c, std::nullopt);
        if (!removed) {
            co_return refusal(removed.error(), "CLOSE");
        }
    }
    co_await c->leave_mailbox();
    co_return ok("CLOSE completed");
}

AnswerTask run_unselect(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    if (const Result<> end = lexer.end(); !end) {
        co_return bad(end.error().text);
    }
    co_await c->leave_mailbox();
    co_return ok("UNSELECT completed");
}

}  // namespace godwit::serve::imap_desk
