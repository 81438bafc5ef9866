// CATENATE: octets of messages that are there become pieces of one that is appended.
// RFC 4469 3 (relative URLs of this session alone; \Seen stays as it is), 4 (BADURL, TOOBIG).
#include <algorithm>

#include "base/ascii.h"
#include "flow/read.h"
#include "mail/message/summary.h"
#include "serve/imap/appending.h"
#include "serve/imap/message_source.h"
#include "wire/imap/section_range.h"

namespace godwit::serve::imap_desk {

namespace {

Answer bad_url(std::string_view url, std::string text) {
    return no(imap::code::bad_url(url), std::move(text));
}

bool is_filtered(const imap::Section& section) {
    return section.text == imap::SectionText::HeaderFields ||
           section.text == imap::SectionText::HeaderFieldsNot;
}

// What FETCH BODY would give: what was put in front at delivery belongs to the header.
std::optional<imap::ByteRange> find_octets(const store::MessageRecord& record,
                                           const mail::MessageSummary& summary,
                                           const imap::Section& section) {
    const std::uint64_t prefix = record.prefix.size();
    std::optional<imap::ByteRange> range =
        imap::find_section_range(summary.parts, record.blob_size, section);
    if (range && (!section.part.empty() || section.text == imap::SectionText::Text)) {
        range->offset += prefix;
    } else if (range) {
        range = imap::ByteRange{0, prefix + range->offset + range->size};
    }
    return range;
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
        [account, mailbox, uid, validity](const store::Snapshot& snapshot,
                                          store::ReadTier tier) -> Result<Found> {
            const std::optional<store::MailboxState> state =
                TRY(store::read_mailbox(snapshot, tier, account, mailbox));
            if (!state || (validity && state->uid_validity.value() != *validity)) {
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
    const store::MessageRecord& record = *records[0];
    if (record.is_damaged) {
        co_return internal_error(ErrorCode::Corrupt, "the record of a message is damaged");
    }
    const mail::MessageSummary summary = CO_TRY(mail::MessageSummary::decode(record.summary));
    std::optional<imap::ByteRange> range = find_octets(record, summary, url.section);
    if (!range) {
        co_return bad_url(given, "The message has no such part");
    }
    if (is_filtered(url.section)) {
        range->size = std::min<std::uint64_t>(range->size,
                                              record.prefix.size() + limits::header_block_size_max);
        const std::string header = CO_TRY(co_await read_message(c_->services(), &record, *range));
        const std::string fields = imap::filter_header(header, url.section);
        const imap::ByteRange piece = imap::apply_partial({0, fields.size()}, url.partial);
        co_return co_await put_copied(fields.substr(piece.offset, piece.size));
    }
    *range = imap::apply_partial(*range, url.partial);
    if (Refusal forbidden = co_await forbid_size(range->size)) {
        co_return forbidden;
    }
    while (range->size > 0) {
        const imap::ByteRange step{
            range->offset, std::min<std::uint64_t>(range->size, limits::stream_write_buffer_max)};
        std::string bytes = CO_TRY(co_await read_message(c_->services(), &record, step));
        if (bytes.size() != step.size) {
            co_return internal_error(ErrorCode::Corrupt,
                                     "a stored body is shorter than its record says");
        }
        range->offset += step.size;
        range->size -= step.size;
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
