#include "wire/imap/arguments.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/limits.h"
#include "wire/imap/date_time.h"

namespace godwit::imap {

namespace {

Result<SequenceSet> read_set(Lexer& lexer) {
    return SequenceSet::parse(TRY(lexer.run([](char c) { return c != ' '; }, "a sequence set")));
}

struct StatusRow {
    std::string_view word;
    StatusItem item;
};
constexpr StatusRow kStatusItems[] = {
    {"MESSAGES", StatusItem::Messages}, {"RECENT", StatusItem::Recent},
    {"UIDNEXT", StatusItem::UidNext},   {"UIDVALIDITY", StatusItem::UidValidity},
    {"UNSEEN", StatusItem::Unseen},     {"HIGHESTMODSEQ", StatusItem::HighestModSeq},
};

// "(SUBSCRIBED SPECIAL-USE)": words that each set a member.
struct OptionRow {
    std::string_view word;
    bool ListArguments::* member;
};
Result<> read_options(Lexer& lexer, std::span<const OptionRow> rows, ListArguments& out) {
    TRY(lexer.expect('('));
    if (lexer.take(')')) {
        return {};
    }
    for (;;) {
        const auto row = std::ranges::find_if(
            rows, [&](const OptionRow& each) { return lexer.take_word(each.word); });
        if (row == rows.end()) {
            return lexer.bad("a LIST option");
        }
        out.*row->member = true;
        if (lexer.take(')')) {
            return {};
        }
        TRY(lexer.space());
    }
}

constexpr OptionRow kSelections[] = {
    {"SUBSCRIBED", &ListArguments::select_subscribed},
    {"SPECIAL-USE", &ListArguments::select_special_use},
};
constexpr OptionRow kReturns[] = {
    {"SUBSCRIBED", &ListArguments::return_subscribed},
    {"CHILDREN", &ListArguments::return_children},
    {"SPECIAL-USE", &ListArguments::return_special_use},
};

Result<> read_patterns(Lexer& lexer, NameSpelling spelling, ListArguments& out) {
    if (!lexer.take('(')) {
        out.patterns.push_back(TRY(read_list_pattern(TRY(lexer.list_mailbox()), spelling)));
        return {};
    }
    out.extended = true;
    for (;;) {
        if (out.patterns.size() == limits::imap_list_patterns_max) {
            return peer_error(ErrorCode::LimitExceeded, "Too many mailbox patterns");
        }
        out.patterns.push_back(TRY(read_list_pattern(TRY(lexer.list_mailbox()), spelling)));
        if (lexer.take(')')) {
            return {};
        }
        TRY(lexer.space());
    }
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

Result<StatusArguments> parse_status(Lexer& lexer, NameSpelling spelling) {
    StatusArguments out;
    TRY(lexer.space());
    out.mailbox = TRY(read_mailbox_name(lexer, spelling));
    TRY(lexer.space());
    TRY(lexer.expect('('));
    for (;;) {
        const auto* row = std::ranges::find_if(
            kStatusItems, [&](const StatusRow& each) { return lexer.take_word(each.word); });
        if (row == std::end(kStatusItems)) {
            return lexer.bad("a STATUS item");
        }
        out.items |= static_cast<std::uint8_t>(row->item);
        if (lexer.take(')')) {
            break;
        }
        TRY(lexer.space());
    }
    TRY(lexer.end());
    return out;
}

Result<ListArguments> parse_list(Lexer& lexer, NameSpelling spelling) {
    ListArguments out;
    TRY(lexer.space());
    if (lexer.peek() == '(') {
        out.extended = true;
        TRY(read_options(lexer, kSelections, out));
        TRY(lexer.space());
    }
    out.reference = TRY(read_list_pattern(TRY(lexer.astring()), spelling));
    TRY(lexer.space());
    TRY(read_patterns(lexer, spelling, out));
    if (lexer.take(' ') && !lexer.at_end()) {
        if (!lexer.take_word("RETURN")) {
            return lexer.bad("RETURN");
        }
        out.extended = true;
        TRY(lexer.space());
        TRY(read_options(lexer, kReturns, out));
    }
    TRY(lexer.end());
    // RFC 6154 2: the selection option implies the return option.
    out.return_special_use = out.return_special_use || out.select_special_use;
    out.return_subscribed = out.return_subscribed || out.select_subscribed;
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
