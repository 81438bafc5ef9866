// CATENATE: octets of messages that are there become pieces of one that is appended.
// RFC 4469 3 (relative URLs of this session alone; \Seen stays as it is), 4 (BADURL, TOOBIG).
#include "flow/read.h"
#include "serve/imap/appending.h"
#include "serve/imap/message_source.h"
#include "serve/imap/section_octets.h"

namespace godwit::serve::imap_desk {

namespace {

Answer bad_url(std::string_view url, std::string text) {
    return no(imap::code::bad_url(url), std::move(text));
}

}  // namespace

net::Task<Appending::Refusal> Appending::take_url(std::string url) {
    if (++pieces_ > append_pieces_max) {
        co_return no(imap::code::kLimit, "Too many pieces in one command");
    }
    Result<imap::MessageUrl> parsed = imap::parse_message_url(url);
    if (!parsed) {
        co_return bad_url(url, parsed.error().text);
    }
    if (parsed->mailbox.empty() && c_->selected() == nullptr) {
        co_return bad_url(url, "No mailbox is selected that the URL could be relative to");
    }
    const Result<std::optional<Named>> message = co_await find_by_url(*parsed);
    if (!message) {
        co_return refusal(message.error(), "CATENATE");
    }
    if (!*message) {
        co_return bad_url(url, "No such message");
    }
    Result<Refusal> copied = co_await copy_section(**message, *std::move(parsed), std::move(url));
    co_return copied ? *std::move(copied) : refusal(copied.error(), "CATENATE");
}

net::Task<Result<std::optional<Appending::Named>>> Appending::find_by_url(imap::MessageUrl url) {
    using Found = std::optional<Named>;
    AccountId account;
    MailboxId mailbox;
    if (url.mailbox.empty()) {
        account = c_->selected()->view().account();
        mailbox = c_->selected()->view().mailbox();
    } else {
        const std::optional<Place> named = CO_TRY(co_await find_place(c_, std::move(url.mailbox)));
        if (!named || !named->state.is_selectable || !named->may(store::Right::Read)) {
            co_return Found();
        }
        account = named->account;
        mailbox = named->state.id;
    }
    const Uid uid(url.uid);
    const std::optional<std::uint32_t> validity = url.uid_validity;
    co_return co_await flow::read(
        c_->services(),
        [account, mailbox, uid, validity, user = c_->account()](
            const store::Snapshot& snapshot, store::ReadTier tier) -> Result<Found> {
            // T84: also where it is the selected one, since this may be long after the command
            // began.
            const store::Rights rights =
                TRY(store::read_rights(snapshot, tier, account, mailbox, user));
            const std::optional<store::MailboxState> state =
                TRY(store::read_mailbox(snapshot, tier, account, mailbox));
            if (!rights.has(store::Right::Read) || !state ||
                (validity && state->uid_validity.value() != *validity)) {
                return Found();
            }
            const auto row = TRY(store::read_row(snapshot, tier, account, mailbox, uid));
            return row ? Found(Named{.account = account, .email = row->email}) : Found();
        });
}

net::Task<Result<Appending::Refusal>> Appending::copy_section(Named message, imap::MessageUrl url,
                                                              std::string given) {
    std::vector<EmailId> emails{message.email};
    const auto records =
        CO_TRY(co_await read_records(c_->services(), message.account, std::move(emails)));
    if (!records.at(0)) {
        co_return bad_url(given, "No such message");
    }
    SectionPiece piece{std::move(url.section), url.partial};
    std::optional<SectionOctets> octets =
        CO_TRY(co_await SectionOctets::open(c_->services(), *records[0], std::move(piece)));
    if (!octets) {
        co_return bad_url(given, "The message has no such part");
    }
    if (Refusal forbidden = co_await forbid_size(octets->size())) {
        co_return forbidden;
    }
    while (octets->size() > 0) {
        std::string bytes = CO_TRY(co_await octets->next());
        if (Refusal refused = CO_TRY(co_await put_copied(std::move(bytes)))) {
            co_return refused;
        }
    }
    co_return Refusal();
}

net::Task<Result<Appending::Refusal>> Appending::put_copied(std::string bytes) {
    url_octets_ += bytes.size();
    if (url_octets_ > append_url_messages_max * c_->services()->settings()->limits.message_size) {
        co_return no(imap::code::kLimit, "Too much is copied by one command");
    }
    if (message_->writer->size() + bytes.size() > c_->services()->settings()->limits.message_size) {
        co_return no(imap::code::kTooBig, "The message would be too large");
    }
    CO_TRY(co_await put(std::move(bytes)));
    co_return Refusal();
}

}  // namespace godwit::serve::imap_desk
