// Serves EXPUNGE and UID EXPUNGE. RFC 3501 6.4.3; RFC 4315 2.1; RFC 7162 3.2.7, 3.2.9.
// The EXPUNGE responses are told by the session like those of others, before the tagged OK.
#include "base/probe.h"
#include "serve/imap/changes.h"
#include "wire/imap/arguments.h"

namespace godwit::serve::imap_desk {

AnswerTask run_expunge(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    std::optional<imap::NumberSet> uids;
    if (command.uid) {
        const Result<imap::SequenceSet> set = imap::parse_sequence_set(lexer);
        if (!set) {
            co_return bad(set.error().text);
        }
        uids = c->selected()->uids_of(*set, c->selected()->last_uid().value());
    } else if (const Result<> end = lexer.end(); !end) {
        co_return bad(end.error().text);
    }
    if (auto forbidden = forbid_change(c, store::Right::Expunge)) {
        co_return *std::move(forbidden);
    }
    const Result<std::size_t> done = co_await expunge_deleted(c, std::move(uids));
    if (!done) {
        co_return refusal(done.error(), "EXPUNGE");
    }
    Answer answer = ok("EXPUNGE completed");
    if (*done != 0 && c->has_enabled(Feature::Condstore)) {
        // RFC 7162 3.2.7. All up to here has been told when the answer is given.
        answer.code = imap::code::highest_mod_seq(c->selected()->view().highest_mod_seq());
    }
    answer.once_written = &crash_point<"imap.expunge_answered">;
    co_return answer;
}

}  // namespace godwit::serve::imap_desk
