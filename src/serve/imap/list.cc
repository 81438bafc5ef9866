// Serves LIST, LSUB and XLIST.
// RFC 3501 6.3.8, 6.3.9, 7.2.2; RFC 3348 (children); RFC 6154 2 (special use). Q3, Q15, Q17.
#include <algorithm>
#include <map>
#include <set>

#include "flow/read.h"
#include "mail/text/charset.h"
#include "serve/imap/conversation.h"
#include "store/mailbox/mailbox.h"
#include "wire/imap/arguments.h"
#include "wire/imap/match.h"

namespace godwit::serve::imap_desk {

namespace {

enum class Form : std::uint8_t { List, Lsub, Xlist };

// What the account has, read in one step: the list is bounded (limits::mailboxes_max).
struct Inventory {
    std::vector<store::MailboxState> mailboxes;
    std::vector<std::string> subscriptions;
};

net::Task<Result<Inventory>> take_inventory(Conversation* c) {
    const AccountId account = c->account();
    co_return co_await flow::read(
        c->services(),
        [account](const store::Snapshot& snapshot, store::ReadTier tier) -> Result<Inventory> {
            Inventory inventory;
            inventory.mailboxes = TRY(store::list_mailboxes(snapshot, tier, account));
            inventory.subscriptions = TRY(store::list_subscriptions(snapshot, tier, account));
            return inventory;
        });
}

// Q17: the names of the old command for roles that have one there.
std::string_view xlist_role(std::string_view special_use) {
    return special_use == "\\Junk"      ? "\\Spam"
           : special_use == "\\Archive" ? "\\AllMail"
                                        : special_use;
}

class Lister {
public:
    Lister(Conversation* conversation, Form form, imap::ListArguments arguments,
           Inventory inventory);
    net::Task<Result<>> write_all();

private:
    struct Line {
        std::string name;
        std::string attributes;
    };
    void add_mailboxes();
    void add_subscriptions();
    [[nodiscard]] bool matches(const std::string& name) const;
    [[nodiscard]] std::string attributes_of(const store::MailboxState& mailbox) const;

