// Serves GETQUOTA, GETQUOTAROOT and SETQUOTA.
// RFC 9208 4.1, 4.2, 5. An account with a bound has one quota root, named by its login name; one
// without has none. What a domain holds together is its administrator's to know.
#include <array>

#include "flow/read.h"
#include "serve/imap/command.h"
#include "serve/imap/conversation.h"
#include "serve/imap/namespaces.h"
#include "store/directory/quota.h"
#include "wire/imap/arguments.h"
#include "wire/imap/quota.h"

namespace godwit::serve::imap_desk {

namespace {

net::Task<Result<store::QuotaState>> read_quota(Conversation* c, AccountId account) {
    co_return co_await flow::read(c->services(),
                                  [account](const store::Snapshot& snapshot, store::ReadTier tier) {
                                      return store::read_quota(snapshot, tier, account);
                                  });
}

// RFC 9208 5.1: units of 1024 octets. Use is rounded up and the bound down: what a client sees as
// free is free.
constexpr std::uint64_t kUnit = 1024;

void write_quota(Conversation* c, std::string_view root, const store::QuotaState& state) {
    imap::ResponseWriter& out = c->out();
    out.raw("* QUOTA ").astring(root).raw(" (");
    bool is_first = true;
    const auto write = [&](std::string_view resource, std::uint64_t used, std::uint64_t limit) {
        out.raw(is_first ? "" : " ").raw(resource).raw(" ").number(used).raw(" ").number(limit);
        is_first = false;
    };
    if (state.quota.bytes != 0) {
        write("STORAGE", (state.used.bytes + kUnit - 1) / kUnit, state.quota.bytes / kUnit);
    }
    if (state.quota.messages != 0) {
        write("MESSAGE", state.used.messages, state.quota.messages);
    }
    if (state.quota.mailboxes != 0) {
        write("MAILBOX", state.used.mailboxes, state.quota.mailboxes);
    }
    out.raw(")").crlf();
}

bool has_root(const store::QuotaState& state) {
    return state.quota != store::Quota{};
}

}  // namespace

AnswerTask run_getquota(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    const Result<std::string> root = imap::parse_quota_root(lexer);
    if (!root) {
        co_return bad(root.error().text);
    }
    const Result<store::QuotaState> state = co_await read_quota(c, c->account());
    if (!state) {
        co_return refusal(state.error(), "GETQUOTA");
    }
    if (*root != c->login().name || !has_root(*state)) {
        co_return no(imap::code::kNonExistent, "No such quota root");
    }
    write_quota(c, *root, *state);
    co_return ok("GETQUOTA completed");
}

AnswerTask run_getquotaroot(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    // RFC 9208 4.1.2: the mailbox need not be there.
    const Result<imap::MailboxName> mailbox = imap::parse_mailbox(lexer, c->spelling());
    if (!mailbox) {
        co_return bad(mailbox.error().text);
    }
    imap::ResponseWriter& out = c->out();
    if (is_foreign_name(mailbox->name)) {
        // What somebody else holds is his to know, and whether he has such a mailbox too.
        out.raw("* QUOTAROOT ").mailbox(mailbox->name).crlf();
        co_return ok("GETQUOTAROOT completed");
    }
    const Result<store::QuotaState> state = co_await read_quota(c, c->account());
    if (!state) {
        co_return refusal(state.error(), "GETQUOTAROOT");
    }
    out.raw("* QUOTAROOT ").mailbox(mailbox->name);
    if (has_root(*state)) {
        out.raw(" ").astring(c->login().name);
    }
    out.crlf();
    if (has_root(*state)) {
        write_quota(c, c->login().name, *state);
    }
    co_return ok("GETQUOTAROOT completed");
}

AnswerTask run_setquota(Conversation* c, imap::Command command) {
    (void)c;  // Whoever asks: no session of IMAP is an administrator's.
    imap::Lexer lexer(command);
    const Result<> parsed = imap::check_set_quota(lexer);
    if (!parsed) {
        co_return bad(parsed.error().text);
    }
    co_return no(imap::code::kNoPerm, "Quotas are set by the administrator");
}

}  // namespace godwit::serve::imap_desk
