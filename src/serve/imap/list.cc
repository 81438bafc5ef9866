// Serves LIST, LSUB and XLIST.
// RFC 3501 6.3.8, 6.3.9, 7.2.2; RFC 3348 (children); RFC 5258 (extended); RFC 5819 (STATUS lines);
// RFC 6154 2 (special use); RFC 8440 (rights). Q3, Q5, Q11, Q15, Q17, Q39.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "base/log.h"
#include "mail/text/charset.h"
#include "serve/imap/acl.h"
#include "serve/imap/inventory.h"
#include "serve/imap/metadata.h"
#include "serve/imap/status.h"
#include "wire/imap/list.h"
#include "wire/imap/match.h"

namespace godwit::serve::imap_desk {

namespace {

enum class Form : std::uint8_t { List, Lsub, Xlist };

// Q17: the names of the old command for roles that have one there.
std::string_view xlist_role(std::string_view special_use) {
    return special_use == "\\Junk"      ? "\\Spam"
           : special_use == "\\Archive" ? "\\AllMail"
                                        : special_use;
}

// INBOX first, then as octets compare: the order of store::list_mailboxes.
struct NameOrder {
    using is_transparent = void;
    bool operator()(std::string_view left, std::string_view right) const {
        const bool left_is_inbox = left == imap::kInbox;
        const bool right_is_inbox = right == imap::kInbox;
        return left_is_inbox != right_is_inbox ? left_is_inbox : left < right;
    }
};

class Lister {
public:
    Lister(Conversation* conversation, Form form, imap::ListArguments arguments,
           Inventory inventory, std::vector<Place> others);
    net::Task<Result<>> write_all();

private:
    // A name that LIST may tell of: a mailbox, a subscription, or a level above one.
    struct Entry {
        const Place* mailbox = nullptr;  ///< In places_; null: there is none.
        bool is_subscribed = false;
        bool matches = false;
        bool has_met_inferior = false;     ///< One below meets the selection.
        bool has_hidden_inferior = false;  ///< Such a one is not told of itself.
    };
    struct Line {
        std::string name;
        std::string attributes;
        const Place* mailbox = nullptr;  ///< STATUS may follow.
        bool has_child_info = false;
    };
    void take_places(Inventory inventory, std::vector<Place> others);
    void collect();
    void look_below();
    void add_lines();
    void add_lsub_levels();
    [[nodiscard]] bool meets(const Entry& entry) const;
    [[nodiscard]] bool matches(const std::string& name) const;
    [[nodiscard]] std::string attributes_of(const std::string& name, const Entry& entry) const;
    void write_line(const Line& line) const;

