#include "wire/imap/arguments.h"

#include "base/ascii.h"
#include "base/limits.h"
#include "wire/imap/date_time.h"

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

Result<WallTime> read_date_time(Lexer& lexer) {
    return parse_date_time(TRY(lexer.string()));
}

// [SP flag-list] [SP date-time] SP literal, or SP "UTF8" SP "(" literal8 ")" (RFC 6855 4). An offer
// ends with the literal, so its ")" is still to come.
Result<AppendMessage> read_append_message(Lexer& lexer) {
    AppendMessage out;
    TRY(lexer.space());
    if (lexer.peek() == '(') {
        out.flags = TRY(read_flag_list(lexer));
        TRY(lexer.space());
    }
    if (lexer.peek() == '"') {
        out.internal_date = TRY(read_date_time(lexer));
        TRY(lexer.space());
    }
    out.utf8 = lexer.take_word("UTF8");
    if (out.utf8) {
        TRY(lexer.space());
        TRY(lexer.expect('('));
    }
    out.literal = TRY(lexer.literal_token());
    return out;
}

Result<AppendArguments> read_append(Lexer& lexer, NameSpelling spelling, bool is_whole) {
    AppendArguments out;
    TRY(lexer.space());
    out.mailbox = TRY(read_mailbox_name(lexer, spelling));
    for (;;) {
        out.messages.push_back(TRY(read_append_message(lexer)));
        if (!is_whole && lexer.at_end()) {
            return out;
        }
        if (out.messages.back().utf8) {
            TRY(lexer.expect(')'));
        }
        // A SP with nothing behind it is forgiven here as at every command's end.
        if (is_whole && lexer.end()) {
            return out;
        }
    }
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

Result<AppendArguments> parse_append_offer(Lexer& lexer, NameSpelling spelling) {
    return read_append(lexer, spelling, false);
}

Result<AppendArguments> parse_append(Lexer& lexer, NameSpelling spelling) {
    return read_append(lexer, spelling, true);
}

}  // namespace godwit::imap
