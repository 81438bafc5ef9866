// Serves ESEARCH: one search in many mailboxes. RFC 7377.
#include "wire/imap/multisearch.h"

#include <algorithm>

#include "base/log.h"
#include "mail/text/charset.h"
#include "serve/imap/inventory.h"
#include "serve/imap/live_search.h"
#include "serve/imap/search_answer.h"
#include "serve/imap/search_run.h"

namespace godwit::serve::imap_desk {

namespace {

using imap::SearchSource;
using imap::SearchSourceGroup;

// RFC 7377 2.2: the top itself, and what is below it; one step of the hierarchy with SubtreeOne.
bool is_in_subtree(std::string_view name, std::string_view top, SearchSource source) {
    if (name == top) {
        return true;
    }
    if (name.size() <= top.size() || !name.starts_with(top) ||
        name[top.size()] != imap::kHierarchySeparator) {
        return false;
    }
    return source == SearchSource::Subtree ||
           name.find(imap::kHierarchySeparator, top.size() + 1) == std::string_view::npos;
}

bool covers(const SearchSourceGroup& group, const std::string& name, const Inventory& inventory) {
    switch (group.source) {
        case SearchSource::Selected:
            return false;  // By its id.
        // Filters may deliver into any mailbox: RFC 5465 6.3.
        case SearchSource::Inboxes:
        case SearchSource::Personal: return true;
        case SearchSource::Subscribed:
            return std::ranges::find(inventory.subscriptions, name) !=
                   inventory.subscriptions.end();
        case SearchSource::Subtree:
        case SearchSource::SubtreeOne:
            return std::ranges::any_of(group.names, [&](const std::string& top) {
                return is_in_subtree(name, top, group.source);
            });
        case SearchSource::Mailboxes:
            return std::ranges::find(group.names, name) != group.names.end();
    }
    return false;
}

// Each once, however many groups it is in.
std::vector<store::MailboxState> choose(const std::vector<SearchSourceGroup>& sources,
                                        Inventory inventory, MailboxId selected) {
    std::vector<store::MailboxState> chosen;
    for (store::MailboxState& mailbox : inventory.mailboxes) {
        const bool is_covered = std::ranges::any_of(sources, [&](const SearchSourceGroup& group) {
            return group.source == SearchSource::Selected ? selected == mailbox.id
                                                          : covers(group, mailbox.name, inventory);
        });
        if (mailbox.is_selectable && is_covered) {
            chosen.push_back(std::move(mailbox));
        }
    }
    return chosen;
}

// The selected mailbox where it is somebody else's, which no list of one's own has. Others of such
// mailboxes are not searched: they are none of "personal", and naming them finds nothing.
constexpr MailboxId kForeign{UINT32_MAX};
store::MailboxState foreign_selected(Conversation* c) {
    store::MailboxState state;
    state.id = kForeign;
    state.name = c->selected()->name();
    state.uid_validity = c->selected()->view().uid_validity();
    return state;
}

// nullopt: it went away meanwhile.
net::Task<Result<std::optional<SearchScopeView>>> open_scope(Conversation* c,
                                                             const store::MailboxState* mailbox) {
    if (mailbox->id == kForeign || c->selected_of_own() == mailbox->id) {
        co_return c->selected()->is_deleted() ? std::nullopt
                                              : std::optional(SearchScopeView(c->selected()));
    }
    Result<Opened> opened =
        co_await c->room().open(mailbox->id, mailbox->highest_mod_seq, Rows::Now);
    if (!opened && opened.error().code == ErrorCode::NotFound) {
        co_return std::nullopt;
    }
    co_return SearchScopeView(std::move(CO_TRY(std::move(opened)).mailbox));
}

// The answer of one mailbox, which is none where nothing is found. The inner error is the store's.
net::Task<Result<Result<>>> search_one(Conversation* c, const imap::SearchProgram* program,
                                       const std::string* tag, KnownIndexes* known,
                                       const store::MailboxState* mailbox) {
    const Result<std::optional<SearchScopeView>> scope = co_await open_scope(c, mailbox);
    if (!scope) {
        co_return Result<>(std::unexpected(scope.error()));
    }
    if (!*scope) {
        co_return Result<>();
    }
    const Scores scores = program->returns.relevancy ? Scores::Wanted : Scores::Unwanted;
    Result<FoundMessages> messages = co_await find_messages(c, **scope, *program, scores, known);
    if (!messages) {
        co_return Result<>(std::unexpected(messages.error()));
    }
    // RFC 7377 2.1. But what SAVE finds is saved where it is nothing, too.
    if (messages->uids.empty() && !program->returns.save) {
        co_return Result<>();
    }
    SearchAnswer found{.tag = *tag,
                       .returns = program->returns,
                       .numbering = Numbering::Uid,
                       .has_mod_seq = program->uses_mod_seqs()};
    found.found = std::move(messages->uids);
    found.scores = std::move(messages->scores);
    found.mailbox = {.name = mailbox->name, .uid_validity = mailbox->uid_validity};
    found.scope = *scope;
    CO_TRY(co_await write_search_answer(c, &found));
    co_return Result<>();
}

}  // namespace

AnswerTask run_esearch(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<imap::MultisearchArguments> arguments = imap::parse_multisearch(lexer, c->spelling());
    if (arguments && arguments->has_selected() && c->selected() == nullptr) {
        co_return bad("Please select a mailbox first");
    }
    const Result<imap::SearchProgram> program =
        arguments ? Result<imap::SearchProgram>(std::move(arguments->program))
                  : std::unexpected(arguments.error());
    if (program && program->returns.update && c->selected() == nullptr) {
        co_return bad("UPDATE is for the selected mailbox");  // RFC 7377 2.2.
    }
    const bool needs_selected = arguments && arguments->has_selected();
    if (std::optional<Answer> forbidden = co_await forbid_search(c, &program, needs_selected)) {
        co_return *std::move(forbidden);
    }
    for (SearchSourceGroup& group : arguments->sources) {
        for (std::string& name : group.names) {
            name = mail::to_nfc(name);
        }
    }
    Result<Inventory> inventory = co_await take_inventory(c);
    if (!inventory) {
        co_return refusal(inventory.error(), "ESEARCH");
    }
    std::vector<store::MailboxState> mailboxes =
        choose(arguments->sources, *std::move(inventory), c->selected_of_own());
    if (needs_selected && c->selected_of_own() == MailboxId(0)) {
        mailboxes.push_back(foreign_selected(c));
    }
    c->progress().divide(0);
    KnownIndexes known;
    for (const store::MailboxState& mailbox : mailboxes) {
        const Result<> searched =
            CO_TRY(co_await search_one(c, &*program, &command.tag, &known, &mailbox));
        if (!searched) {
            if (program->returns.save) {
                c->selected()->save({});
            }
            co_return refusal(searched.error(), "ESEARCH");
        }
        CO_TRY(co_await c->drain());
    }
    if (program->returns.update) {
        keep_search(c, command.tag, std::nullopt);
    }
    Answer answer = ok("ESEARCH completed");
    answer.holds_expunges = program->uses_sequence_numbers();
    co_return answer;
}

}  // namespace godwit::serve::imap_desk
