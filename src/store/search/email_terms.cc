#include "store/search/email_terms.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"
#include "base/limits.h"
#include "mail/message/header.h"
#include "mail/message/search_text.h"
#include "mail/message/summary.h"
#include "mail/text/charset.h"

namespace godwit::store {
namespace {

constexpr std::array<std::pair<std::string_view, TermField>, 5> kNamedFields = {{
    {"subject", TermField::Subject},
    {"from", TermField::From},
    {"to", TermField::To},
    {"cc", TermField::Cc},
    {"bcc", TermField::Bcc},
}};

Result<> add_header(SegmentBuilder& builder, const BlobStore& blobs, const EmailRow& row,
                    const mail::MessageSummary& summary) {
    const std::uint64_t size = std::min<std::uint64_t>(
        {summary.header_size, limits::header_block_size_max, row.blob_size});
    const std::string block = row.prefix + TRY(blobs.read(row.head.blob, 0, size, ReadTier::Disk));
    for (const mail::HeaderField& field : mail::split_header(block).fields) {
        const std::string_view name = field.name(block);
        builder.add_text(TermField::HeaderName, mail::fold_for_search(name));
        builder.add_text(term_field(name), mail::searched_field_text(field.body(block)));
    }
    return {};
}

Result<> add_body(SegmentBuilder& builder, const BlobStore& blobs, const EmailRow& row,
                  const mail::MessageSummary& summary) {
    std::uint64_t left = kIndexedTextMax;
    for (const mail::Part& part : summary.parts) {
        if (!mail::is_searched(part) || part.body_size == 0) {
            continue;
        }
        if (part.body_size > limits::search_window_size || part.body_size > left) {
            builder.mark_unsure();
            continue;
        }
        left -= part.body_size;
        const std::string encoded =
            TRY(blobs.read(row.head.blob, part.body_offset, part.body_size, ReadTier::Disk));
        builder.add_text(TermField::Body, mail::searched_part_text(part, encoded));
    }
    return {};
}

}  // namespace

TermField term_field(std::string_view header_name) {
    for (const auto& [name, field] : kNamedFields) {
        if (equals_ignore_case(header_name, name)) {
            return field;
        }
    }
    return TermField::OtherHeader;
}

void add_email_terms(SegmentBuilder& builder, const BlobStore& blobs, EmailId email,
                     const EmailRow& row) {
    builder.begin_email(email);
    const Result<mail::MessageSummary> summary = mail::MessageSummary::decode(row.summary);
    if (!summary || !add_header(builder, blobs, row, *summary) ||
        !add_body(builder, blobs, row, *summary)) {
        builder.mark_unsure();
    }
}

}  // namespace godwit::store
