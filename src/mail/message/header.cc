#include "mail/message/header.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/limits.h"
#include "mail/message/message_ids.h"

namespace godwit::mail {
namespace {

// The name at the front of a field line, without blanks before the colon (RFC 5322 4.5); 0 if the
// line is no field. RFC 5322 3.6.8: printable ASCII but the colon.
struct FieldName {
    std::size_t size = 0;
    std::size_t colon = 0;
};
FieldName field_name(std::string_view line) {
    std::size_t at = 0;
    while (at < line.size() && is_vchar(line[at]) && line[at] != ':') {
        ++at;
    }
    FieldName name{at, at};
    while (name.colon < line.size() && is_wsp(line[name.colon])) {
        ++name.colon;
    }
    if (name.colon >= line.size() || line[name.colon] != ':') {
        name.size = 0;
    }
    return name;
}

// What room for fields is made at first.
constexpr std::size_t kFieldSizeUsual = 32;
constexpr std::size_t kFieldsUsual = 24;

bool is_blank_line(std::string_view line) {
    return line == "\r\n" || line == "\n";
}

// The line at the front of `rest` with its line end.
std::string_view front_line(std::string_view rest) {
    const std::size_t newline = rest.find('\n');
    return newline == std::string_view::npos ? rest : rest.substr(0, newline + 1);
}

}  // namespace

HeaderSplitter::Verdict HeaderSplitter::line(std::string_view line) {
    if (is_blank_line(line)) {
        return Verdict::Blank;
    }
    if (overflow_) {
        return Verdict::More;
    }
    if (line.size() > block_size_max_ - offset_) {
        overflow_ = true;
        return Verdict::More;
    }
    const Verdict verdict = field_line(line);
    offset_ += verdict == Verdict::More ? line.size() : 0;
    return verdict;
}

HeaderSplitter::Verdict HeaderSplitter::field_line(std::string_view line) {
    const auto begin = static_cast<std::uint32_t>(offset_);
    const auto end = static_cast<std::uint32_t>(offset_ + line.size());
    if (is_wsp(line.front())) {
        if (!seen_field_) {
            return Verdict::Body;
        }
        if (open_field_) {
            HeaderField& field = index_.fields.back();
            if (end - field.begin > limits::header_field_size_max) {
                index_.truncated = true;
                open_field_ = false;
            } else {
                field.end = end;
            }
        }
        return Verdict::More;
    }
    const FieldName name = field_name(line);
    if (name.size == 0) {
        // J5: one mbox line at the top is passed over; any other line ends the header.
        const bool mbox = offset_ == 0 && (line.starts_with("From ") || line.starts_with(">From "));
        return mbox ? Verdict::More : Verdict::Body;
    }
    seen_field_ = true;
    open_field_ = index_.fields.size() < limits::header_fields_max &&
                  line.size() <= limits::header_field_size_max;
    if (!open_field_) {
        index_.truncated = true;
        return Verdict::More;
    }
    index_.fields.push_back({.begin = begin,
                             .name_size = static_cast<std::uint32_t>(name.size),
                             .body_begin = begin + static_cast<std::uint32_t>(name.colon) + 1,
                             .end = end});
    return Verdict::More;
}

HeaderIndex HeaderSplitter::finish(bool separated) && {
    index_.separator_missing = !separated;
    index_.truncated = index_.truncated || overflow_;
    return std::move(index_);
}

HeaderIndex split_header(std::string_view bytes) {
    HeaderSplitter splitter(limits::header_block_size_max);
    splitter.expect_fields(std::min(bytes.size() / kFieldSizeUsual + 1, kFieldsUsual));
    std::size_t at = 0;
    bool separated = false;
    while (at < bytes.size()) {
        const std::string_view line = front_line(bytes.substr(at));
        const HeaderSplitter::Verdict verdict = splitter.line(line);
        if (verdict == HeaderSplitter::Verdict::Body) {
            break;
        }
        at += line.size();
        if (verdict == HeaderSplitter::Verdict::Blank) {
            separated = true;
            break;
        }
    }
    HeaderIndex index = std::move(splitter).finish(separated);
    index.size = at;
    return index;
}

std::optional<std::size_t> find_header_end(std::string_view bytes) {
    HeaderSplitter splitter(limits::header_block_size_max);
    std::size_t at = 0;
    while (at < bytes.size()) {
        const std::string_view line = front_line(bytes.substr(at));
        if (!line.ends_with('\n')) {
            return std::nullopt;
        }
        const HeaderSplitter::Verdict verdict = splitter.line(line);
        if (verdict == HeaderSplitter::Verdict::Body) {
            return at;
        }
        at += line.size();
        if (verdict == HeaderSplitter::Verdict::Blank) {
            return at;
        }
    }
    return std::nullopt;
}

const HeaderField* HeaderIndex::find(std::string_view block, std::string_view name) const {
    for (const HeaderField& field : fields) {
        if (field.name_size == name.size() && equals_ignore_case(field.name(block), name)) {
            return &field;
        }
    }
    return nullptr;
}

std::size_t HeaderIndex::count(std::string_view block, std::string_view name) const {
    return static_cast<std::size_t>(std::ranges::count_if(fields, [&](const HeaderField& field) {
        return field.name_size == name.size() && equals_ignore_case(field.name(block), name);
    }));
}

std::optional<std::string> HeaderIndex::value(std::string_view block, std::string_view name) const {
    const HeaderField* field = find(block, name);
    return field == nullptr ? std::nullopt : std::optional(unfold(field->body(block)));
}

std::string unfold(std::string_view body) {
    body = trim(body);
    std::string out;
    std::size_t newline = body.find_first_of("\r\n");
    if (newline == std::string_view::npos) {
        return std::string(body);
    }
    out.reserve(body.size());
    while (newline != std::string_view::npos) {
        out.append(body.substr(0, newline));
        body.remove_prefix(newline + 1);
        newline = body.find_first_of("\r\n");
    }
    return out.append(body);
}

std::vector<std::string> parse_message_ids(std::string_view body) {
    std::vector<std::string> ids;
    MessageIdsView all(body);
    for (std::string_view id = all.next(); !id.empty(); id = all.next()) {
        ids.emplace_back(id);
    }
    if (ids.size() > limits::references_max) {
        ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(limits::references_max));
    }
    return ids;
}

}  // namespace godwit::mail
