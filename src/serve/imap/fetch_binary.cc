// Decoded parts for FETCH: BINARY and BINARY.SIZE. RFC 3516 4.2, 4.3; RFC 9051 6.4.5.
// A literal's size is promised before its octets: what is longer than a step is decoded twice, once
// to measure it and once to send it, and never held as a whole.
#include "mail/text/transfer_decoder.h"
#include "serve/imap/fetching.h"

namespace godwit::serve::imap_desk {

namespace {

/// Octets of a part as stored, and how they are encoded.
struct Encoded {
    imap::ByteRange range;
    mail::TransferEncoding encoding = mail::TransferEncoding::SevenBit;
};

// nullopt: there is no such part. Unsupported: nobody knows its encoding.
Result<std::optional<Encoded>> locate(const Loaded& message, const imap::Section& section) {
    const std::uint64_t prefix = message.record.prefix.size();
    if (section.part.empty()) {
        return Encoded{{0, prefix + message.record.blob_size}};
    }
    const auto found = mail::find_section(message.summary.parts, section.part);
    if (!found) {
        return std::nullopt;
    }
    const mail::Part& part = message.summary.parts[*found];
    const Encoded encoded{{prefix + part.body_offset, part.body_size}, part.encoding};
    if (part.kind != mail::Part::Kind::Leaf) {
        return Encoded{encoded.range};  // RFC 2045 6.4: what holds parts is not encoded.
    }
    if (part.encoding == mail::TransferEncoding::Other) {
        return peer_error(ErrorCode::Unsupported, "The part's transfer encoding is not known here");
    }
    return encoded;
}

}  // namespace

/// Calls `take` with the decoded octets, piece by piece, until it says that it has enough; sends
/// what it wrote.
template <class Take>
net::Task<Result<>> Fetching::decode(const Loaded* message, imap::ByteRange range,
                                     mail::TransferEncoding encoding, Take take) {
    mail::TransferDecoder decoder(encoding);
    while (range.size > 0) {
        const imap::ByteRange step{
            range.offset, std::min<std::uint64_t>(range.size, limits::stream_write_buffer_max)};
        const std::string bytes =
            CO_TRY(co_await read_message(c_->services(), &message->record, step));
        if (bytes.size() != step.size) {
            co_return internal_error(ErrorCode::Corrupt,
                                     "a stored body is shorter than its record says");
        }
        range.offset += step.size;
        range.size -= step.size;
        const bool wants_more = take(decoder.feed(bytes));
        CO_TRY(co_await c_->drain());
        if (!wants_more) {
            co_return Result<>();
        }
        co_await net::yield_now();
    }
    take(decoder.finish());
    co_return Result<>();
}

net::Task<Result<Prepared>> Fetching::prepare_binary(const Loaded* message,
                                                     const imap::BodyItem* item) {
    Prepared prepared;
    const std::optional<Encoded> encoded = CO_TRY(locate(*message, item->section));
    if (!encoded) {
        co_return prepared;
    }
    prepared.range = encoded->range;
    prepared.encoding = encoded->encoding;
    std::string kept;
    std::uint64_t size = 0;
    const std::uint64_t from = item->partial ? item->partial->origin : 0;
    const std::uint64_t end =
        item->partial ? from + std::min(item->partial->count, UINT64_MAX - from) : UINT64_MAX;
    CO_TRY(
        co_await decode(message, encoded->range, encoded->encoding, [&](const std::string& octets) {
            const imap::ByteRange wanted = imap::overlap({size, octets.size()}, from, end);
            const auto piece = std::string_view(octets).substr(wanted.offset - size, wanted.size);
            prepared.has_nul = prepared.has_nul || piece.find('\0') != std::string_view::npos;
            if (kept.size() + piece.size() <= limits::stream_write_buffer_max) {
                kept.append(piece);
            }
            prepared.decoded_size += piece.size();
            size += octets.size();
            return size < end;
        }));
    if (kept.size() == prepared.decoded_size) {
        prepared.bytes = std::move(kept);
    }
    co_return prepared;
}

net::Task<Result<>> Fetching::send_binary(const Loaded* message, const imap::BodyItem* item,
                                          const Prepared* prepared) {
    imap::ResponseWriter& out = c_->out();
    if (item->name == imap::BodyItemName::BinarySize) {
        out.number(prepared->decoded_size);
        co_return Result<>();
    }
    if (!prepared->range) {
        out.raw("NIL");
        co_return Result<>();
    }
    // RFC 3516 4.3: a client shall see by the form whether there are NULs.
    out.raw(prepared->has_nul ? "~" : "").literal_header(prepared->decoded_size);
    if (prepared->bytes) {
        out.raw(*prepared->bytes);
        co_return Result<>();
    }
    const std::uint64_t from = item->partial ? item->partial->origin : 0;
    const std::uint64_t end = from + prepared->decoded_size;
    std::uint64_t at = 0;
    CO_TRY(co_await decode(
        message, *prepared->range, prepared->encoding, [&](const std::string& octets) {
            const imap::ByteRange wanted = imap::overlap({at, octets.size()}, from, end);
            out.raw(std::string_view(octets).substr(wanted.offset - at, wanted.size));
            at += octets.size();
            return at < end;
        }));
    if (at < end) {
        co_return internal_error(ErrorCode::Corrupt, "a body broke off while it was sent");
    }
    co_return Result<>();
}

}  // namespace godwit::serve::imap_desk