    Conversation* c_;
    Form form_;
    imap::ListArguments arguments_;
    std::vector<Place> places_;
    std::vector<std::string> subscriptions_;
    std::set<std::string, std::less<>> parents_;  ///< Names with inferiors.
    std::vector<imap::ListPattern> patterns_;
    std::map<std::string, Entry, NameOrder> entries_;
    std::vector<Line> lines_;
};

// Calls `act` with each level above `name`, from the top.
template <class Act>
void each_level_above(const std::string& name, Act act) {
    for (std::size_t end = name.find(imap::kHierarchySeparator); end != std::string::npos;
         end = name.find(imap::kHierarchySeparator, end + 1)) {
        act(name.substr(0, end));
    }
}

Lister::Lister(Conversation* conversation, Form form, imap::ListArguments arguments,
               Inventory inventory, std::vector<Place> others)
    : c_(conversation), form_(form), arguments_(std::move(arguments)) {
    take_places(std::move(inventory), std::move(others));
    if (form_ == Form::Lsub) {
        arguments_.select_subscribed = true;
    }
    for (const std::string& pattern : arguments_.patterns) {
        patterns_.emplace_back(mail::to_nfc(arguments_.reference + pattern));
    }
    collect();
    look_below();
    add_lines();
    if (form_ == Form::Lsub) {
        add_lsub_levels();
    }
}

// A level above a mailbox of somebody else that the client may not look up is a mere name: its own
// names have all levels as mailboxes. RFC 4314 4, LIST.
void Lister::take_places(Inventory inventory, std::vector<Place> others) {
    subscriptions_ = std::move(inventory.subscriptions);
    for (store::MailboxState& state : inventory.mailboxes) {
        places_.push_back(own_place(*c_, std::move(state)));
    }
    std::set<std::string, std::less<>> names;
    for (const Place& place : others) {
        names.insert(place.state.name);
    }
    std::vector<Place> levels;
    for (const Place& place : others) {
        each_level_above(place.state.name, [&](std::string level) {
            if (names.insert(level).second) {
                Place above;
                above.state.name = std::move(level);
                above.state.is_selectable = false;
                levels.push_back(std::move(above));
            }
        });
    }
    std::ranges::move(others, std::back_inserter(places_));
    std::ranges::move(levels, std::back_inserter(places_));
}

void Lister::collect() {
    for (const Place& place : places_) {
        // One's own comes first.
        const Place*& known = entries_[place.state.name].mailbox;
        known = known == nullptr ? &place : known;
        each_level_above(place.state.name,
                         [this](std::string level) { parents_.insert(std::move(level)); });
    }
    for (const std::string& name : subscriptions_) {
        entries_[name].is_subscribed = true;
        if (arguments_.select_recursive) {
            each_level_above(name,
                             [this](std::string level) { entries_.try_emplace(std::move(level)); });
        }
    }
    for (auto& [name, entry] : entries_) {
        entry.matches = matches(name);
    }
}

// RFC 5258 3.5.
void Lister::look_below() {
    if (!arguments_.select_recursive) {
        return;
    }
    for (const auto& [name, entry] : entries_) {
        if (meets(entry)) {
            const bool is_told = entry.matches;
            each_level_above(name, [this, is_told](const std::string& level) {
                const auto above = entries_.find(level);
                if (above != entries_.end()) {
                    above->second.has_met_inferior = true;
                    above->second.has_hidden_inferior |= !is_told;
                }
            });
        }
    }
}

bool Lister::matches(const std::string& name) const {
    return std::ranges::any_of(
        patterns_, [&name](const imap::ListPattern& pattern) { return pattern.matches(name); });
}

bool Lister::meets(const Entry& entry) const {
    if (entry.mailbox == nullptr && !arguments_.select_subscribed) {
        return false;
    }
    const bool has_use = entry.mailbox != nullptr && !entry.mailbox->state.special_use.empty();
    return (!arguments_.select_subscribed || entry.is_subscribed) &&
           (!arguments_.select_special_use || has_use);
}

std::string Lister::attributes_of(const std::string& name, const Entry& entry) const {
    // Q15: clients of LSUB know \Noselect alone.
    std::string text =
        entry.mailbox == nullptr && form_ == Form::Lsub
            ? "\\Noselect"
            : list_attributes(entry.mailbox == nullptr ? nullptr : &entry.mailbox->state,
                              parents_.contains(name));
    if (entry.mailbox != nullptr && !entry.mailbox->state.special_use.empty()) {
        // Q3: in every reply, whether asked for or not.
        text.append(" ").append(form_ == Form::Xlist ? xlist_role(entry.mailbox->state.special_use)
                                                     : entry.mailbox->state.special_use);
    } else if (form_ == Form::Xlist && name == imap::kInbox) {
        text += " \\Inbox";
    }
    if (form_ == Form::List && arguments_.return_subscribed && entry.is_subscribed) {
        text += " \\Subscribed";
    }
    return text;
}

void Lister::add_lines() {
    for (const auto& [name, entry] : entries_) {
        if (!entry.matches) {
            continue;
        }
        const bool is_met = meets(entry);
        if (is_met || entry.has_hidden_inferior) {
            lines_.push_back({name, attributes_of(name, entry), is_met ? entry.mailbox : nullptr,
                              entry.has_met_inferior});
        }
    }
}

// RFC 3501 6.3.9: with "%", a level above a subscribed name is told as \Noselect.
void Lister::add_lsub_levels() {
    std::set<std::string, std::less<>> told;
    for (const Line& line : lines_) {
        told.insert(line.name);
    }
    for (const std::string& name : subscriptions_) {
        if (matches(name)) {
            continue;
        }
        each_level_above(name, [&](const std::string& level) {
            if (matches(level) && told.insert(level).second) {
                lines_.push_back({level, "\\Noselect"});
            }
        });
    }
    std::ranges::sort(lines_, NameOrder{}, &Line::name);
}

void Lister::write_line(const Line& line) const {
    constexpr std::string_view kWords[] = {"* LIST (", "* LSUB (", "* XLIST ("};
    imap::ResponseWriter& out = c_->out();
    out.raw(kWords[static_cast<std::size_t>(form_)]).raw(line.attributes).raw(R"() "/" )");
    out.mailbox(line.name);
    if (line.has_child_info) {
        out.raw(R"( ("CHILDINFO" ()");
        out.raw(arguments_.select_subscribed ? R"("SUBSCRIBED")" : "");
        out.raw(arguments_.select_subscribed && arguments_.select_special_use ? " " : "");
        out.raw(arguments_.select_special_use ? R"("SPECIAL-USE")" : "");
        out.raw("))");
    }
    out.crlf();
}

net::Task<Result<>> Lister::write_all() {
    for (const Line& line : lines_) {
        write_line(line);
        if (arguments_.return_my_rights && line.mailbox != nullptr &&
            !line.mailbox->rights.is_empty()) {
            write_my_rights(c_->out(), *line.mailbox);
        }
        if (arguments_.return_status != 0 && line.mailbox != nullptr &&
            line.mailbox->state.is_selectable && line.mailbox->may(store::Right::Read)) {
            // Q39, RFC 5819 2: where it cannot be told the line is left out.
            const Result<> told = co_await write_status(c_, line.mailbox, arguments_.return_status);
            if (!told) {
                log::warn("imap.status_unread", {{"error", told.error().text}});
            }
        }
        if (!arguments_.return_metadata.empty() && line.mailbox != nullptr &&
            may_annotate(line.mailbox->rights)) {
            const MetadataQuestion question{.entries = arguments_.return_metadata};
            const Result<std::size_t> told = co_await write_metadata(c_, line.mailbox, &question);
            if (!told) {
                log::warn("imap.metadata_unread", {{"error", told.error().text}});
            }
        }
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
    Result<std::vector<Place>> others = co_await list_places_of_others(c);
    if (!others) {
        co_return refusal(others.error(), "LIST");
    }
    Lister lister(c, form, std::move(*arguments), std::move(*inventory), std::move(*others));
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
