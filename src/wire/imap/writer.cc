#include "wire/imap/writer.h"

#include <algorithm>
#include <charconv>

#include "base/ascii.h"
#include "base/encoding.h"
#include "wire/imap/date_time.h"
#include "wire/imap/lexer.h"
#include "wire/imap/utf7.h"

namespace godwit::imap {

namespace {

std::string_view name_of(Condition condition) {
    switch (condition) {
        case Condition::Ok: return "OK";
        case Condition::No: return "NO";
        case Condition::Bad: return "BAD";
        case Condition::Bye: return "BYE";
        case Condition::Preauth: return "PREAUTH";
    }
    return "BAD";
}

// What a status says when its author had nothing to say (Q33).
std::string_view default_text(Condition condition) {
    switch (condition) {
        case Condition::Ok: return "Done";
        case Condition::No: return "Not done";
        case Condition::Bad: return "Not understood";
        case Condition::Bye: return "Closing";
        case Condition::Preauth: return "Welcome";
    }
    return "Done";
}

// RFC 3501 9, text: one line of 7-bit characters. A peer's octets may be among ours.
void append_text(std::string& out, std::string_view text) {
    for (const char c : text) {
        out.push_back(is_ascii(c) && !is_ctl(c) ? c : '?');
    }
}

// What stands in a quoted string as it is.
constexpr bool is_plain(char c) {
    const auto octet = static_cast<unsigned char>(c);
    return octet < 0x80 && c != '\0' && c != '\r' && c != '\n' && c != '"' && c != '\\';
}

bool may_be_quoted(std::string_view value, NameSpelling spelling) {
    if (value.size() > limits::imap_quoted_size_max) {
        return false;
    }
    const bool has_8bit = !is_ascii(value);
    if (has_8bit && (spelling != NameSpelling::Utf8 || !is_utf8(value))) {
        return false;
    }
    return std::ranges::none_of(value, [](char c) { return c == '\r' || c == '\n'; });
}

}  // namespace

namespace code {

std::string uid_validity(UidValidity value) {
    return "UIDVALIDITY " + std::to_string(value.value());
}

std::string uid_next(Uid value) {
    return "UIDNEXT " + std::to_string(value.value());
}

std::string unseen(std::uint32_t sequence_number) {
    return "UNSEEN " + std::to_string(sequence_number);
}

std::string highest_mod_seq(ModSeq value) {
    return "HIGHESTMODSEQ " + std::to_string(std::max<std::uint64_t>(1, value.value()));
}

std::string modified(const NumberSet& set) {
    return "MODIFIED " + set.to_string();
}

std::string no_update(std::string_view tag) {
    return "NOUPDATE \"" + std::string(tag) + '"';
}

std::string message_limit(std::size_t limit, Uid lowest) {
    return "MESSAGELIMIT " + std::to_string(limit) + " " + std::to_string(lowest.value());
}

std::string bad_url(std::string_view url) {
    std::string out = "BADURL ";
    for (const char c : url) {
        if (is_vchar(c) && c != ']') {
            out.push_back(c);
        } else {
            out.append("%").append(hex_encode(std::string_view(&c, 1)));
        }
    }
    return out;
}

std::string append_uid(UidValidity validity, std::span<const Uid> uids) {
    check(!uids.empty(), "APPENDUID needs a message");
    return "APPENDUID " + std::to_string(validity.value()) + " " + write_uid_set(uids);
}

std::string copy_uid(UidValidity validity, std::span<const Uid> sources,
                     std::span<const Uid> targets) {
    check(!sources.empty() && sources.size() == targets.size(), "COPYUID needs pairs");
    return "COPYUID " + std::to_string(validity.value()) + " " + write_uid_set(sources) + " " +
           write_uid_set(targets);
}

std::string capability(std::string_view list) {
    return "CAPABILITY " + std::string(list);
}

}  // namespace code

void ResponseWriter::status(Condition condition, std::string_view code, std::string_view text) {
    raw(" ").raw(name_of(condition)).raw(" ");
    if (!code.empty()) {
        raw("[").raw(code).raw("] ");
    } else if (text.starts_with('[')) {
        raw(". ");  // Or it would be read as a code.
    }
    append_text(out_, text.empty() ? default_text(condition) : text);
    crlf();
}

void ResponseWriter::tagged(std::string_view tag, Condition condition, std::string_view code,
                            std::string_view text) {
    raw(tag);
    status(condition, code, text);
}

void ResponseWriter::untagged(Condition condition, std::string_view code, std::string_view text) {
    raw("*");
    status(condition, code, text);
}

void ResponseWriter::continuation(std::string_view text) {
    raw("+ ");
    append_text(out_, text.empty() ? "Go ahead" : text);
    crlf();
}

void ResponseWriter::challenge(std::string_view base64) {
    raw("+ ").raw(base64).crlf();
}

void ResponseWriter::line(std::string_view words) {
    raw("* ").raw(words).crlf();
}

void ResponseWriter::numbered(std::uint32_t count, std::string_view word) {
    raw("* ").number(count).raw(" ").raw(word).crlf();
}

ResponseWriter& ResponseWriter::number(std::uint64_t value) {
    char digits[20];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
    return raw({digits, static_cast<std::size_t>(end - digits)});
}

ResponseWriter& ResponseWriter::literal_header(std::uint64_t size) {
    return raw("{").number(size).raw("}\r\n");
}

ResponseWriter& ResponseWriter::string(std::string_view value) {
    // Most strings are ASCII with nothing to escape.
    if (value.size() <= limits::imap_quoted_size_max && std::ranges::all_of(value, &is_plain)) {
        out_.push_back('"');
        out_.append(value);
        out_.push_back('"');
        return *this;
    }
    if (value.find('\0') != std::string_view::npos) {
        std::string clean(value);
        std::erase(clean, '\0');
        return string(clean);
    }
    if (!may_be_quoted(value, spelling_)) {
        return literal_header(value.size()).raw(value);
    }
    out_.push_back('"');
    for (const char c : value) {
        if (c == '"' || c == '\\') {
            out_.push_back('\\');
        }
        out_.push_back(c);
    }
    out_.push_back('"');
    return *this;
}

ResponseWriter& ResponseWriter::nstring(const std::optional<std::string>& value) {
    return value ? string(*value) : raw("NIL");
}

ResponseWriter& ResponseWriter::astring(std::string_view value) {
    // "NIL" alone would be read as no string where an nstring is allowed.
    if (!value.empty() && value.size() <= limits::imap_quoted_size_max &&
        std::ranges::all_of(value, is_astring_char) && !equals_ignore_case(value, "NIL")) {
        return raw(value);
    }
    return string(value);
}

ResponseWriter& ResponseWriter::mailbox(std::string_view utf8) {
    return string(spelling_ == NameSpelling::Utf8 ? std::string(utf8) : utf7_encode(utf8));
}

ResponseWriter& ResponseWriter::flags(const FlagSet& flags, bool recent) {
    char before = '(';
    const auto word = [&](std::string_view flag) {
        out_.push_back(before);
        raw(flag);
        before = ' ';
    };
    for (const SystemFlagName& row : kSystemFlags) {
        if (flags.has(row.flag)) {
            word(row.name);
        }
    }
    if (recent) {
        word("\\Recent");
    }
    for (const std::string& keyword : flags.keywords) {
        word(keyword);
    }
    return raw(before == '(' ? "()" : ")");
}

ResponseWriter& ResponseWriter::permanent_flags(const FlagSet& set, bool may_create) {
    flags(set);
    if (may_create) {
        out_.pop_back();
        if (out_.back() != '(') {
            out_.push_back(' ');
        }
        raw("\\*)");
    }
    return *this;
}

ResponseWriter& ResponseWriter::date_time(WallTime time) {
    return raw("\"").raw(format_date_time(time)).raw("\"");
}

}  // namespace godwit::imap
