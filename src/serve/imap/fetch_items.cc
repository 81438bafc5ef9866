// What FETCH says of a message beside its row: envelope and structure, from the stored summary.
// RFC 3501 7.4.2; RFC 8970 3.2 (made when the message came). Q8 (a response is contiguous), Q21,
// Q32, Q34, Q35.
#include "serve/imap/fetching.h"
#include "wire/imap/structure.h"

namespace godwit::serve::imap_desk {

net::Task<Result<mail::Envelope>> Fetching::read_envelope(const Loaded* message) {
    if (!message->summary.headers_truncated) {
        co_return message->summary.envelope();
    }
    const imap::ByteRange header{
        message->record.prefix.size(),
        std::min<std::uint64_t>(message->summary.header_size, limits::header_block_size_max)};
    const std::string block =
        CO_TRY(co_await read_message(c_->services(), &message->record, header));
    co_return mail::read_envelope(block, mail::split_header(block));
}

net::Task<Result<>> Fetching::send_message(const Loaded* message) {
    imap::ResponseWriter& out = c_->out();
    std::optional<mail::Envelope> envelope;
    if (attributes_.envelope) {
        Result<mail::Envelope> read = co_await read_envelope(message);
        if (!read) {
            note_failure(std::move(read.error()), message->row.uid);
            co_return Result<>();
        }
        envelope = std::move(*read);
    }
    // What cannot be given is found out before anything of the message is: a client must not store
    // half a message, nor lose those behind it with the connection.
    Result<std::vector<Prepared>> prepared = co_await prepare(message);
    if (!prepared) {
        note_failure(std::move(prepared.error()), message->row.uid);
        co_return Result<>();
    }
    // The row's flags as of now: the record was waited for.
    const std::size_t index = c_->selected()->view().lower_bound(message->row.uid);
    const store::MessageRow* now = c_->selected()->view().find(message->row.uid);
    begin_row(index, now != nullptr ? *now : message->row);
    if (envelope) {
        begin_item();
        out.raw("ENVELOPE ");
        imap::write_envelope(out, *envelope);
    }
    if (attributes_.body) {
        begin_item();
        out.raw("BODY ");
        imap::write_structure(out, message->summary.parts, imap::StructureForm::Body);
    }
    if (attributes_.body_structure) {
        begin_item();
        out.raw("BODYSTRUCTURE ");
        imap::write_structure(out, message->summary.parts, imap::StructureForm::BodyStructure);
    }
    if (attributes_.preview) {
        begin_item();
        out.raw("PREVIEW ").string(message->summary.preview);
    }
    for (std::size_t i = 0; i < attributes_.bodies.size(); ++i) {
        begin_item();
        CO_TRY(co_await send_body(message, &attributes_.bodies[i], std::move((*prepared)[i])));
    }
    out.raw(")\r\n");
    co_return Result<>();
}

}  // namespace godwit::serve::imap_desk
