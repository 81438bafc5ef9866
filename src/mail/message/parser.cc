#include "mail/message/parser.h"

#include <algorithm>
#include <cstring>

#include "base/ascii.h"
#include "base/limits.h"
#include "mail/message/part_header.h"

namespace godwit::mail {
namespace {

// In pieces whose count fits an octet: sixteen or more are counted at once then.
std::uint64_t count_newlines(std::string_view bytes) {
    constexpr std::size_t kPiece = 255;
    std::uint64_t total = 0;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(kPiece, bytes.size()))) {
        std::uint8_t count = 0;
        for (const char octet : bytes.substr(0, kPiece)) {
            count = static_cast<std::uint8_t>(count + (octet == '\n' ? 1 : 0));
        }
        total += count;
    }
    return total;
}

// Longest line that can be a delimiter: "--", the boundary, "--", some padding (RFC 2046 5.1.1),
// line end. The same cut-off whether the line comes whole or in pieces.
constexpr std::size_t kDelimiterLineMax = 2 + limits::mime_boundary_size_max + 2 + 64 + 2;

bool has_high_octet(std::string_view bytes) {
    unsigned char seen = 0;
    for (const char c : bytes) {
        seen |= static_cast<unsigned char>(c);
    }
    return seen >= 0x80;
}

}  // namespace

// Lines of headers are gathered whole in `line_`; of bodies only lines that begin with '-' are,
// since nothing else can be a delimiter. `offset_` is where the first octet not yet given to a part
// stands.
class MessageParser::Machine {
public:
    Machine() { open_part(kNoParent, DefaultType::Text); }

    void feed(std::string_view bytes) {
        message_.size += bytes.size();
        message_.has_8bit = message_.has_8bit || has_high_octet(bytes);
        while (!bytes.empty()) {
            bytes.remove_prefix(in_header_ ? header_piece(bytes) : body_piece(bytes));
        }
    }

    ParsedMessage finish() {
        if (!line_.empty()) {
            in_header_ ? header_line(line_) : body_line(line_);
            line_.clear();
        }
        while (in_header_) {
            end_header(offset_, false);
        }
        while (!open_.empty()) {
            close_part(offset_, lines_);
        }
        close_empty_multiparts();
        return std::move(message_);
    }

private:
    struct Open {
        std::uint32_t part = 0;
        std::uint64_t lines_begin = 0;
        std::string boundary;
        bool active = false;  // `boundary` may still come: no close delimiter was seen.
        DefaultType inner = DefaultType::Text;
    };

    // --- Header -------------------------------------------------------------------------------

    std::size_t header_piece(std::string_view bytes) {
        const std::size_t newline = bytes.find('\n');
        const bool complete = newline != std::string_view::npos;
        const std::size_t count = complete ? newline + 1 : bytes.size();
        const std::string_view piece = bytes.substr(0, count);
        if (complete && line_.empty() && !discarding_) {
            header_line(piece);
            return count;
        }
        if (!discarding_ && line_.size() + count > block_size_max_) {
            splitter_.long_line();
            offset_ += line_.size();
            line_.clear();
            discarding_ = true;
        }
        if (discarding_) {
            offset_ += count;
            lines_ += complete ? 1 : 0;
            discarding_ = !complete;
            return count;
        }
        line_.append(piece);
        if (complete) {
            header_line(line_);
            line_.clear();
        }
        return count;
    }

    void header_line(std::string_view line) {
        if (active_ > 0 && line.starts_with("--") && take_delimiter(line)) {
            return;
        }
        while (in_header_) {
            switch (splitter_.line(line)) {
                case HeaderSplitter::Verdict::More:
                    if (!splitter_.is_overflowing()) {
                        block_.append(line);
                    }
                    skip_line(line);
                    return;
                case HeaderSplitter::Verdict::Blank:
                    if (block_.size() + line.size() <= block_size_max_) {
                        block_.append(line);
                    }
                    skip_line(line);
                    end_header(offset_, true);
                    return;
                case HeaderSplitter::Verdict::Body:
                    end_header(offset_, false);  // May open the header of a message inside.
                    break;
            }
        }
        content(line, line.ends_with('\n') ? 1 : 0);
        at_line_start_ = true;
    }

    void skip_line(std::string_view line) {
        offset_ += line.size();
        lines_ += line.ends_with('\n') ? 1 : 0;
    }

    void end_header(std::uint64_t body_offset, bool separated) {
        in_header_ = false;
        at_line_start_ = true;
        newline_size_ = 0;
        HeaderIndex index = std::move(splitter_).finish(separated);
        Open& open = open_.back();
        Part& part = message_.parts[open.part];
        part.body_offset = body_offset;
        index.size = static_cast<std::size_t>(part.header_size());
        open.lines_begin = lines_;
        const DefaultType type =
            open_.size() > 1 ? open_[open_.size() - 2].inner : DefaultType::Text;
        const bool whole = fill_part(part, block_, index, type, &structure_budget_);
        message_.truncated = message_.truncated || !whole || index.truncated;
        if (part.parent != kNoParent && message_.parts[part.parent].kind == Part::Kind::Message) {
            keep_envelope(message_.parts[part.parent], index);
        }
        if (part.parent == kNoParent) {
            message_.header_size = body_offset;
            message_.header_has_8bit = has_high_octet(block_);
            message_.header = std::move(block_);
            message_.index = std::move(index);
        }
        begin_body(open, part);
    }