    Conversation* c_;
    Form form_;
    imap::ListArguments arguments_;
    Inventory inventory_;
    std::set<std::string_view>
        parents_;  ///< Names with inferiors; views of inventory_, which stays.
    std::set<std::string_view> subscribed_;
    std::vector<imap::ListPattern> patterns_;
    std::vector<Line> lines_;
};

Lister::Lister(Conversation* conversation, Form form, imap::ListArguments arguments,
               Inventory inventory)
    : c_(conversation),
      form_(form),
      arguments_(std::move(arguments)),
      inventory_(std::move(inventory)) {
    for (const std::string& pattern : arguments_.patterns) {
        patterns_.emplace_back(mail::to_nfc(arguments_.reference + pattern));
    }
    for (const store::MailboxState& mailbox : inventory_.mailboxes) {
        const std::size_t end = mailbox.name.rfind(imap::kHierarchySeparator);
        if (end != std::string::npos) {
            parents_.insert(std::string_view(mailbox.name).substr(0, end));
        }
    }
    subscribed_.insert(inventory_.subscriptions.begin(), inventory_.subscriptions.end());
    if (form_ == Form::Lsub || arguments_.select_subscribed) {
        add_subscriptions();
    } else {
        add_mailboxes();
    }
}

bool Lister::matches(const std::string& name) const {
    return std::ranges::any_of(
        patterns_, [&name](const imap::ListPattern& pattern) { return pattern.matches(name); });
}

std::string Lister::attributes_of(const store::MailboxState& mailbox) const {
    std::string text = parents_.contains(mailbox.name) ? "\\HasChildren" : "\\HasNoChildren";
    if (!mailbox.is_selectable) {
        text += " \\Noselect";
    }
    if (!mailbox.special_use.empty()) {
        // Q3: in every reply, whether asked for or not.
        text.append(" ").append(form_ == Form::Xlist ? xlist_role(mailbox.special_use)
                                                     : mailbox.special_use);
    } else if (form_ == Form::Xlist && mailbox.id == store::kInbox) {
        text += " \\Inbox";
    }
    if ((arguments_.return_subscribed || arguments_.select_subscribed) &&
        subscribed_.contains(mailbox.name)) {
        text += " \\Subscribed";
    }
    return text;
}

void Lister::add_mailboxes() {
    for (const store::MailboxState& mailbox : inventory_.mailboxes) {
        if (arguments_.select_special_use && mailbox.special_use.empty()) {
            continue;
        }
        if (matches(mailbox.name)) {
            lines_.push_back({mailbox.name, attributes_of(mailbox)});
        }
    }
}

void Lister::add_subscriptions() {
    std::map<std::string_view, const store::MailboxState*> known;
    for (const store::MailboxState& mailbox : inventory_.mailboxes) {
        known.emplace(mailbox.name, &mailbox);
    }
    std::map<std::string, std::string> found;
    for (const std::string& name : inventory_.subscriptions) {
        const auto at = known.find(name);
        const store::MailboxState* mailbox = at == known.end() ? nullptr : at->second;
        if (arguments_.select_special_use && (mailbox == nullptr || mailbox->special_use.empty())) {
            continue;
        }
        if (matches(name)) {
            // Q15: what can no longer be selected says so.
            found[name] = mailbox == nullptr ? "\\Noselect" : attributes_of(*mailbox);
        }
        if (form_ != Form::Lsub) {
            continue;
        }
        // RFC 3501 6.3.9: with "%", a level above a subscribed name is told as \Noselect.
        for (std::size_t end = name.find(imap::kHierarchySeparator); end != std::string::npos;
             end = name.find(imap::kHierarchySeparator, end + 1)) {
            const std::string parent = name.substr(0, end);
            if (!subscribed_.contains(parent) && !matches(name) && matches(parent)) {
                found.emplace(parent, "\\Noselect");
            }
        }
    }
    for (auto& [name, attributes] : found) {
        lines_.push_back({name, std::move(attributes)});
    }
}

net::Task<Result<>> Lister::write_all() {
    constexpr std::string_view kWords[] = {"* LIST (", "* LSUB (", "* XLIST ("};
    imap::ResponseWriter& out = c_->out();
    for (const Line& line : lines_) {
        out.raw(kWords[static_cast<std::size_t>(form_)]).raw(line.attributes).raw(R"() "/" )");
        out.mailbox(line.name).crlf();
        CO_TRY(co_await c_->drain());
    }
    co_return Result<>();
}

AnswerTask list(Conversation* c, imap::Command command, Form form) {
    imap::Lexer lexer(command);
    Result<imap::ListArguments> arguments = imap::parse_list(lexer, c->spelling());
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    if (form != Form::List && arguments->extended) {
        co_return bad("Options belong to LIST alone");
    }
    const std::string done = command.name + " completed";
    if (form != Form::Lsub && !arguments->extended && arguments->patterns.size() == 1 &&
        arguments->patterns.front().empty()) {
        // RFC 3501 6.3.8: the separator and the root of the reference.
        c->out().line((form == Form::List ? "LIST" : "XLIST") +
                      std::string(R"( (\Noselect) "/" "")"));
        co_return ok(done);
    }
    Result<Inventory> inventory = co_await take_inventory(c);
    if (!inventory) {
        co_return refusal(inventory.error(), "LIST");
    }
    Lister lister(c, form, std::move(*arguments), std::move(*inventory));
    CO_TRY(co_await lister.write_all());
    co_return ok(done);
}

}  // namespace

AnswerTask run_list(Conversation* c, imap::Command command) {
    co_return co_await list(c, std::move(command), Form::List);
}

AnswerTask run_lsub(Conversation* c, imap::Command command) {
    co_return co_await list(c, std::move(command), Form::Lsub);
}

AnswerTask run_xlist(Conversation* c, imap::Command command) {
    co_return co_await list(c, std::move(command), Form::Xlist);
}

}  // namespace godwit::serve::imap_desk
