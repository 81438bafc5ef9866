// What CAPABILITY says. RFC 3501 6.1.1, 7.2.1; Q37, Q41.
#include <array>

#include "serve/imap/command.h"
#include "serve/imap/conversation.h"
#include "serve/imap/save_limit.h"

namespace godwit::serve::imap_desk {

namespace {

// When a word is said.
enum class When : std::uint8_t { Always, BeforeLogin, AfterLogin };

struct CapabilityRow {
    std::string_view word;
    When when = When::AfterLogin;
};

// Words that no single command brings (those are in commands.cc). A word is here only when it works
// whole, for every session and mailbox.
constexpr std::array kWords = {
    CapabilityRow{"IMAP4rev2", When::Always},
    // RFC 7888 5: one of the two at a time. Who has not logged in gets no room for much.
    CapabilityRow{"LITERAL-", When::BeforeLogin},
    CapabilityRow{"LITERAL+"},
    CapabilityRow{"BINARY"},
    CapabilityRow{"CATENATE"},
    CapabilityRow{"COMPRESS=DEFLATE"},
    CapabilityRow{"CONDSTORE"},
    CapabilityRow{"ESEARCH"},
    CapabilityRow{"INPROGRESS"},
    CapabilityRow{"OBJECTID"},
    CapabilityRow{"PARTIAL"},
    CapabilityRow{"PREVIEW"},
    CapabilityRow{"QRESYNC"},
    CapabilityRow{"SAVEDATE"},
    CapabilityRow{"SEARCH=FUZZY"},
    CapabilityRow{"SEARCHRES"},
    CapabilityRow{"UIDONLY"},
    CapabilityRow{"UNAUTHENTICATE"},
    // RFC 5550 (its text was not at hand): ;PARTIAL= in the URLs of CATENATE and URLFETCH.
    CapabilityRow{"URL-PARTIAL"},
    CapabilityRow{"UTF8=ACCEPT"},
    CapabilityRow{"WITHIN"},
};

void add_words(std::string& list, std::string_view words) {
    if (!words.empty()) {
        list.append(list.empty() ? "" : " ").append(words);
    }
}

bool is_said(When when, bool is_fresh) {
    return when == When::Always || (when == When::BeforeLogin) == is_fresh;
}

}  // namespace

std::string capability_list(const Conversation& conversation) {
    // RFC 3501 7.2.1: IMAP4rev1 is always there; first, since old clients look for it there.
    std::string list = "IMAP4rev1";
    const bool is_fresh = conversation.state() == State::NotAuthenticated;
    for (const CapabilityRow& row : kWords) {
        if (is_said(row.when, is_fresh)) {
            add_words(list, row.word);
        }
    }
    const auto fresh_only = static_cast<std::uint8_t>(State::NotAuthenticated);
    for (const CommandRow& row : all_commands()) {
        const bool is_for_login = row.states == fresh_only;
        if (row.capability != "IMAP4rev1" && is_for_login <= is_fresh) {
            add_words(list, row.capability);
        }
    }
    if (!is_fresh) {
        add_words(list, save_limit_capability());
        // RFC 7889 2: one bound for all mailboxes.
        add_words(list,
                  "APPENDLIMIT=" +
                      std::to_string(conversation.services()->settings()->limits.message_size));
        return list;
    }
    if (conversation.may_start_tls()) {
        add_words(list, "STARTTLS");
    }
    if (!conversation.may_send_password()) {
        add_words(list, "LOGINDISABLED");
    }
    for (const sasl::MechanismRow* row : conversation.mechanisms()) {
        add_words(list, "AUTH=" + std::string(row->name));
    }
    return list;
}

}  // namespace godwit::serve::imap_desk
