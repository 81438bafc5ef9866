// Reads an email for its search index.
#pragma once

#include "store/blob/blob.h"
#include "store/mailbox/schema.h"
#include "store/search/segment_builder.h"

namespace godwit::store {

/// Text of an email that is read, in octets as stored: all of nearly every one. An email with more,
/// or with a part that is larger than limits::search_window_size, is marked unsure: a search reads
/// the message itself.
inline constexpr std::uint64_t kIndexedTextMax = 4ULL * 1024 * 1024;

/// Which field the terms of a header field are kept under.
TermField term_field(std::string_view header_name);

/// Adds what `row` leads to. Holds one header or one part at a time. An email that cannot be read
/// is marked unsure. Blocks on the disk.
void add_email_terms(SegmentBuilder& builder, const BlobStore& blobs, EmailId email,
                     const EmailRow& row);

}  // namespace godwit::store
