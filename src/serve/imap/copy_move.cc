// Serves COPY, MOVE and their UID forms.
// RFC 3501 6.4.7; RFC 6851 3, 4.4; RFC 4315 3 (COPYUID); RFC 2180 4.4; RFC 9738 3.1. All or
// nothing, as COPY must be.
#include <algorithm>

#include "base/probe.h"
#include "flow/commit.h"
#include "serve/imap/changes.h"
#include "serve/imap/copy_across.h"
#include "serve/imap/save_limit.h"
#include "wire/imap/arguments.h"

namespace godwit::serve::imap_desk {

namespace {

net::Task<Result<store::Copied>> copy_piece(Conversation* c, const Place* target,
                                            std::vector<Uid> uids, Kind kind) {
    store::CopyMessages step;
    step.account = target->account;
    step.source = c->selected()->view().mailbox();
    step.target = target->state.id;
    step.uids = std::move(uids);
    step.move = kind == Kind::Move;
    step.may = flag_mask(target->rights);
    step.user = c->account();
    store::Plan plan;
    plan.steps.emplace_back(std::move(step));
    kind == Kind::Move ? crash_point<"imap.move_planned">() : crash_point<"imap.copy_planned">();
    store::CommitResult result = co_await flow::commit(c->services()->store, std::move(plan));
    if (!result) {
        co_return std::unexpected(std::move(result.error().error));
    }
    kind == Kind::Move ? crash_point<"imap.move_committed">()
                       : crash_point<"imap.copy_committed">();
    co_return std::get<store::Copied>(std::move(result->results.at(0)));
}

// RFC 3501 6.4.7: a COPY that fails leaves the target as it was.
net::Task<void> take_back(Conversation* c, const Place* target, std::vector<Uid> uids) {
    for (std::size_t at = 0; at < uids.size(); at += limits::plan_rows_max) {
        store::ExpungeMessages step;
        step.account = target->account;
        step.mailbox = target->state.id;
        step.uids = slice(uids, at, limits::plan_rows_max);
        step.only_deleted = false;
        store::Plan plan;
        plan.steps.emplace_back(std::move(step));
        static_cast<void>(co_await flow::commit_all(c->services()->store, std::move(plan)));
    }
}

// RFC 4315 3: empty where the client may not open the mailbox that his messages went to.
std::string copy_code(const Place& target, const store::Copied& copied) {
    return target.may(store::Right::Read)
               ? imap::code::copy_uid(copied.uid_validity, copied.source, copied.target)
               : "";
}

void tell_moved(Conversation* c, const std::string& code) {
    if (!code.empty()) {
        c->out().untagged(imap::Condition::Ok, code, "Moved");
    }
}

// In pieces of one plan each. What was moved before a failure stays moved and is told.
net::Task<Result<store::Copied>> copy_all(Conversation* c, const Place* target,
                                          std::vector<Uid> uids, Kind kind) {
    store::Copied all;
    const bool is_across = target->account != c->selected()->view().account();
    const std::size_t size = is_across ? copy_across_max : limits::plan_rows_max;
    for (std::size_t at = 0; at < uids.size(); at += size) {
        std::vector<Uid> some = slice(uids, at, size);
        Result<store::Copied> piece = is_across
                                          ? co_await copy_across(c, target, std::move(some), kind)
                                          : co_await copy_piece(c, target, std::move(some), kind);
        if (!piece) {
            if (kind == Kind::Copy) {
                co_await take_back(c, target, std::move(all.target));
            } else if (!all.target.empty()) {
                tell_moved(c, copy_code(*target, all));
            }
            co_return std::unexpected(std::move(piece.error()));
        }
        all.uid_validity = piece->uid_validity;
        all.source.insert(all.source.end(), piece->source.begin(), piece->source.end());
        all.target.insert(all.target.end(), piece->target.begin(), piece->target.end());
        co_await c->tell_progress(at + size, uids.size());
    }
    co_return all;
}

AnswerTask run(Conversation* c, imap::Command command, Kind kind) {
    imap::Lexer lexer(command);
    const Result<imap::CopyArguments> arguments = imap::parse_copy(lexer, c->spelling());
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    // RFC 6851 4.2: what STORE, COPY and EXPUNGE need.
    constexpr store::Rights kOfMove = store::Right::DeleteMessages | store::Right::Expunge;
    if (auto forbidden = kind == Kind::Move ? forbid_change(c, kOfMove) : forbid_read(c)) {
        co_return *std::move(forbidden);
    }
    std::optional<Targets> targets =
        c->selected()->resolve(arguments->set, command.uid ? Numbering::Uid : Numbering::Sequence);
    if (!targets) {
        co_return bad("No message has such a number");
    }
    if (targets->has_gone) {
        co_return no(imap::code::kExpungeIssued, "Some of the messages are gone");
    }
    if (kind == Kind::Copy) {
        if (auto too_many = forbid_save(targets->uids)) {
            co_return *std::move(too_many);
        }
    }
    const Sought<Place> target = co_await seek_place(
        c, arguments->mailbox.name, store::Right::Insert, Wanted::Messages, command.name);
    if (!target) {
        co_return try_create(target.error());
    }
    const Result<store::Copied> copied =
        co_await copy_all(c, &*target, std::move(targets->uids), kind);
    if (!copied) {
        co_return refusal(copied.error(), command.name);
    }
    Answer answer = ok(command.name + " completed");
    if (copied->target.empty()) {
        co_return answer;  // RFC 4315 3: no COPYUID where nothing was copied.
    }
    std::string code = copy_code(*target, *copied);
    if (kind == Kind::Move) {
        // RFC 6851 4.3: untagged, before the EXPUNGE responses.
        tell_moved(c, code);
        if (c->has_enabled(Feature::Condstore)) {
            // RFC 6851 4.4. All up to here has been told when the answer is given.
            answer.code = imap::code::highest_mod_seq(c->selected()->view().highest_mod_seq());
        }
        answer.once_written = &crash_point<"imap.move_answered">;
    } else {
        answer.code = std::move(code);
        answer.once_written = &crash_point<"imap.copy_answered">;
    }
    co_return answer;
}

}  // namespace

AnswerTask run_copy(Conversation* c, imap::Command command) {
    co_return co_await run(c, std::move(command), Kind::Copy);
}

AnswerTask run_move(Conversation* c, imap::Command command) {
    co_return co_await run(c, std::move(command), Kind::Move);
}

}  // namespace godwit::serve::imap_desk
