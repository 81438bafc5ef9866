// Serves SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS.
// RFC 4314 3, 4, 6. Identifiers are login names and "anyone", which is all of the owner's domain;
// an owner may always do everything, so his entry is shown and not kept. Negative rights and groups
// are refused.
#include "serve/imap/acl.h"

#include "flow/commit.h"
#include "flow/read.h"
#include "mail/text/charset.h"
#include "store/directory/directory.h"
#include "wire/imap/acl.h"
#include "wire/imap/arguments.h"

namespace godwit::serve::imap_desk {

namespace {

using store::Right;

// An entry as it is told.
struct NamedEntry {
    std::string name;
    store::Rights rights;
};

// The owner first. Entries of accounts that are no more are left out.
Result<std::vector<NamedEntry>> read_list(const store::Snapshot& snapshot, store::ReadTier tier,
                                          AccountId owner, MailboxId mailbox) {
    std::vector<NamedEntry> list;
    if (const auto account = TRY(store::read_account(snapshot, tier, owner))) {
        list.push_back({account->name, store::Rights::all()});
    }
    for (const store::AccessEntry& entry :
         TRY(store::read_access(snapshot, tier, owner, mailbox))) {
        if (entry.grantee == store::kAnyone) {
            list.push_back({std::string(store::anyone_name), entry.rights});
        } else if (const auto account = TRY(store::read_account(snapshot, tier, entry.grantee))) {
            list.push_back({account->name, entry.rights});
        }
    }
    return list;
}

// Whom an identifier names.
net::Task<Sought<AccountId>> find_identifier(Conversation* c, const imap::AclArguments* arguments) {
    const std::string name = mail::to_nfc(arguments->identifier);
    if (name == store::anyone_name) {
        co_return store::kAnyone;
    }
    if (name.starts_with('-')) {
        co_return std::unexpected(no(imap::code::kCannot, "There are no negative rights here"));
    }
    const auto account = co_await flow::read(
        c->services(), [name, domain = c->services()->settings()->default_domain](
                           const store::Snapshot& snapshot, store::ReadTier tier) {
            return store::find_account(snapshot, tier, name, domain);
        });
    if (!account) {
        co_return std::unexpected(refusal(account.error(), "ACL"));
    }
    if (!*account) {
        // Whoever may send mail can ask which addresses exist: this tells no more.
        co_return std::unexpected(no(imap::code::kCannot, "No such account"));
    }
    co_return (*account)->id;
}

net::Task<Sought<Place>> seek_administered(Conversation* c, std::string name, std::string doing) {
    co_return co_await seek_place(c, std::move(name), Right::Administer, Wanted::Name,
                                  std::move(doing));
}

net::Task<Result<store::Rights>> rights_of_entry(Conversation* c, const Place* place,
                                                 AccountId grantee) {
    const AccountId owner = place->account;
    const MailboxId mailbox = place->state.id;
    const auto entries = CO_TRY(co_await flow::read(
        c->services(), [owner, mailbox](const store::Snapshot& snapshot, store::ReadTier tier) {
            return store::read_access(snapshot, tier, owner, mailbox);
        }));
    for (const store::AccessEntry& entry : entries) {
        if (entry.grantee == grantee) {
            co_return entry.rights;
        }
    }
    co_return store::Rights();
}

// `given` over what the entry is now. RFC 4314 3.1.
store::Rights modified(store::Rights now, imap::AclMode mode, store::Rights given) {
    switch (mode) {
        case imap::AclMode::Add: return now | given;
        case imap::AclMode::Remove: return now.without(given);
        case imap::AclMode::Replace: break;
    }
    return given;
}

AnswerTask set_entry(Conversation* c, std::string name, imap::AclArguments arguments,
                     store::Rights given) {
    const Sought<Place> place = co_await seek_administered(c, arguments.mailbox.name, name);
    if (!place) {
        co_return place.error();
    }
    const Sought<AccountId> grantee = co_await find_identifier(c, &arguments);
    if (!grantee) {
        co_return grantee.error();
    }
    if (*grantee == place->account) {
        co_return no(imap::code::kCannot, "The owner may always do everything");
    }
    const Result<store::Rights> now = co_await rights_of_entry(c, &*place, *grantee);
    if (!now) {
        co_return refusal(now.error(), name);
    }
    store::Plan plan;
    plan.steps.emplace_back(store::SetAccess{.account = place->account,
                                             .mailbox = place->state.id,
                                             .grantee = *grantee,
                                             .rights = modified(*now, arguments.mode, given)});
    const Result<> done = co_await flow::commit_all(c->services()->store, std::move(plan));
    if (!done) {
        co_return refusal(done.error(), name);
    }
    co_return ok(name + " completed");
}

}  // namespace

void write_my_rights(imap::ResponseWriter& out, const Place& place) {
    out.raw("* MYRIGHTS ").mailbox(place.state.name).raw(" ");
    out.astring(store::to_letters(place.rights)).crlf();
}

AnswerTask run_setacl(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<imap::AclArguments> arguments = imap::parse_set_acl(lexer, c->spelling());
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    const std::optional<store::Rights> rights = store::parse_rights(arguments->rights);
    if (!rights) {
        co_return bad("No such right: the rights are lrswipkxtea");
    }
    co_return co_await set_entry(c, command.name, *std::move(arguments), *rights);
}

AnswerTask run_deleteacl(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<imap::AclArguments> arguments = imap::parse_acl_entry(lexer, c->spelling());
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    co_return co_await set_entry(c, command.name, *std::move(arguments), {});
}

AnswerTask run_getacl(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    const Result<imap::MailboxName> name = imap::parse_mailbox(lexer, c->spelling());
    if (!name) {
        co_return bad(name.error().text);
    }
    const Sought<Place> place = co_await seek_administered(c, name->name, "GETACL");
    if (!place) {
        co_return place.error();
    }
    const auto list = co_await flow::read(
        c->services(), [owner = place->account, mailbox = place->state.id](
                           const store::Snapshot& snapshot, store::ReadTier tier) {
            return read_list(snapshot, tier, owner, mailbox);
        });
    if (!list) {
        co_return refusal(list.error(), "GETACL");
    }
    imap::ResponseWriter& out = c->out();
    out.raw("* ACL ").mailbox(place->state.name);
    for (const NamedEntry& entry : *list) {
        out.raw(" ").astring(entry.name).raw(" ").astring(store::to_letters(entry.rights));
    }
    out.crlf();
    co_return ok("GETACL completed");
}

AnswerTask run_listrights(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    const Result<imap::AclArguments> arguments = imap::parse_acl_entry(lexer, c->spelling());
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    const Sought<Place> place =
        co_await seek_administered(c, arguments->mailbox.name, command.name);
    if (!place) {
        co_return place.error();
    }
    const Sought<AccountId> grantee = co_await find_identifier(c, &*arguments);
    if (!grantee) {
        co_return grantee.error();
    }
    imap::ResponseWriter& out = c->out();
    // RFC 4314 3.4: the identifier as the client wrote it.
    out.raw("* LISTRIGHTS ").mailbox(place->state.name).raw(" ");
    out.astring(arguments->identifier).raw(" ");
    if (*grantee == place->account) {
        out.astring(store::to_letters(store::Rights::all()));
    } else {
        out.raw("\"\"");
        // RFC 4314 2.1.1, 3.7: no right is tied to another.
        for (const char letter : store::to_letters(store::Rights::all())) {
            out.raw(" ").raw(std::string_view(&letter, 1));
        }
    }
    out.crlf();
    co_return ok("LISTRIGHTS completed");
}

AnswerTask run_myrights(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    const Result<imap::MailboxName> name = imap::parse_mailbox(lexer, c->spelling());
    if (!name) {
        co_return bad(name.error().text);
    }
    const Result<std::optional<Place>> place = co_await find_place(c, name->name);
    if (!place) {
        co_return refusal(place.error(), "MYRIGHTS");
    }
    if (!*place) {
        co_return no(imap::code::kNonExistent, "No such mailbox");
    }
    write_my_rights(c->out(), **place);
    co_return ok("MYRIGHTS completed");
}

}  // namespace godwit::serve::imap_desk
