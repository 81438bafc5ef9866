// Writing and reading replies.
#include "wire/smtp/reply.h"

#include "base/ascii.h"
#include "base/limits.h"

namespace godwit::smtp {

namespace {

void append_code(std::uint16_t code, std::string& out) {
    check(code >= 200 && code <= 599, "a reply code outside 200-599 was to be sent");
    out += std::to_string(code);
}

/// No text of ours or a peer's may bring its own line end or control character.
void append_printable(std::string_view text, std::string& out) {
    for (const char c : text) {
        out += is_ctl(c) && c != '\t' ? ' ' : c;
    }
}

/// Valid UTF-8 without controls, for logs and reports (E13): other octets become '?'.
std::string sanitized(std::string_view text) {
    std::string out;
    append_printable(text, out);
    if (!is_utf8(out)) {
        for (char& c : out) {
            c = is_ascii(c) ? c : '?';
        }
        return out;
    }
    // U+0080 to U+009F, which terminals obey.
    for (std::size_t at = out.find('\xC2'); at != std::string::npos;
         at = out.find('\xC2', at + 1)) {
        if (static_cast<unsigned char>(out[at + 1]) < 0xA0) {
            out.replace(at, 2, " ");
        }
    }
    return out;
}

}  // namespace

Reply make_reply(std::uint16_t code, EnhancedStatus enhanced, std::string text) {
    return Reply{.code = code, .enhanced = enhanced, .text = std::move(text)};
}

std::string to_string(const Reply& reply) {
    std::string out = std::to_string(reply.code);
    if (reply.enhanced) {
        out += ' ' + reply.enhanced->to_string();
    }
    bool is_first = true;
    for (const std::string_view line : split(reply.text, '\n')) {
        out += is_first ? " " : " / ";
        out += line;
        is_first = false;
    }
    return out;
}

void write_reply(const Reply& reply, std::string& out) {
    const std::string prefix = reply.enhanced ? reply.enhanced->to_string() + ' ' : std::string();
    std::string_view rest = reply.text;
    while (true) {
        const std::size_t end = rest.find('\n');
        const bool is_last = end == std::string_view::npos;
        append_code(reply.code, out);
        out += is_last ? ' ' : '-';
        out += prefix;
        append_printable(rest.substr(0, end), out);
        out += "\r\n";
        if (is_last) {
            return;
        }
        rest.remove_prefix(end + 1);
    }
}

ReplyParser::Progress ReplyParser::feed(std::string_view bytes) {
    if (!failure_.empty()) {
        return {Status::Failed, 0};
    }
    std::size_t at = 0;
    while (at < bytes.size()) {
        const std::size_t end = bytes.find('\n', at);
        const bool is_whole = end != std::string_view::npos;
        const std::size_t size = (is_whole ? end : bytes.size()) - at;
        // Checked before it is kept, so that a peer that never ends a line costs one line.
        if (line_.size() + size > limits::smtp_reply_line_size_max ||
            size_ + line_.size() + size > limits::smtp_reply_size_max) {
            return {fail("longer than limits.h: smtp_reply_line_size_max or smtp_reply_size_max"),
                    at};
        }
        line_.append(bytes.substr(at, size));
        at += size + (is_whole ? 1 : 0);
        if (is_whole) {
            const Status status = end_line();
            if (status != Status::More) {
                return {status, at};
            }
        }
    }
    return {Status::More, at};
}

ReplyParser::Status ReplyParser::fail(std::string_view why) {
    failure_ = "reply " + std::string(why);
    line_.clear();
    return Status::Failed;
}

ReplyParser::Status ReplyParser::end_line() {
    if (line_.ends_with('\r')) {
        line_.pop_back();
    }
    size_ += line_.size() + 2;
    if (++lines_ > limits::smtp_reply_lines_max) {
        return fail("has more lines than limits.h: smtp_reply_lines_max");
    }
    const bool has_code =
        line_.size() >= 3 && is_digit(line_[0]) && is_digit(line_[1]) && is_digit(line_[2]);
    if (!has_code || (line_.size() > 3 && line_[3] != ' ' && line_[3] != '-')) {
        return fail("line does not start with a code: \"" + sanitized(line_.substr(0, 40)) + "\"");
    }
    // The last line's code counts, E13.
    code_ = static_cast<std::uint16_t>((line_[0] - '0') * 100 + (line_[1] - '0') * 10 +
                                       (line_[2] - '0'));
    if (code_ < 200 || code_ > 599) {
        return fail("has the impossible code " + line_.substr(0, 3));  // E11
    }
    const bool is_last = line_.size() == 3 || line_[3] == ' ';
    std::string_view text = std::string_view(line_).substr(std::min<std::size_t>(4, line_.size()));
    // E12: a code of another class than the basic one is no code, but text.
    if (const auto front = mail::take_enhanced_status(text);
        front && front->status.status_class == code_ / 100 &&
        (lines_ == 1 || enhanced_ == front->status)) {
        enhanced_ = front->status;
        text.remove_prefix(front->size);
        while (text.starts_with(' ')) {
            text.remove_prefix(1);
        }
    } else if (lines_ == 1) {
        enhanced_.reset();
    }
    if (lines_ > 1) {
        text_ += '\n';
    }
    text_ += sanitized(text);
    line_.clear();
    complete_ = is_last;
    return is_last ? Status::Complete : Status::More;
}

Reply ReplyParser::take() {
    check(complete_, "a reply was taken that is not complete");
    if (enhanced_ && enhanced_->status_class != code_ / 100) {
        enhanced_.reset();
    }
    Reply reply{.code = code_, .enhanced = enhanced_, .text = std::move(text_)};
    text_.clear();
    enhanced_.reset();
    lines_ = 0;
    size_ = 0;
    complete_ = false;
    return reply;
}

}  // namespace godwit::smtp
