#include "wire/imap/arguments.h"

#include "base/ascii.h"
#include "base/limits.h"

namespace godwit::imap {

namespace {

Result<SequenceSet> read_set(Lexer& lexer) {
    return SequenceSet::parse(TRY(lexer.run([](char c) { return c != ' '; }, "a sequence set")));
}

constexpr std::size_t kUsesMax = 16;

// "(USE (\\Drafts \\Sent))": RFC 6154 6.
Result<std::vector<std::string>> read_create_parameters(Lexer& lexer) {
    std::vector<std::string> uses;
    TRY(lexer.expect('('));
    if (!lexer.take_word("USE")) {
        return lexer.bad("USE");
    }
    TRY(lexer.space());
    TRY(lexer.expect('('));
    while (!lexer.take(')')) {
        if (!uses.empty()) {
            TRY(lexer.space());
        }
        if (uses.size() == kUsesMax) {
            return peer_error(ErrorCode::LimitExceeded, "Too many special uses");
        }
        TRY(lexer.expect('\\'));
        uses.push_back("\\" + std::string(TRY(lexer.atom())));
    }
    TRY(lexer.expect(')'));
    return uses;
}

}  // namespace

Result<LoginArguments> parse_login(Lexer& lexer) {
    LoginArguments out;
    TRY(lexer.space());
    out.user = TRY(lexer.astring());
    TRY(lexer.space());
    out.password = TRY(lexer.astring());
    TRY(lexer.end());
    return out;
}

Result<AuthenticateArguments> parse_authenticate(Lexer& lexer) {
    AuthenticateArguments out;
    TRY(lexer.space());
    out.mechanism = to_upper(TRY(lexer.atom()));
    if (lexer.take(' ') && !lexer.at_end()) {
        const std::string_view response =
            TRY(lexer.run([](char c) { return is_alnum(c) || c == '+' || c == '/' || c == '='; },
                          "a base64 response"));
        out.initial_response = response == "=" ? std::string() : std::string(response);
    }
    TRY(lexer.end());
    return out;
}

Result<IdFields> parse_id(Lexer& lexer) {
    IdFields out;
    TRY(lexer.space());
    if (lexer.take_word("NIL")) {
        TRY(lexer.end());
        return out;
    }
    TRY(lexer.expect('('));
    while (!lexer.take(')')) {
        if (!out.empty()) {
            TRY(lexer.space());
        }
        if (out.size() == limits::imap_id_fields_max) {
            return peer_error(ErrorCode::LimitExceeded, "Too many ID fields");
        }
        std::string field = TRY(lexer.string());
        TRY(lexer.space());
        std::optional<std::string> value = TRY(lexer.nstring());
        if (field.size() > limits::imap_id_field_size_max ||
            (value && value->size() > limits::imap_id_value_size_max)) {
            return peer_error(ErrorCode::LimitExceeded, "ID field is too long");
        }
        out.emplace_back(std::move(field), std::move(value));
    }
    TRY(lexer.end());
    return out;
}

Result<std::vector<std::string>> parse_enable(Lexer& lexer) {
    std::vector<std::string> out;
    do {
        TRY(lexer.space());
        out.push_back(to_upper(TRY(lexer.atom())));
    } while (!lexer.end());
    return out;
}

Result<MailboxName> parse_mailbox(Lexer& lexer, NameSpelling spelling) {
    TRY(lexer.space());
    MailboxName out = TRY(read_mailbox_name(lexer, spelling));
    TRY(lexer.end());
    return out;
}

Result<RenameArguments> parse_rename(Lexer& lexer, NameSpelling spelling) {
    RenameArguments out;
    TRY(lexer.space());
    out.from = TRY(read_mailbox_name(lexer, spelling));
    TRY(lexer.space());
    out.to = TRY(read_mailbox_name(lexer, spelling));
    TRY(lexer.end());
    return out;
}

Result<CopyArguments> parse_copy(Lexer& lexer, NameSpelling spelling) {
    TRY(lexer.space());
    CopyArguments out{TRY(read_set(lexer)), {}};
    TRY(lexer.space());
    out.mailbox = TRY(read_mailbox_name(lexer, spelling));
    TRY(lexer.end());
    return out;
}

Result<SequenceSet> parse_sequence_set(Lexer& lexer) {
    TRY(lexer.space());
    SequenceSet out = TRY(read_set(lexer));
    TRY(lexer.end());
    return out;
}

Result<CreateArguments> parse_create(Lexer& lexer, NameSpelling spelling) {
    CreateArguments out;
    TRY(lexer.space());
    out.mailbox = TRY(read_mailbox_name(lexer, spelling));
    if (lexer.take(' ') && !lexer.at_end()) {
        out.uses = TRY(read_create_parameters(lexer));
    }
    TRY(lexer.end());
    return out;
}

Result<StoreArguments> parse_store(Lexer& lexer) {
    TRY(lexer.space());
    StoreArguments out{TRY(read_set(lexer)), StoreMode::Replace, false, {}};
    TRY(lexer.space());
    if (lexer.take('(')) {
        if (!lexer.take_word("UNCHANGEDSINCE")) {
            return lexer.bad("UNCHANGEDSINCE");
        }
        TRY(lexer.space());
        out.unchanged_since = TRY(lexer.number64());
        TRY(lexer.expect(')'));
        TRY(lexer.space());
    }
    if (lexer.take('+')) {
        out.mode = StoreMode::Add;
    } else if (lexer.take('-')) {
        out.mode = StoreMode::Remove;
    }
    out.silent = lexer.take_word("FLAGS.SILENT");
    if (!out.silent && !lexer.take_word("FLAGS")) {
        return lexer.bad("FLAGS or FLAGS.SILENT");
    }
    TRY(lexer.space());
    out.flags = TRY(read_flags(lexer));
    TRY(lexer.end());
    return out;
}

}  // namespace godwit::imap
