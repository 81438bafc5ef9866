// Serves CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE and NAMESPACE.
// RFC 3501 6.3.3-6.3.7; RFC 2342 5; RFC 5530 3; RFC 6154 3. Q7, Q15, Q28, Q33; T85, T86.
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/read.h"
#include "mail/text/charset.h"
#include "serve/imap/mailbox_line.h"
#include "serve/imap/namespaces.h"
#include "serve/imap/object_id.h"
#include "serve/imap/place.h"
#include "serve/imap/special_use.h"
#include "wire/imap/arguments.h"

namespace godwit::serve::imap_desk {

namespace {

// Steps that make those of the levels above that are not there. RFC 3501 6.3.3.
net::Task<Result<std::vector<store::PlanStep>>> missing_parents(Conversation* c, NewPlace place) {
    using Steps = std::vector<store::PlanStep>;
    co_return co_await flow::read(
        c->services(),
        [place = std::move(place)](const store::Snapshot& snapshot,
                                   store::ReadTier tier) -> Result<Steps> {
            Steps steps;
            const std::string& path = place.path;
            for (std::size_t at = path.find(imap::kHierarchySeparator); at != std::string::npos;
                 at = path.find(imap::kHierarchySeparator, at + 1)) {
                const std::string level = path.substr(0, at);
                if (!TRY(store::find_mailbox(snapshot, tier, place.account, level))) {
                    store::CreateMailbox parent;
                    parent.account = place.account;
                    parent.name = level;
                    steps.emplace_back(std::move(parent));
                }
            }
            return steps;
        });
}

net::Task<Result<>> commit_steps(Conversation* c, std::vector<store::PlanStep> steps) {
    store::Plan plan;
    plan.steps = std::move(steps);
    co_return co_await flow::commit_all(c->services()->store, std::move(plan));
}

AnswerTask subscribe(Conversation* c, imap::Command command, bool subscribed) {
    imap::Lexer lexer(command);
    const Result<imap::MailboxName> name = imap::parse_mailbox(lexer, c->spelling());
    if (!name) {
        co_return bad(name.error().text);
    }
    std::vector<store::PlanStep> steps;
    steps.emplace_back(store::SubscribeMailbox{c->account(), mail::to_nfc(name->name), subscribed});
    const Result<> done = co_await commit_steps(c, std::move(steps));
    if (!done) {
        co_return refusal(done.error(), "SUBSCRIBE");
    }
    crash_point<"imap.subscribe_committed">();
    co_return ok(subscribed ? "SUBSCRIBE completed" : "UNSUBSCRIBE completed");
}

// RFC 3501 6.3.5 for an INBOX that is too large for one plan: a new mailbox, then moves in pieces.
// A failure on the way leaves each message in one of the two.
net::Task<Result<>> empty_inbox_into(Conversation* c, std::vector<store::PlanStep> parents,
                                     std::string name) {
    store::CreateMailbox create;
    create.account = c->account();
    create.name = std::move(name);
    store::Plan plan;
    plan.steps = std::move(parents);
    plan.steps.emplace_back(std::move(create));
    store::CommitResult created = co_await flow::commit(c->services()->store, std::move(plan));
    if (!created) {
        co_return std::unexpected(std::move(created.error().error));
    }
    const MailboxId target = std::get<store::MailboxCreated>(created->results.back()).mailbox;
    const AccountId account = c->account();
    for (;;) {
        const std::vector<store::MessageRow> rows = CO_TRY(co_await flow::read(
            c->services(), [account](const store::Snapshot& snapshot, store::ReadTier tier) {
                return store::read_rows(snapshot, tier, account, store::kInbox, Uid(1),
                                        limits::scan_rows_max);
            }));
        if (rows.empty()) {
            co_return Result<>();
        }
        store::CopyMessages step;
        step.account = account;
        step.source = store::kInbox;
        step.target = target;
        step.move = true;
        for (const store::MessageRow& row : rows) {
            step.uids.push_back(row.uid);
        }
        std::vector<store::PlanStep> steps;
        steps.emplace_back(std::move(step));
        CO_TRY(co_await commit_steps(c, std::move(steps)));
    }
}

}  // namespace

AnswerTask run_create(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    const Result<imap::CreateArguments> arguments = imap::parse_create(lexer, c->spelling());
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    // RFC 6154 3. One role a mailbox: what a client asks for more is refused, not forgotten.
    if (arguments->uses.size() > 1 ||
        (!arguments->uses.empty() && !is_special_use(arguments->uses.front()))) {
        co_return no(imap::code::kUseAttr, "No such special use, or more than one");
    }
    const Sought<NewPlace> place = co_await seek_new_place(c, arguments->mailbox.name, "CREATE");
    if (!place) {
        co_return place.error();
    }
    if (place->path == imap::kInbox) {
        co_return no(imap::code::kAlreadyExists, "INBOX is always there");
    }
    // Q5: roles are the owner's to give.
    if (!arguments->uses.empty() && place->account != c->account()) {
        co_return no(imap::code::kUseAttr, "Only its owner gives a mailbox a special use");
    }
    Result<std::vector<store::PlanStep>> steps = co_await missing_parents(c, *place);
    if (!steps) {
        co_return refusal(steps.error(), "CREATE");
    }
    store::CreateMailbox step;
    step.account = place->account;
    step.name = place->path;
    step.special_use = arguments->uses.empty() ? "" : as_special_use(arguments->uses.front());
    step.must_have_use = true;
    steps->emplace_back(std::move(step));
    crash_point<"imap.create_planned">();
    store::Plan plan;
    plan.steps = std::move(*steps);
    const store::CommitResult done = co_await flow::commit(c->services()->store, std::move(plan));
    if (!done) {
        const Error& error = done.error().error;
        co_return !arguments->uses.empty() && error.code == ErrorCode::Denied
            ? no(imap::code::kUseAttr, error.text)
            : refusal(error, "CREATE");
    }
    crash_point<"imap.create_committed">();
    tell_other_name(c, "", place->name, arguments->mailbox.given);
    const auto created = std::get<store::MailboxCreated>(done->results.back());
    Answer answer = ok("CREATE completed");
    answer.code = mailbox_id_code(place->account, created.mailbox);
    answer.once_written = &crash_point<"imap.create_answered">;
    co_return answer;
}

AnswerTask run_delete(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    const Result<imap::MailboxName> name = imap::parse_mailbox(lexer, c->spelling());
    if (!name) {
        co_return bad(name.error().text);
    }
    const Sought<Place> place =
        co_await seek_place(c, name->name, store::Right::DeleteMailbox, Wanted::Name, "DELETE");
    if (!place) {
        co_return place.error();
    }
    std::vector<store::PlanStep> steps;
    steps.emplace_back(store::DeleteMailbox{place->account, place->state.id});
    crash_point<"imap.delete_planned">();
    const Result<> done = co_await commit_steps(c, std::move(steps));
    if (!done) {
        co_return refusal(done.error(), "DELETE");
    }
    crash_point<"imap.delete_committed">();
    tell_other_name(c, "\\NonExistent", place->state.name, name->given);
    Answer answer = ok("DELETE completed");
    answer.once_written = &crash_point<"imap.delete_answered">;
    co_return answer;
}

AnswerTask run_rename(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    const Result<imap::RenameArguments> names = imap::parse_rename(lexer, c->spelling());
    if (!names) {
        co_return bad(names.error().text);
    }
    const Sought<Place> from = co_await seek_place(c, names->from.name, store::Right::DeleteMailbox,
                                                   Wanted::Name, "RENAME");
    if (!from) {
        co_return from.error();
    }
    const Sought<NewPlace> to = co_await seek_new_place(c, names->to.name, "RENAME");
    if (!to) {
        co_return to.error();
    }
    if (from->account != to->account) {
        co_return no(imap::code::kCannot, "A mailbox stays with its owner: copy its messages");
    }
    if (from->state.id == store::kInbox && from->account != c->account()) {
        co_return no(imap::code::kCannot, "Only its owner moves what is in an INBOX at once");
    }
    // Checked here, or its new parents would be made first: they may be its own inferiors.
    if (from->state.id != store::kInbox &&
        to->path.starts_with(from->path + imap::kHierarchySeparator)) {
        co_return no(imap::code::kCannot, "A mailbox cannot become its own inferior");
    }
    Result<std::vector<store::PlanStep>> steps = co_await missing_parents(c, *to);
    if (!steps) {
        co_return refusal(steps.error(), "RENAME");
    }
    Result<> done;
    if (from->state.id == store::kInbox && from->state.messages > limits::plan_rows_max) {
        done = co_await empty_inbox_into(c, std::move(*steps), to->path);
    } else {
        steps->emplace_back(store::RenameMailbox{from->account, from->state.id, to->path});
        crash_point<"imap.rename_planned">();
        done = co_await commit_steps(c, std::move(*steps));
    }
    if (!done) {
        co_return refusal(done.error(), "RENAME");
    }
    crash_point<"imap.rename_committed">();
    if (from->state.name != names->from.given || to->name != names->to.given) {
        tell_other_name(c, "", to->name, names->from.given);
    }
    Answer answer = ok("RENAME completed");
    answer.once_written = &crash_point<"imap.rename_answered">;
    co_return answer;
}

AnswerTask run_subscribe(Conversation* c, imap::Command command) {
    co_return co_await subscribe(c, std::move(command), true);
}

AnswerTask run_unsubscribe(Conversation* c, imap::Command command) {
    co_return co_await subscribe(c, std::move(command), false);
}

AnswerTask run_namespace(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    if (const Result<> end = lexer.end(); !end) {
        co_return bad(end.error().text);
    }
    // Q7: one personal namespace without a prefix.
    c->out().line("NAMESPACE ((\"\" \"/\")) ((\"" + std::string(kOtherUsers) + "/\" \"/\")) ((\"" +
                  std::string(kShared) + "/\" \"/\"))");
    co_return ok("NAMESPACE completed");
}

}  // namespace godwit::serve::imap_desk
