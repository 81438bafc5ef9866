// BURL: content that a message of this server's mailboxes already has. Nothing is fetched over the
// network: URLs of other servers are refused. RFC 4468 3.2, 3.3, 6, 8; SECURITY.md T84.
#include "base/ascii.h"
#include "base/log.h"
#include "serve/imap/url_access.h"
#include "serve/smtp/smtp_session.h"
#include "wire/imap/url.h"

namespace godwit::serve {

namespace {

using smtp::make_reply;

// By the URL's own words alone: whether there is such a mailbox, and who may have it, is not said.
smtp::Reply refusal_of(std::string_view url, std::string_view hostname) {
    const Result<imap::ServerUrl> parsed = imap::parse_server_url(url);
    if (parsed && !equals_ignore_case(parsed->host, hostname)) {
        return make_reply(554, {5, 7, 8}, "URL resolution requires trust relationship");
    }
    return make_reply(554, {5, 6, 6}, "IMAP URL resolution failed");
}

smtp::Reply unavailable() {
    return make_reply(451, {4, 4, 1}, "IMAP content is not available now, try again later");
}

}  // namespace

net::Task<Result<>> SmtpSession::on(smtp::event::FetchUrl event) {
    CO_TRY(co_await flush());  // What was answered before goes out: a long message takes its time.
    check(login_.has_value(), "the engine offers BURL to those who logged in");
    const UrlReader reader{.account = login_->account, .desk = UrlReader::Desk::Submission};
    std::string url = event.url;
    Result<std::optional<SectionOctets>> opened =
        co_await open_url(services_, std::move(url), reader);
    if (!opened) {
        log::error("smtp.url_failed", {{"by", login_->name}, {"error", opened.error().text}});
        engine_->answer(unavailable());
        co_return Result<>();
    }
    if (!*opened) {
        smtp::Reply refusal = refusal_of(event.url, services_->settings()->hostname);
        note_refusal("message", "", refusal);
        engine_->answer(std::move(refusal));
        co_return Result<>();
    }
    SectionOctets& octets = **opened;
    if (octets.size() > event.size_max) {
        engine_->answer(make_reply(552, {5, 3, 4}, "Message size exceeds fixed limit"));
        co_return Result<>();
    }
    while (octets.size() > 0) {
        const Result<std::string> bytes = co_await octets.next();
        if (!bytes) {
            octets.note_broken();
            log::error("smtp.url_failed", {{"by", login_->name}, {"error", bytes.error().text}});
            engine_->answer(unavailable());
            co_return Result<>();
        }
        std::optional<std::string> content = engine_->take_fetched(*bytes);
        if (!content) {
            break;
        }
        smtp::event::BodyBytes taken{.bytes = *std::move(content)};
        CO_TRY(co_await on(std::move(taken)));
    }
    engine_->end_fetched();
    co_return Result<>();
}

}  // namespace godwit::serve
