#include "wire/imap/list.h"

#include <algorithm>
#include <span>

#include "base/limits.h"
#include "wire/imap/metadata.h"

namespace godwit::imap {

namespace {

struct StatusRow {
    std::string_view word;
    StatusItem item;
};
constexpr StatusRow kStatusItems[] = {
    {"MESSAGES", StatusItem::Messages},
    {"RECENT", StatusItem::Recent},
    {"UIDNEXT", StatusItem::UidNext},
    {"UIDVALIDITY", StatusItem::UidValidity},
    {"UNSEEN", StatusItem::Unseen},
    {"SIZE", StatusItem::Size},
    {"HIGHESTMODSEQ", StatusItem::HighestModSeq},
    {"APPENDLIMIT", StatusItem::AppendLimit},
    {"MAILBOXID", StatusItem::MailboxId},
    {"DELETED", StatusItem::Deleted},
    {"DELETED-STORAGE", StatusItem::DeletedStorage},
};

// "(MESSAGES UNSEEN)".
Result<StatusItems> read_status_items(Lexer& lexer) {
    StatusItems items = 0;
    TRY(lexer.expect('('));
    for (;;) {
        const auto* row = std::ranges::find_if(
            kStatusItems, [&](const StatusRow& each) { return lexer.take_word(each.word); });
        if (row == std::end(kStatusItems)) {
            return lexer.bad("a STATUS item");
        }
        items |= static_cast<StatusItems>(row->item);
        if (lexer.take(')')) {
            return items;
        }
        TRY(lexer.space());
    }
}

// A word of the option lists: sets a member, or reads what follows it.
struct OptionRow {
    std::string_view word;
    bool ListArguments::* member = nullptr;
    Result<> (*read)(Lexer& lexer, ListArguments& out) = nullptr;
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
        if (row->member != nullptr) {
            out.*row->member = true;
        } else {
            TRY(row->read(lexer, out));
        }
        if (lexer.take(')')) {
            return {};
        }
        TRY(lexer.space());
    }
}

Result<> read_status_option(Lexer& lexer, ListArguments& out) {
    TRY(lexer.space());
    out.return_status |= TRY(read_status_items(lexer));
    return {};
}

Result<> read_metadata_option(Lexer& lexer, ListArguments& out) {
    TRY(lexer.space());
    out.return_metadata = TRY(read_metadata_entries(lexer));
    return {};
}

constexpr OptionRow kSelections[] = {
    {"SUBSCRIBED", &ListArguments::select_subscribed},
    {"REMOTE", &ListArguments::select_remote},
    {"RECURSIVEMATCH", &ListArguments::select_recursive},
    {"SPECIAL-USE", &ListArguments::select_special_use},
};
constexpr OptionRow kReturns[] = {
    {"SUBSCRIBED", &ListArguments::return_subscribed},
    {"CHILDREN", &ListArguments::return_children},
    {"SPECIAL-USE", &ListArguments::return_special_use},
    {"STATUS", nullptr, &read_status_option},
    {"METADATA", nullptr, &read_metadata_option},
    {"MYRIGHTS", &ListArguments::return_my_rights},
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

}  // namespace

Result<StatusArguments> parse_status(Lexer& lexer, NameSpelling spelling) {
    StatusArguments out;
    TRY(lexer.space());
    out.mailbox = TRY(read_mailbox_name(lexer, spelling));
    TRY(lexer.space());
    out.items = TRY(read_status_items(lexer));
    TRY(lexer.end());
    return out;
}

Result<ListArguments> parse_list(Lexer& lexer, NameSpelling spelling) {
    ListArguments out;
    TRY(lexer.space());
    if (lexer.peek() == '(') {
        out.extended = true;
        TRY(read_options(lexer, kSelections, out));
        if (out.select_recursive && !out.select_subscribed && !out.select_special_use) {
            // RFC 5258 3.1: it says how other options select, so it is nothing alone or beside
            // REMOTE.
            return lexer.bad("a selection option that RECURSIVEMATCH goes with");
        }
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
    // RFC 6154 2, RFC 5258 3.1: the selection option implies the return option.
    out.return_special_use = out.return_special_use || out.select_special_use;
    out.return_subscribed = out.return_subscribed || out.select_subscribed;
    return out;
}

}  // namespace godwit::imap