    void keep_envelope(Part& holder, const HeaderIndex& index) {
        if (block_.size() > envelope_budget_) {
            message_.truncated = true;
            return;
        }
        envelope_budget_ -= block_.size();
        holder.envelope = read_envelope(block_, index);
    }

    void begin_body(Open& open, Part& part) {
        if (part.type == "multipart") {
            begin_multipart(open, part);
        } else if (part.type == "message" &&
                   (part.subtype == "rfc822" || part.subtype == "global")) {
            if (!may_open()) {
                return;
            }
            part.kind = Part::Kind::Message;
            part.envelope.emplace();
            open_part(open.part, DefaultType::Text);
        } else if (part.type == "text" && part.disposition != "attachment") {
            const bool html = part.subtype == "html";
            std::uint32_t& holder = html ? message_.html_part : message_.plain_part;
            if ((html || part.subtype == "plain") && holder == kNoParent) {
                holder = open.part;
                sample_ = html ? &message_.html_sample : &message_.plain_sample;
            }
        }
    }

    void begin_multipart(Open& open, Part& part) {
        const auto it =
            std::ranges::find(part.parameters, std::string_view("boundary"), &Parameter::name);
        if (it == part.parameters.end() || trim(it->value).empty()) {
            return;
        }
        if (it->value.size() > limits::mime_boundary_size_max || !may_open()) {
            message_.truncated = true;
            return;
        }
        // RFC 2046 5.1.1: a boundary never ends in white space, nor does a line we compare with.
        open.boundary = it->value;
        open.boundary.resize(open.boundary.find_last_not_of(" \t\r\n") + 1);
        open.active = true;
        open.inner = part.subtype == "digest" ? DefaultType::Message : DefaultType::Text;
        ++active_;
        part.kind = Part::Kind::Multipart;
    }

    bool may_open() {
        const bool may =
            open_.size() < limits::mime_depth_max && message_.parts.size() < limits::mime_parts_max;
        message_.truncated = message_.truncated || !may;
        return may;
    }

    // --- Body ---------------------------------------------------------------------------------

    std::size_t body_piece(std::string_view bytes) {
        if (active_ == 0) {
            content(bytes, count_newlines(bytes));
            return bytes.size();
        }
        if (!line_.empty()) {
            return pending_piece(bytes);
        }
        if (at_line_start_ && bytes.front() == '-') {
            const std::size_t newline = bytes.find('\n');
            if (newline != std::string_view::npos) {
                body_line(bytes.substr(0, newline + 1));
                return newline + 1;
            }
            if (bytes.size() <= kDelimiterLineMax) {
                line_ = bytes;
                return bytes.size();
            }
        }
        return plain_lines(bytes);
    }

    // More of a line that may be a delimiter.
    std::size_t pending_piece(std::string_view bytes) {
        const std::size_t newline = bytes.find('\n');
        const std::size_t count = newline == std::string_view::npos ? bytes.size() : newline + 1;
        if (line_.size() + count > kDelimiterLineMax) {
            content(line_, 0);
            line_.clear();
            at_line_start_ = false;
            return 0;
        }
        line_.append(bytes.substr(0, count));
        if (newline != std::string_view::npos) {
            body_line(line_);
            line_.clear();
        }
        return count;
    }

