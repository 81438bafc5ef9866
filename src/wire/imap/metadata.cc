#include "wire/imap/metadata.h"

#include <algorithm>

#include "base/ascii.h"

namespace godwit::imap {

namespace {

constexpr std::string_view kPrivate = "/private/";
constexpr std::string_view kShared = "/shared/";
constexpr std::string_view kVendor = "vendor/";

bool is_entry_char(char c) {
    return c >= ' ' && c < 0x7f && c != '*' && c != '%';
}

// RFC 5464 3.2: two levels at least, four below vendor.
bool is_entry(std::string_view name) {
    const std::string_view scope = name.starts_with(kPrivate) ? kPrivate : kShared;
    if (!name.starts_with(scope) || name.size() > metadata_entry_size_max || name.ends_with('/') ||
        name.find("//") != std::string_view::npos || !std::ranges::all_of(name, is_entry_char)) {
        return false;
    }
    const std::string_view rest = name.substr(scope.size());
    const bool is_vendor =
        rest == kVendor.substr(0, kVendor.size() - 1) || rest.starts_with(kVendor);
    return !is_vendor || std::ranges::count(rest, '/') >= 2;
}

// DEPTH and GETMETADATA name levels of the tree, which need not be entries themselves.
Result<std::string> read_level(Lexer& lexer) {
    std::string name = to_lower(TRY(lexer.astring()));
    const bool is_in_scope =
        (name + "/").starts_with(kPrivate) || (name + "/").starts_with(kShared);
    if (!is_in_scope || name.size() > metadata_entry_size_max || name.ends_with('/') ||
        name.find("//") != std::string::npos || !std::ranges::all_of(name, is_entry_char)) {
        return peer_error(ErrorCode::Invalid,
                          "A metadata entry is a path below /private or /shared");
    }
    return name;
}

// The empty name, quoted or as a literal, is the server's.
Result<std::optional<MailboxName>> read_place(Lexer& lexer, NameSpelling spelling) {
    const std::size_t from = lexer.offset();
    if (lexer.peek() != '(' && TRY(lexer.astring()).empty()) {
        return std::nullopt;
    }
    lexer.rewind(from);
    return TRY(read_mailbox_name(lexer, spelling));
}

Result<MetadataDepth> read_depth(Lexer& lexer) {
    if (lexer.take_word("0")) {
        return MetadataDepth::Zero;
    }
    if (lexer.take_word("1")) {
        return MetadataDepth::One;
    }
    if (lexer.take_word("INFINITY")) {
        return MetadataDepth::Infinity;
    }
    return lexer.bad("0, 1 or infinity");
}

Result<> read_options(Lexer& lexer, GetMetadataArguments& out) {
    TRY(lexer.expect('('));
    do {
        if (lexer.take_word("MAXSIZE")) {
            TRY(lexer.space());
            out.max_size = TRY(lexer.number());
        } else if (lexer.take_word("DEPTH")) {
            TRY(lexer.space());
            out.depth = TRY(read_depth(lexer));
        } else {
            return lexer.bad("MAXSIZE or DEPTH");
        }
    } while (lexer.take(' '));
    return lexer.expect(')');
}

// A list in parentheses behind the mailbox is one of options when it begins with one.
bool is_option_list(Lexer& lexer) {
    const std::size_t from = lexer.offset();
    const bool is_it = lexer.take('(') && (lexer.take_word("MAXSIZE") || lexer.take_word("DEPTH"));
    lexer.rewind(from);
    return is_it;
}

Result<std::optional<std::string>> read_value(Lexer& lexer) {
    // literal8 is a literal to the lexer: nstring takes both.
    return lexer.nstring();
}

}  // namespace

Result<std::string> read_metadata_entry(Lexer& lexer) {
    std::string name = to_lower(TRY(lexer.astring()));
    if (!is_entry(name)) {
        return peer_error(ErrorCode::Invalid,
                          "A metadata entry is a path below /private or /shared");
    }
    return name;
}

Result<std::vector<std::string>> read_metadata_entries(Lexer& lexer) {
    std::vector<std::string> out;
    if (!lexer.take('(')) {
        out.push_back(TRY(read_level(lexer)));
        return out;
    }
    do {
        if (out.size() == metadata_entries_max) {
            return peer_error(ErrorCode::LimitExceeded, "Too many metadata entries");
        }
        out.push_back(TRY(read_level(lexer)));
    } while (lexer.take(' '));
    TRY(lexer.expect(')'));
    return out;
}

bool is_within(std::string_view name, std::string_view entry, MetadataDepth depth) {
    if (!name.starts_with(entry)) {
        return false;
    }
    const std::string_view rest = name.substr(entry.size());
    if (rest.empty()) {
        return true;
    }
    return rest.front() == '/' &&
           (depth == MetadataDepth::Infinity ||
            (depth == MetadataDepth::One && rest.find('/', 1) == std::string_view::npos));
}

Result<GetMetadataArguments> parse_get_metadata(Lexer& lexer, NameSpelling spelling) {
    GetMetadataArguments out;
    TRY(lexer.space());
    if (lexer.peek() == '(') {
        TRY(read_options(lexer, out));
        TRY(lexer.space());
    }
    out.mailbox = TRY(read_place(lexer, spelling));
    TRY(lexer.space());
    if (is_option_list(lexer)) {
        TRY(read_options(lexer, out));
        TRY(lexer.space());
    }
    out.entries = TRY(read_metadata_entries(lexer));
    TRY(lexer.end());
    return out;
}

Result<SetMetadataArguments> parse_set_metadata(Lexer& lexer, NameSpelling spelling) {
    SetMetadataArguments out;
    TRY(lexer.space());
    out.mailbox = TRY(read_place(lexer, spelling));
    TRY(lexer.space());
    TRY(lexer.expect('('));
    do {
        if (out.entries.size() == metadata_entries_max) {
            return peer_error(ErrorCode::LimitExceeded, "Too many metadata entries");
        }
        std::string name = TRY(read_metadata_entry(lexer));
        TRY(lexer.space());
        out.entries.emplace_back(std::move(name), TRY(read_value(lexer)));
    } while (lexer.take(' '));
    TRY(lexer.expect(')'));
    TRY(lexer.end());
    return out;
}

}  // namespace godwit::imap
