// Octets of a message for FETCH: BODY[...] and the RFC822 items, in steps of 64 KiB.
// RFC 3501 6.4.5, 7.4.2. Q1, Q8, Q16, Q33, Q34.
#include <algorithm>

#include "base/log.h"
#include "flow/sound_body.h"
#include "serve/imap/fetching.h"

namespace godwit::serve::imap_desk {

namespace {

void write_item_name(imap::ResponseWriter& out, const imap::BodyItem& item) {
    switch (item.name) {
        case imap::BodyItemName::Rfc822: out.raw("RFC822 "); return;
        case imap::BodyItemName::Rfc822Header: out.raw("RFC822.HEADER "); return;
        case imap::BodyItemName::Rfc822Text: out.raw("RFC822.TEXT "); return;
        case imap::BodyItemName::Body:
        case imap::BodyItemName::Binary:
        case imap::BodyItemName::BinarySize: break;
    }
    out.raw(item.name == imap::BodyItemName::Body     ? "BODY"
            : item.name == imap::BodyItemName::Binary ? "BINARY"
                                                      : "BINARY.SIZE");
    out.raw(imap::to_string(item.section));
    if (item.partial) {
        out.raw("<").number(item.partial->origin).raw(">");  // Q1: always, with the origin alone.
    }
    out.raw(" ");
}

std::optional<imap::ByteRange> locate(const Loaded& message, const imap::Section& section) {
    const std::uint64_t prefix = message.record.prefix.size();
    std::optional<imap::ByteRange> range =
        imap::find_section_range(message.summary.parts, message.record.blob_size, section);
    if (!range) {
        return std::nullopt;
    }
    const bool begins_message = section.part.empty() && section.text != imap::SectionText::Text;
    if (!begins_message) {
        range->offset += prefix;
        return range;
    }
    return imap::ByteRange{0, prefix + range->offset + range->size};
}

bool is_filtered(const imap::Section& section) {
    return section.text == imap::SectionText::HeaderFields ||
           section.text == imap::SectionText::HeaderFieldsNot;
}

bool is_in_summary(const Loaded& message, const imap::Section& section) {
    return section.part.empty() && section.text == imap::SectionText::HeaderFields &&
           !message.summary.headers_truncated &&
           std::ranges::all_of(section.fields, mail::is_hot_header);
}

imap::ByteRange first_step(imap::ByteRange range) {
    range.size = std::min<std::uint64_t>(range.size, limits::stream_write_buffer_max);
    return range;
}

}  // namespace

// In the message with its prefix: parts are numbered from the body's first octet.

net::Task<Result<std::string>> Fetching::read_header_text(const Loaded* message,
                                                          const imap::BodyItem* item,
                                                          imap::ByteRange range) {
    if (is_in_summary(*message, item->section)) {
        co_return imap::filter_header(message->record.prefix + message->summary.headers,
                                      item->section);
    }
    range.size = std::min<std::uint64_t>(
        range.size, message->record.prefix.size() + limits::header_block_size_max);
    const std::string header =
        CO_TRY(co_await read_message(c_->services(), &message->record, range));
    co_return imap::filter_header(header, item->section);
}

// A filtered header as a whole; else the first step, when what follows it can be read too.

net::Task<Result<std::string>> Fetching::read_first(const Loaded* message,
                                                    const imap::BodyItem* item,
                                                    imap::ByteRange range) {
    if (is_filtered(item->section)) {
        co_return co_await read_header_text(message, item, range);
    }
    const imap::ByteRange first = first_step(range);
    std::string bytes = CO_TRY(co_await read_message(c_->services(), &message->record, first));
    if (bytes.size() != first.size) {
        co_return internal_error(ErrorCode::Corrupt,
                                 "a stored body is shorter than its record says");
    }
    if (range.size > first.size) {
        const std::uint64_t prefix = message->record.prefix.size();
        const std::uint64_t from = std::max(prefix, range.offset + first.size);
        CO_TRY(co_await flow::check_body(c_->services(), message->record.blob, from - prefix,
                                         range.offset + range.size - from));
    }
    co_return bytes;
}

net::Task<Result<std::vector<Prepared>>> Fetching::prepare(const Loaded* message) {
    std::vector<Prepared> all;
    std::size_t kept = 0;
    for (const imap::BodyItem& item : attributes_.bodies) {
        if (is_binary(item)) {
            Prepared decoded = CO_TRY(co_await prepare_binary(message, &item));
            if (decoded.bytes && kept + decoded.bytes->size() > limits::stream_write_buffer_max) {
                decoded.bytes.reset();  // As below; never one that is empty.
            }
            kept += decoded.bytes ? decoded.bytes->size() : 0;
            all.push_back(std::move(decoded));
            continue;
        }
        Prepared prepared;
        prepared.range = locate(*message, item.section);
        if (prepared.range) {
            if (!is_filtered(item.section)) {
                prepared.range = imap::apply_partial(*prepared.range, item.partial);
            }
            std::string bytes = CO_TRY(co_await read_first(message, &item, *prepared.range));
            // Of many items some are read twice rather than all kept.
            if (kept == 0 || kept + bytes.size() <= limits::stream_write_buffer_max) {
                kept += bytes.size();
                prepared.bytes = std::move(bytes);
            }
        }
        all.push_back(std::move(prepared));
    }
    co_return all;
}

net::Task<Result<>> Fetching::send_body(const Loaded* message, const imap::BodyItem* item,
                                        Prepared prepared) {
    imap::ResponseWriter& out = c_->out();
    write_item_name(out, *item);
    if (is_binary(*item)) {
        co_return co_await send_binary(message, item, &prepared);
    }
    if (!prepared.range) {
        out.raw("NIL");
        co_return Result<>();
    }
    if (!prepared.bytes) {
        prepared.bytes = CO_TRY(co_await read_first(message, item, *prepared.range));
    }
    if (is_filtered(item->section)) {
        const std::string_view text = *prepared.bytes;
        const imap::ByteRange piece = imap::apply_partial({0, text.size()}, item->partial);
        out.literal_header(piece.size).raw(text.substr(piece.offset, piece.size));
        co_return Result<>();
    }
    co_return co_await stream(message, *prepared.range, *std::move(prepared.bytes));
}

net::Task<Result<>> Fetching::stream(const Loaded* message, imap::ByteRange range,
                                     std::string bytes) {
    imap::ResponseWriter& out = c_->out();
    out.literal_header(range.size);
    for (;;) {
        out.raw(bytes);
        range.offset += bytes.size();
        range.size -= bytes.size();
        CO_TRY(co_await c_->drain());
        if (range.size == 0) {
            co_return Result<>();
        }
        const imap::ByteRange step = first_step(range);
        Result<std::string> next = co_await read_message(c_->services(), &message->record, step);
        if (!next || next->size() != step.size) {
            // The size is promised: only the end of the connection can say that it is not kept.
            flow::forget_sound_body(message->record.blob);
            log::error("imap.body_broken", {{"uid", message->row.uid.value()},
                                            {"error", next ? "short read" : next.error().text}});
            co_return internal_error(ErrorCode::Corrupt, "a body broke off while it was sent");
        }
        bytes = *std::move(next);
    }
}

}  // namespace godwit::serve::imap_desk
