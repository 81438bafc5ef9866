// From a section specification to octets of the stored message. RFC 3501 6.4.5, Q34.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mail/message/part.h"
#include "wire/imap/fetch.h"
#include "wire/imap/section.h"

namespace godwit::imap {

/// Octets of the stored message.
struct ByteRange {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    bool operator==(const ByteRange&) const = default;
};

/// What `section` names: for HEADER.FIELDS and HEADER.FIELDS.NOT the whole header, of which
/// filter_header() makes the answer. nullopt if the message has no such part (answer NIL):
/// HEADER and TEXT behind a number are for message parts alone; MIME gives any part's own header.
/// `message_size` is the stored size.
std::optional<ByteRange> find_section_range(const mail::PartTree& parts, std::uint64_t message_size,
                                            const Section& section);

/// The part of `range` that <origin.count> asks for; empty at its end when origin lies beyond it.
ByteRange apply_partial(ByteRange range, const std::optional<Partial>& partial);

/// What of `range` lies within [from, end); empty where it begins when nothing does.
ByteRange overlap(ByteRange range, std::uint64_t from, std::uint64_t end);

/// The fields of `header` that the section wants, each as stored, in their order, and a blank line.
/// `header` may be any block of fields that has all wanted ones. Names match without case. Linear
/// in the header times the logarithm of the names.
std::string filter_header(std::string_view header, const Section& section);

}  // namespace godwit::imap
