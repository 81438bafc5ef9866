// Serves GENURLAUTH, RESETKEY and URLFETCH.
// RFC 4467 7, 8. The one mechanism is INTERNAL. SECURITY.md T83, T84.
#include <algorithm>

#include "base/ascii.h"
#include "base/log.h"
#include "flow/commit.h"
#include "flow/read.h"
#include "mail/text/charset.h"
#include "serve/imap/conversation.h"
#include "serve/imap/url_access.h"
#include "store/directory/directory.h"
#include "store/mailbox/mailbox.h"
#include "store/mailbox/url_keys.h"
#include "wire/imap/url.h"
#include "wire/imap/urlauth.h"

namespace godwit::serve::imap_desk {

namespace {

// Of a key that others draw or forget at the same time.
constexpr int kTriesMax = 3;

bool is_internal(std::string_view mechanism) {
    return equals_ignore_case(mechanism, "INTERNAL");
}

Answer no_mechanism() {
    return no(imap::code::kCannot, "INTERNAL is the only mechanism here");
}

/// Where a URL of the account's own leads, and what signs it.
struct Signing {
    MailboxId mailbox;
    std::optional<std::string> key;  ///< None was drawn yet.
};

// nullopt: the URL's user is somebody else, or the mailbox is not there.
net::Task<Result<std::optional<Signing>>> find_signing(Conversation* c, std::string user,
                                                       std::string mailbox) {
    using Found = std::optional<Signing>;
    const AccountId account = c->account();
    const std::string domain = c->services()->settings()->default_domain;
    const std::string name = mail::to_nfc(mailbox);
    co_return co_await flow::read(
        c->services(),
        [account, domain, user, name](const store::Snapshot& snapshot,
                                      store::ReadTier tier) -> Result<Found> {
            const auto owner = TRY(store::find_account(snapshot, tier, user, domain));
            const auto state = TRY(store::find_mailbox(snapshot, tier, account, name));
            if (!owner || owner->id != account || !state || !state->is_selectable) {
                return Found();
            }
            return Found({.mailbox = state->id,
                          .key = TRY(store::read_url_key(
                              snapshot, tier,
                              {.account = account, .mailbox = state->id, .user = account}))});
        });
}

// Draws a key. Stale when another session did at the same time.
net::Task<Result<>> draw_key(Conversation* c, MailboxId mailbox) {
    const AccountId account = c->account();
    const std::string secret = c->services()->random->bytes(store::url_key_size);
    store::Plan plan = CO_TRY(co_await flow::read(
        c->services(),
        [account, mailbox, secret](const store::Snapshot& snapshot, store::ReadTier tier) {
            return store::plan_url_key(
                snapshot, tier, {.account = account, .mailbox = mailbox, .user = account}, secret);
        }));
    co_return co_await flow::commit_all(c->services()->store, std::move(plan));
}

// The URL with its signature; nullopt when it is none that may be signed.
net::Task<Result<std::optional<std::string>>> sign(Conversation* c, std::string url) {
    using Signed = std::optional<std::string>;
    const Result<imap::ServerUrl> parsed = imap::parse_server_url(url);
    if (!parsed || parsed->user.empty() || !parsed->access || parsed->verifier) {
        co_return Signed();
    }
    for (int tries = 0; tries < kTriesMax; ++tries) {
        const std::optional<Signing> signing =
            CO_TRY(co_await find_signing(c, parsed->user, parsed->message.mailbox));
        if (!signing) {
            co_return Signed();
        }
        if (signing->key) {
            co_return Signed(url + url_signature(url, *signing->key));
        }
        const Result<> drawn = co_await draw_key(c, signing->mailbox);
        if (!drawn && drawn.error().code != ErrorCode::Stale) {
            co_return std::unexpected(drawn.error());
        }
    }
    co_return temporary_error(ErrorCode::Stale, "the key changed again and again");
}

net::Task<Result<>> forget_all_keys(Conversation* c) {
    const AccountId account = c->account();
    store::Plan plan = CO_TRY(co_await flow::read(
        c->services(), [account](const store::Snapshot& snapshot, store::ReadTier tier) {
            return store::plan_forget_url_keys(snapshot, tier, account, account);
        }));
    co_return co_await flow::commit_all(c->services()->store, std::move(plan));
}

// Sends " {n}..." or " NIL". Only the connection's end is an error; what the store says is in
// `failure`.
net::Task<Result<>> send_content(Conversation* c, std::string url, std::optional<Error>* failure) {
    const UrlReader reader{.account = c->account(), .desk = UrlReader::Desk::Imap};
    Result<std::optional<SectionOctets>> opened =
        co_await open_url(c->services(), std::move(url), reader);
    Result<> whole;
    if (opened && *opened) {
        whole = co_await (*opened)->check_whole();
    }
    if (!opened || !whole) {
        *failure = opened ? whole.error() : opened.error();
        c->out().raw(" NIL");
        co_return Result<>();
    }
    if (!*opened) {
        c->out().raw(" NIL");
        co_return Result<>();
    }
    SectionOctets& octets = **opened;
    c->out().raw(" ").literal_header(octets.size());
    while (octets.size() > 0) {
        const Result<std::string> bytes = co_await octets.next();
        if (!bytes) {
            // The size is promised: only the end of the connection can say that it is not kept.
            octets.note_broken();
            log::error("imap.url_broken", {{"error", bytes.error().text}});
            co_return std::unexpected(bytes.error());
        }
        c->out().raw(*bytes);
        CO_TRY(co_await c->drain());
    }
    co_return Result<>();
}

}  // namespace

AnswerTask run_genurlauth(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<std::vector<imap::UrlToSign>> asked = imap::parse_genurlauth(lexer);
    if (!asked) {
        co_return bad(asked.error().text);
    }
    if (!std::ranges::all_of(*asked, is_internal, &imap::UrlToSign::mechanism)) {
        co_return no_mechanism();
    }
    imap::ResponseWriter words;
    for (imap::UrlToSign& one : *asked) {
        const Result<std::optional<std::string>> url = co_await sign(c, std::move(one.url));
        if (!url) {
            co_return refusal(url.error(), "GENURLAUTH");
        }
        if (!*url) {
            // RFC 4467 7: whichever of the four it is.
            co_return bad(
                "A URL of a message in a mailbox of yours was expected, with your name "
                "and with URLAUTH=");
        }
        words.raw(" ").string(**url);
    }
    c->out().raw("* GENURLAUTH").raw(words.view()).crlf();
    co_return ok("GENURLAUTH completed");
}

AnswerTask run_resetkey(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<imap::ResetKeyArguments> arguments = imap::parse_resetkey(lexer, c->spelling());
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    if (!arguments->mailbox) {
        const Result<> done = co_await forget_all_keys(c);
        if (!done) {
            co_return refusal(done.error(), "RESETKEY");
        }
        c->room().reset_url_keys(std::nullopt);
        co_return ok("All URLs you gave out are worth nothing now");
    }
    if (!std::ranges::all_of(arguments->mechanisms, is_internal)) {
        co_return no_mechanism();
    }
    const auto signing =
        co_await find_signing(c, c->login().name, std::move(arguments->mailbox->name));
    if (!signing) {
        co_return refusal(signing.error(), "RESETKEY");
    }
    if (!*signing) {
        co_return no(imap::code::kNonExistent, "No such mailbox of yours");
    }
    const Result<> drawn = co_await draw_key(c, (*signing)->mailbox);
    if (!drawn) {
        co_return refusal(drawn.error(), "RESETKEY");
    }
    c->room().reset_url_keys((*signing)->mailbox);
    Answer answer = ok("URLs of the mailbox that you gave out are worth nothing now");
    answer.code = imap::code::kUrlMech;
    co_return answer;
}

AnswerTask run_urlfetch(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<std::vector<std::string>> urls = imap::parse_urlfetch(lexer);
    if (!urls) {
        co_return bad(urls.error().text);
    }
    std::optional<Error> failure;
    c->out().raw("* URLFETCH");
    for (const std::string& url : *urls) {
        c->out().raw(" ").string(url);
        CO_TRY(co_await send_content(c, url, &failure));
    }
    c->out().crlf();
    co_return failure ? refusal(*failure, "URLFETCH") : ok("URLFETCH completed");
}

}  // namespace godwit::serve::imap_desk
