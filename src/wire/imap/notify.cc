#include "wire/imap/notify.h"

#include <array>
#include <utility>

#include "base/ascii.h"

namespace godwit::imap {

namespace {

constexpr std::array<std::pair<std::string_view, NotifyEvent>, 7> kEvents = {{
    {"MessageNew", NotifyEvent::MessageNew},
    {"MessageExpunge", NotifyEvent::MessageExpunge},
    {"FlagChange", NotifyEvent::FlagChange},
    {"MailboxName", NotifyEvent::MailboxName},
    {"SubscriptionChange", NotifyEvent::SubscriptionChange},
    {"MailboxMetadataChange", NotifyEvent::MailboxMetadataChange},
    {"ServerMetadataChange", NotifyEvent::ServerMetadataChange},
}};

constexpr std::array<std::pair<std::string_view, NotifyScope>, 5> kScopes = {{
    {"INBOXES", NotifyScope::Inboxes},
    {"PERSONAL", NotifyScope::Personal},
    {"SUBSCRIBED", NotifyScope::Subscribed},
    {"SUBTREE", NotifyScope::Subtree},
    {"MAILBOXES", NotifyScope::Mailboxes},
}};

class Reader {
public:
    Reader(Lexer& lexer, NameSpelling spelling) : lexer_(lexer), spelling_(spelling) {}

    Result<NotifyArguments> run() {
        TRY(lexer_.space());
        if (lexer_.take_word("NONE")) {
            out_.is_none = true;
            TRY(lexer_.end());
            return std::move(out_);
        }
        if (!lexer_.take_word("SET")) {
            return lexer_.bad("SET or NONE");
        }
        TRY(lexer_.space());
        if (lexer_.take_word("STATUS")) {
            out_.status = true;
            TRY(lexer_.space());
        }
        do {
            TRY(group());
        } while (lexer_.take(' ') && !lexer_.at_end());
        TRY(lexer_.end());
        return std::move(out_);
    }

private:
    Result<> group() {
        if (++groups_ > notify_groups_max) {
            return peer_error(ErrorCode::LimitExceeded, "Too many groups of events");
        }
        TRY(lexer_.expect('('));
        const bool is_delayed = lexer_.take_word("SELECTED-DELAYED");
        if (is_delayed || lexer_.take_word("SELECTED")) {
            TRY(selected(is_delayed));
        } else {
            TRY(others());
        }
        return lexer_.expect(')');
    }

    // RFC 5465 6.1.
    Result<> selected(bool is_delayed) {
        if (out_.selected) {
            return lexer_.bad("one group for the selected mailbox");
        }
        NotifySelected selected;
        selected.is_delayed = is_delayed;
        TRY(lexer_.space());
        selected.events = TRY(events(&selected));
        if ((selected.events & ~kMessageEvents) != 0) {
            return lexer_.bad("events of messages alone for the selected mailbox");
        }
        out_.selected = std::move(selected);
        return {};
    }

    Result<> others() {
        NotifyGroup group;
        group.scope = TRY(scope());
        TRY(lexer_.space());
        if (group.scope == NotifyScope::Subtree || group.scope == NotifyScope::Mailboxes) {
            TRY(names(group));
            TRY(lexer_.space());
        }
        group.events = TRY(events(nullptr));
        out_.groups.push_back(std::move(group));
        return {};
    }

    Result<NotifyScope> scope() {
        for (const auto& [word, scope] : kScopes) {
            if (lexer_.take_word(word)) {
                return scope;
            }
        }
        return lexer_.bad("which mailboxes");
    }

    Result<> names(NotifyGroup& group) {
        const bool are_several = lexer_.take('(');
        do {
            if (++names_ > notify_names_max) {
                return peer_error(ErrorCode::LimitExceeded, "Too many mailbox names");
            }
            group.names.push_back(TRY(read_mailbox_name(lexer_, spelling_)).name);
        } while (are_several && lexer_.take(' '));
        return are_several ? lexer_.expect(')') : Result<>();
    }

    // Null: not of the selected mailbox, where new messages bring no FETCH.
    Result<NotifyEvents> events(NotifySelected* selected) {
        if (lexer_.take_word("NONE")) {
            return NotifyEvents{0};
        }
        NotifyEvents found = 0;
        // The examples of RFC 5465 3.1 leave the parentheses out.
        const bool are_listed = lexer_.take('(');
        do {
            const std::string_view name = TRY(lexer_.atom());
            bool is_known = false;
            for (const auto& [word, event] : kEvents) {
                if (equals_ignore_case(name, word)) {
                    found |= static_cast<NotifyEvents>(event);
                    is_known = true;
                }
            }
            out_.has_unknown_event = out_.has_unknown_event || !is_known;
            if (equals_ignore_case(name, "MessageNew")) {
                TRY(attributes(selected));
            }
        } while (lexer_.take(' '));
        if (are_listed) {
            TRY(lexer_.expect(')'));
        }
        // RFC 5465 5.
        if (has_event(found, NotifyEvent::MessageNew) !=
                has_event(found, NotifyEvent::MessageExpunge) ||
            (has_event(found, NotifyEvent::FlagChange) &&
             !has_event(found, NotifyEvent::MessageNew))) {
            return lexer_.bad("MessageNew and MessageExpunge together, and with FlagChange both");
        }
        return found;
    }

    Result<> attributes(NotifySelected* selected) {
        const std::size_t from = lexer_.offset();
        if (!lexer_.take(' ') || lexer_.peek() != '(') {
            lexer_.rewind(from);
            return {};
        }
        if (selected == nullptr) {
            return lexer_.bad("no FETCH items: the mailbox is not the selected one");
        }
        selected->fetch = TRY(read_fetch_attributes(lexer_));
        selected->has_fetch = true;
        // What nobody asked for was read by nobody.
        for (BodyItem& item : selected->fetch.bodies) {
            item.peek = true;
        }
        return {};
    }

    Lexer& lexer_;
    NameSpelling spelling_;
    NotifyArguments out_;
    std::size_t groups_ = 0;
    std::size_t names_ = 0;
};

}  // namespace

Result<NotifyArguments> parse_notify(Lexer& lexer, NameSpelling spelling) {
    return Reader(lexer, spelling).run();
}

}  // namespace godwit::imap
