#include "serve/imap/section_octets.h"

#include <algorithm>

#include "base/limits.h"
#include "flow/sound_body.h"
#include "mail/message/summary.h"
#include "serve/imap/message_source.h"

namespace godwit::serve {

namespace {

bool is_filtered(const imap::Section& section) {
    return section.text == imap::SectionText::HeaderFields ||
           section.text == imap::SectionText::HeaderFieldsNot;
}

// What was put in front at delivery belongs to the header.
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

std::unexpected<Error> too_short() {
    return internal_error(ErrorCode::Corrupt, "a stored body is shorter than its record says");
}

}  // namespace

net::Task<Result<std::optional<SectionOctets>>> SectionOctets::open(const flow::Services* services,
                                                                    store::MessageRecord record,
                                                                    SectionPiece piece) {
    using Opened = std::optional<SectionOctets>;
    if (record.is_damaged) {
        co_return internal_error(ErrorCode::Corrupt, "the record of a message is damaged");
    }
    const mail::MessageSummary summary = CO_TRY(mail::MessageSummary::decode(record.summary));
    std::optional<imap::ByteRange> range = find_octets(record, summary, piece.section);
    if (!range) {
        co_return Opened();
    }
    SectionOctets out(services, std::move(record));
    if (is_filtered(piece.section)) {
        range->size = std::min<std::uint64_t>(
            range->size, out.record_.prefix.size() + limits::header_block_size_max);
        const std::string header = CO_TRY(co_await read_message(services, &out.record_, *range));
        const std::string fields = imap::filter_header(header, piece.section);
        const imap::ByteRange wanted = imap::apply_partial({0, fields.size()}, piece.partial);
        out.filtered_ = fields.substr(wanted.offset, wanted.size);
    } else {
        out.range_ = imap::apply_partial(*range, piece.partial);
    }
    co_return Opened(std::move(out));
}

net::Task<Result<std::string>> SectionOctets::next() {
    if (filtered_) {
        co_return std::exchange(*filtered_, std::string());
    }
    const imap::ByteRange step{
        range_.offset, std::min<std::uint64_t>(range_.size, limits::stream_write_buffer_max)};
    if (step.size == 0) {
        co_return std::string();
    }
    std::string bytes = CO_TRY(co_await read_message(services_, &record_, step));
    if (bytes.size() != step.size) {
        co_return too_short();
    }
    range_.offset += step.size;
    range_.size -= step.size;
    co_return bytes;
}

net::Task<Result<>> SectionOctets::check_whole() {
    const std::uint64_t prefix = record_.prefix.size();
    const std::uint64_t end = range_.offset + range_.size;
    const std::uint64_t from = std::max(prefix, range_.offset);
    if (filtered_ || end <= from) {
        co_return Result<>();
    }
    if (end > prefix + record_.blob_size) {
        co_return too_short();
    }
    co_return co_await flow::check_body(services_, record_.blob, from - prefix, end - from);
}

void SectionOctets::note_broken() const {
    flow::forget_sound_body(record_.blob);
}

}  // namespace godwit::serve
