#include "wire/imap/section_range.h"

#include <algorithm>
#include <vector>

#include "base/ascii.h"
#include "mail/message/header.h"

namespace godwit::imap {

namespace {

ByteRange header_of(const mail::Part& part) {
    return {part.header_offset, part.header_size()};
}

// The only child of a Message part.
const mail::Part* message_inside(const mail::PartTree& parts, std::uint32_t index) {
    if (parts[index].kind != mail::Part::Kind::Message) {
        return nullptr;
    }
    for (std::size_t i = index + 1; i < parts.size(); ++i) {
        if (parts[i].parent == index) {
            return &parts[i];
        }
    }
    return nullptr;
}

std::optional<ByteRange> text_of_message(const mail::Part& root, SectionText text, ByteRange body) {
    switch (text) {
        case SectionText::Header:
        case SectionText::HeaderFields:
        case SectionText::HeaderFieldsNot: return header_of(root);
        case SectionText::Text: return body;
        case SectionText::Whole:
        case SectionText::Mime: break;
    }
    return std::nullopt;
}

}  // namespace

std::optional<ByteRange> find_section_range(const mail::PartTree& parts, std::uint64_t message_size,
                                            const Section& section) {
    if (parts.empty()) {
        return std::nullopt;
    }
    if (section.part.empty()) {
        if (section.text == SectionText::Whole) {
            return ByteRange{0, message_size};
        }
        // Header and text together are the whole message, also when a broken one has octets that
        // belong to no part.
        const mail::Part& root = parts.front();
        const std::uint64_t body = std::min(root.body_offset, message_size);
        return text_of_message(root, section.text, {body, message_size - body});
    }
    const std::optional<std::uint32_t> index = mail::find_section(parts, section.part);
    if (!index) {
        return std::nullopt;
    }
    const mail::Part& part = parts[*index];
    if (section.text == SectionText::Whole) {
        return ByteRange{part.body_offset, part.body_size};
    }
    if (section.text == SectionText::Mime) {
        return header_of(part);
    }
    const mail::Part* inner = message_inside(parts, *index);
    if (inner == nullptr) {
        return std::nullopt;
    }
    const std::uint64_t part_end = part.body_offset + part.body_size;
    const std::uint64_t body = std::min(inner->body_offset, part_end);
    return text_of_message(*inner, section.text, {body, part_end - body});
}

ByteRange apply_partial(ByteRange range, const std::optional<Partial>& partial) {
    if (!partial) {
        return range;
    }
    const std::uint64_t skipped = std::min<std::uint64_t>(partial->origin, range.size);
    return {range.offset + skipped, std::min<std::uint64_t>(partial->count, range.size - skipped)};
}

ByteRange overlap(ByteRange range, std::uint64_t from, std::uint64_t end) {
    const std::uint64_t low = std::clamp(from, range.offset, range.offset + range.size);
    const std::uint64_t high = std::clamp(end, low, range.offset + range.size);
    return {low, high - low};
}

std::string filter_header(std::string_view header, const Section& section) {
    std::vector<std::string> names;
    names.reserve(section.fields.size());
    for (const std::string& name : section.fields) {
        names.push_back(to_lower(name));
    }
    std::ranges::sort(names);
    const bool wants_listed = section.text == SectionText::HeaderFields;
    const mail::HeaderIndex index = mail::split_header(header);
    std::string out;
    for (const mail::HeaderField& field : index.fields) {
        const bool is_listed = std::ranges::binary_search(names, to_lower(field.name(header)));
        if (is_listed != wants_listed) {
            continue;
        }
        out.append(field.raw(header));
        if (!out.ends_with('\n')) {
            out.append("\r\n");  // The last line of a message may lack its end.
        }
    }
    // RFC 3501 6.4.5: the blank line is part of every header fetch. A header without body and blank
    // line gets one too: every client looks for it.
    out.append("\r\n");
    return out;
}

}  // namespace godwit::imap