    // Everything up to the next line that begins with '-'.
    std::size_t plain_lines(std::string_view bytes) {
        std::size_t at = 0;
        std::uint64_t lines = 0;
        at_line_start_ = false;
        while (at < bytes.size()) {
            const void* found = std::memchr(bytes.data() + at, '\n', bytes.size() - at);
            if (found == nullptr) {
                at = bytes.size();
                break;
            }
            at = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data()) + 1;
            ++lines;
            if (at == bytes.size() || bytes[at] == '-') {
                at_line_start_ = true;
                break;
            }
        }
        content(bytes.substr(0, at), lines);
        return at;
    }

    void body_line(std::string_view line) {
        if (line.starts_with("--") && take_delimiter(line)) {
            return;
        }
        content(line, line.ends_with('\n') ? 1 : 0);
        at_line_start_ = true;
    }

    // Octets of the innermost open part.
    void content(std::string_view bytes, std::uint64_t lines) {
        if (sample_ != nullptr && sample_->size() < limits::preview_source_size_max) {
            sample_->append(bytes.substr(0, limits::preview_source_size_max - sample_->size()));
        }
        note_newline(bytes);
        lines_ += lines;
        offset_ += bytes.size();
    }

    void note_newline(std::string_view bytes) {
        if (!bytes.ends_with('\n')) {
            newline_size_ = 0;
        } else if (bytes.size() >= 2) {
            newline_size_ = bytes[bytes.size() - 2] == '\r' ? 2 : 1;
        } else {
            newline_size_ = last_octet_ == '\r' ? 2 : 1;
        }
        last_octet_ = bytes.back();
    }

    // --- Delimiters ---------------------------------------------------------------------------

    // A line that is exactly a delimiter of an open multipart, but for blanks behind it, ends what
    // is open inside. Comparing whole lines, not prefixes, keeps "--a" and "--ab" apart.
    bool take_delimiter(std::string_view line) {
        if (line.size() > kDelimiterLineMax) {
            return false;
        }
        std::string_view text = line.substr(2);
        text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
        const std::string_view closed =
            text.ends_with("--") ? text.substr(0, text.size() - 2) : std::string_view{};
        for (std::size_t level = open_.size(); level-- > 0;) {
            const Open& open = open_[level];
            if (!open.active ||
                (open.boundary != text && (closed.empty() || open.boundary != closed))) {
                continue;
            }
            const bool closes = open.boundary != text;
            end_parts_inside(level);
            skip_line(line);
            newline_size_ = 0;
            last_octet_ = '\0';
            note_newline(line);
            at_line_start_ = true;
            closes ? deactivate(open_[level]) : next_part(level);
            return true;
        }
        return false;
    }

    void end_parts_inside(std::size_t level) {
        while (in_header_) {
            end_header(offset_, false);
        }
        // RFC 2046 5.1.1: the line end before the delimiter belongs to the delimiter.
        const std::uint64_t end = offset_ - newline_size_;
        const std::uint64_t lines = lines_ - (newline_size_ > 0 ? 1 : 0);
        while (open_.size() > level + 1) {
            close_part(end, lines);
        }
        sample_ = nullptr;
    }

    void next_part(std::size_t level) {
        if (message_.parts.size() >= limits::mime_parts_max) {
            message_.truncated = true;
            deactivate(open_[level]);
            return;
        }
        open_part(open_[level].part, DefaultType::Text);
    }

    void deactivate(Open& open) {
        open.active = false;
        --active_;
    }

    // --- Parts --------------------------------------------------------------------------------

    void open_part(std::uint32_t parent, DefaultType inner) {
        const auto index = static_cast<std::uint32_t>(message_.parts.size());
        Part& part = message_.parts.emplace_back();
        part.parent = parent;
        part.header_offset = offset_;
        open_.push_back(
            {.part = index, .lines_begin = 0, .boundary = {}, .active = false, .inner = inner});
        block_size_max_ =
            parent == kNoParent ? limits::header_block_size_max : limits::mime_part_header_size_max;
        splitter_ = HeaderSplitter(block_size_max_);
        block_.clear();
        in_header_ = true;
        sample_ = nullptr;
    }

    void close_part(std::uint64_t end, std::uint64_t lines) {
        const Open& open = open_.back();
        Part& part = message_.parts[open.part];
        part.body_size = end > part.body_offset ? end - part.body_offset : 0;
        part.lines = lines > open.lines_begin ? lines - open.lines_begin : 0;
        active_ -= open.active ? 1 : 0;
        open_.pop_back();
    }

    void close_empty_multiparts() {
        std::vector<bool> has_child(message_.parts.size(), false);
        for (const Part& part : message_.parts) {
            if (part.parent != kNoParent) {
                has_child[part.parent] = true;
            }
        }
        for (std::size_t i = 0; i < has_child.size(); ++i) {
            if (!has_child[i]) {
                message_.parts[i].kind = Part::Kind::Leaf;
            }
        }
    }

    ParsedMessage message_;
    std::vector<Open> open_;  // The part we are in is the last; the others hold it.
    HeaderSplitter splitter_{limits::header_block_size_max};
    std::string block_;  // The header being read.
    std::string line_;   // The start of a line that is not whole yet.
    std::size_t block_size_max_ = limits::header_block_size_max;
    std::size_t structure_budget_ = limits::mime_structure_size_max;
    std::size_t envelope_budget_ = limits::mime_envelopes_size_max;
    std::string* sample_ = nullptr;  // Of `message_`: where text for the preview goes.
    std::uint64_t offset_ = 0;
    std::uint64_t lines_ = 0;         // Line ends before `offset_`.
    std::uint64_t newline_size_ = 0;  // Of the line end right before `offset_`; 0 if none.
    std::size_t active_ = 0;          // Multiparts whose boundary may come.
    char last_octet_ = '\0';
    bool in_header_ = true;
    bool discarding_ = false;  // Inside a header line that is too long to keep.
    bool at_line_start_ = true;
};

MessageParser::MessageParser() : machine_(std::make_unique<Machine>()) {}
MessageParser::~MessageParser() = default;
MessageParser::MessageParser(MessageParser&&) noexcept = default;
MessageParser& MessageParser::operator=(MessageParser&&) noexcept = default;

void MessageParser::feed(std::string_view bytes) {
    machine_->feed(bytes);
}

ParsedMessage MessageParser::finish() {
    return machine_->finish();
}

ParsedMessage parse_message(std::string_view bytes) {
    MessageParser parser;
    parser.feed(bytes);
    return parser.finish();
}

}  // namespace godwit::mail
