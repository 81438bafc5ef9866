#include "serve/imap/notified.h"

#include <algorithm>

#include "base/log.h"
#include "base/probe.h"
#include "flow/read.h"
#include "mail/text/charset.h"
#include "serve/imap/fetching.h"
#include "serve/imap/inventory.h"
#include "serve/imap/status.h"

namespace godwit::serve::imap_desk {

namespace {

using imap::has_event;
using imap::NotifyEvent;
using imap::NotifyEvents;
using imap::NotifyScope;

NotifyEvents bits(NotifyEvent event) {
    return static_cast<NotifyEvents>(event);
}

bool is_below(std::string_view name, std::string_view top) {
    return name.size() > top.size() && name.starts_with(top) &&
           name[top.size()] == imap::kHierarchySeparator;
}

std::string_view parent_of(std::string_view name) {
    const std::size_t end = name.rfind(imap::kHierarchySeparator);
    return end == std::string_view::npos ? std::string_view() : name.substr(0, end);
}

const store::MailboxState* find(const Inventory& inventory, std::string_view name) {
    const auto found = std::ranges::find(inventory.mailboxes, name, &store::MailboxState::name);
    return found == inventory.mailboxes.end() ? nullptr : &*found;
}

// RFC 5465 3.1, 5.1-5.3. UNSEEN always: without it nobody who has not enabled CONDSTORE would hear
// of flags.
imap::StatusItems items_of(NotifyEvents events, bool has_mod_seqs) {
    imap::StatusItems items = 0;
    const auto add = [&items](imap::StatusItem item) {
        items |= static_cast<imap::StatusItems>(item);
    };
    if (has_event(events, NotifyEvent::MessageNew)) {
        add(imap::StatusItem::Messages);
        add(imap::StatusItem::UidNext);
    }
    add(imap::StatusItem::UidValidity);
    add(imap::StatusItem::Unseen);
    if (has_mod_seqs) {
        add(imap::StatusItem::HighestModSeq);
    }
    return items;
}

}  // namespace

Notified::Notified(imap::NotifyArguments asked) : asked_(std::move(asked)) {
    for (imap::NotifyGroup& group : asked_.groups) {
        wanted_ |= group.events;
        for (std::string& name : group.names) {
            name = mail::to_nfc(name);
        }
    }
}

bool Notified::wants(NotifyEvent event) const {
    return has_event(wanted_, event);
}

NotifyEvents Notified::events_of(const std::string& name) const {
    NotifyEvents events = 0;
    for (const imap::NotifyGroup& group : asked_.groups) {
        const auto covers = [&]() -> bool {
            switch (group.scope) {
                // Filters may deliver into any mailbox: RFC 5465 6.3.
                case NotifyScope::Inboxes:
                case NotifyScope::Personal: return true;
                case NotifyScope::Subscribed: return subscribed_.contains(name);
                case NotifyScope::Subtree:
                    return std::ranges::any_of(group.names, [&name](const std::string& top) {
                        return name == top || is_below(name, top);
                    });
                case NotifyScope::Mailboxes:
                    return std::ranges::find(group.names, name) != group.names.end();
            }
            return false;
        };
        if (group.events != 0 && covers()) {
            events |= group.events;
        }
    }
    return events;
}

void Notified::note_one(const store::MailboxChange& change, MailboxId selected, AccountId user) {
    NotifyEvents events = 0;
    if (std::holds_alternative<store::MessagesAppended>(change.what)) {
        events = bits(NotifyEvent::MessageNew);
    } else if (std::holds_alternative<store::MessageFlagsChanged>(change.what)) {
        events = bits(NotifyEvent::FlagChange);
    } else if (const auto* gone = std::get_if<store::MessagesExpunged>(&change.what)) {
        // An annotation that changes is told as an expunge of nothing.
        events = gone->uids.empty() ? 0 : bits(NotifyEvent::MessageExpunge);
    } else if (std::holds_alternative<store::MailboxListChanged>(change.what)) {
        has_list_news_ = has_list_news_ || wants(NotifyEvent::MailboxName) ||
                         wants(NotifyEvent::SubscriptionChange);
    } else if (const auto* changed = std::get_if<store::AnnotationsChanged>(&change.what)) {
        const NotifyEvent event = change.mailbox == MailboxId(0)
                                      ? NotifyEvent::ServerMetadataChange
                                      : NotifyEvent::MailboxMetadataChange;
        for (const std::string& entry : changed->entries) {
            // Entries that somebody else keeps for himself are not told.
            const bool is_heard = changed->user == AccountId(0) || changed->user == user;
            if (is_heard && wants(event)) {
                entries_.emplace(change.mailbox, entry);
            }
        }
        has_overflown_ = has_overflown_ || entries_.size() > notified_entries_max;
    }
    events &= wanted_;
    if (events != 0 && change.mailbox != selected) {
        messages_[change.mailbox] |= events;
    }
}

bool Notified::note(const store::AccountChange& change, MailboxId selected) {
    for (const store::MailboxChange& one : change.mailboxes) {
        // Somebody else's private entries are nobody's business here.
        const auto* annotated = std::get_if<store::AnnotationsChanged>(&one.what);
        if (annotated == nullptr || annotated->user == AccountId(0) ||
            annotated->user == change.account) {
            note_one(one, selected, change.account);
        }
    }
    return has_news() || has_overflown_;
}

net::Task<Result<>> Notified::take_stock(Conversation* c) {
    const Inventory inventory = CO_TRY(co_await take_inventory(c));
    known_.clear();
    for (const store::MailboxState& mailbox : inventory.mailboxes) {
        known_[mailbox.id] = {mailbox.name, mailbox.is_selectable};
    }
    subscribed_ = {inventory.subscriptions.begin(), inventory.subscriptions.end()};
    is_ready_ = true;
    const MailboxId selected = c->selected_of_own();
    for (const store::MailboxState& mailbox : inventory.mailboxes) {
        const NotifyEvents events = events_of(mailbox.name) & imap::kMessageEvents;
        if (!asked_.status || events == 0 || !mailbox.is_selectable || mailbox.id == selected) {
            continue;
        }
        const Place place = own_place(*c, mailbox);
        CO_TRY(co_await write_status(c, &place,
                                     items_of(events, has_event(events, NotifyEvent::FlagChange)),
                                     StatusCause::Notified));
        CO_TRY(co_await c->drain());
    }
    co_return Result<>();
}

// RFC 5465 5.4: names that came, went, or are called something else.
Notified::Changed Notified::difference(const Mailboxes& now) const {
    Changed changed;
    std::map<std::string, std::string> renamed;  // New names by old ones.
    for (const auto& [id, known] : now) {
        const auto before = known_.find(id);
        if (before != known_.end() && before->second.name != known.name) {
            renamed[before->second.name] = known.name;
        }
    }
    const auto affect = [&changed](const std::string& name) {
        changed.names.insert(name);
        if (const std::string_view parent = parent_of(name); !parent.empty()) {
            changed.names.emplace(parent);
        }
    };
    for (const auto& [before, after] : renamed) {
        // A name below one that was renamed goes with it, untold.
        const std::string_view top = parent_of(before);
        const auto above = renamed.find(std::string(top));
        if (above == renamed.end() ||
            above->second + before.substr(top.size()) != std::string_view(after)) {
            changed.names.insert(after);
            changed.old_names[after] = before;
        }
    }
    for (const auto& [id, known] : now) {
        const auto before = known_.find(id);
        if (before == known_.end() || before->second.is_selectable != known.is_selectable) {
            affect(known.name);
        }
    }
    for (const auto& [id, known] : known_) {
        if (!now.contains(id)) {
            affect(known.name);
        }
    }
    return changed;
}

void Notified::write_list(Conversation* c, const Inventory& inventory, const std::string& name,
                          const std::string* old_name) const {
    const store::MailboxState* mailbox = find(inventory, name);
    const bool has_inferiors = std::ranges::any_of(
        inventory.mailboxes,
        [&name](const store::MailboxState& other) { return is_below(other.name, name); });
    std::string attributes = list_attributes(mailbox, has_inferiors);
    if (mailbox != nullptr && !mailbox->special_use.empty()) {
        attributes += " " + mailbox->special_use;
    }
    if (subscribed_.contains(name)) {
        attributes += " \\Subscribed";
    }
    imap::ResponseWriter& out = c->out();
    out.raw("* LIST (").raw(attributes).raw(R"() "/" )").mailbox(name);
    if (old_name != nullptr) {
        out.raw(R"( ("OLDNAME" ()").mailbox(*old_name).raw("))");
    }
    out.crlf();
}

void Notified::tell_list(Conversation* c, const Inventory& inventory) {
    Mailboxes now;
    for (const store::MailboxState& mailbox : inventory.mailboxes) {
        now[mailbox.id] = {mailbox.name, mailbox.is_selectable};
    }
    const Changed changed = difference(now);
    const std::set<std::string> subscribed(inventory.subscriptions.begin(),
                                           inventory.subscriptions.end());
    std::set<std::string> resubscribed;
    std::ranges::set_symmetric_difference(subscribed_, subscribed,
                                          std::inserter(resubscribed, resubscribed.end()));
    // Groups of what is subscribed: as it was, and as it is.
    const auto wanted_before = [this](const std::string& name, NotifyEvent event) {
        return has_event(events_of(name), event);
    };
    std::set<std::string> told;
    for (const std::string& name : changed.names) {
        const auto old = changed.old_names.find(name);
        if (wanted_before(name, NotifyEvent::MailboxName) ||
            (old != changed.old_names.end() &&
             wanted_before(old->second, NotifyEvent::MailboxName))) {
            told.insert(name);
        }
    }
    for (const std::string& name : resubscribed) {
        if (wanted_before(name, NotifyEvent::SubscriptionChange)) {
            told.insert(name);
        }
    }
    known_ = std::move(now);
    subscribed_ = subscribed;
    for (const std::string& name : resubscribed) {
        if (wanted_before(name, NotifyEvent::SubscriptionChange)) {
            told.insert(name);
        }
    }
    for (const std::string& name : told) {
        const auto old = changed.old_names.find(name);
        write_list(c, inventory, name, old == changed.old_names.end() ? nullptr : &old->second);
    }
}

// RFC 5464 4.4.2: names of entries, values not.
void Notified::tell_entries(Conversation* c) {
    for (const auto& [id, entry] : std::exchange(entries_, {})) {
        const auto mailbox = known_.find(id);
        if (id == MailboxId(0)) {
            c->out().raw("* METADATA \"\" ").raw(entry).crlf();
        } else if (mailbox != known_.end() &&
                   has_event(events_of(mailbox->second.name), NotifyEvent::MailboxMetadataChange)) {
            c->out().raw("* METADATA ").mailbox(mailbox->second.name);
            c->out().raw(" ").astring(entry).crlf();
        }
    }
}

std::vector<MailboxId> Notified::wanted_mailboxes(const Noted& noted) const {
    std::vector<MailboxId> wanted;
    for (const auto& [id, events] : noted) {
        const auto known = known_.find(id);
        if (known != known_.end() && (events & events_of(known->second.name)) != 0) {
            wanted.push_back(id);
        }
    }
    return wanted;
}

void Notified::note_again(const Noted& noted) {
    for (const auto& [id, events] : noted) {
        messages_[id] |= events;
    }
}

net::Task<Result<>> Notified::tell_messages(Conversation* c, const Noted* noted,
                                            const std::vector<store::MailboxState>* mailboxes) {
    const bool has_mod_seqs = c->has_enabled(Feature::Condstore);
    const MailboxId selected = c->selected_of_own();
    for (const store::MailboxState& mailbox : *mailboxes) {
        const auto found = noted->find(mailbox.id);
        if (found == noted->end() || mailbox.id == selected || !mailbox.is_selectable) {
            continue;
        }
        NotifyEvents events = found->second & events_of(mailbox.name);
        if (events == 0) {
            continue;
        }
        if (has_event(events, NotifyEvent::MessageExpunge)) {
            events |= bits(NotifyEvent::MessageNew);  // They are told alike.
        }
        const Place place = own_place(*c, mailbox);
        const Result<> told =
            co_await write_status(c, &place, items_of(events, has_mod_seqs), StatusCause::Notified);
        if (!told) {
            log::warn("imap.not_notified", {{"error", told.error().text}});
        }
        CO_TRY(co_await c->drain());
    }
    co_return Result<>();
}

namespace {

// Mailboxes that are read one by one rather than all of the account's.
constexpr std::size_t kFewMailboxes = 64;

net::Task<Result<std::vector<store::MailboxState>>> read_few(Conversation* c,
                                                             std::vector<MailboxId> ids) {
    const AccountId account = c->account();
    co_return co_await flow::read(
        c->services(),
        [account, ids = std::move(ids)](const store::Snapshot& snapshot, store::ReadTier tier)
            -> Result<std::vector<store::MailboxState>> {
            std::vector<store::MailboxState> states;
            for (const MailboxId id : ids) {
                if (auto state = TRY(store::read_mailbox(snapshot, tier, account, id))) {
                    states.push_back(*std::move(state));
                }
            }
            return states;
        });
}

}  // namespace

net::Task<Result<>> Notified::tell(Conversation* c) {
    // Taken before anything is read: what is noted meanwhile is told the next time.
    const Noted noted = std::exchange(messages_, {});
    // A delivery must not cost each session that waits a look at all mailboxes.
    std::vector<MailboxId> few = wanted_mailboxes(noted);
    if (!has_list_news_ && few.size() <= kFewMailboxes) {
        const auto states = co_await read_few(c, std::move(few));
        if (!states) {
            log::warn("imap.not_notified", {{"error", states.error().text}});
            note_again(noted);
            co_return Result<>();
        }
        tell_entries(c);
        co_return co_await tell_messages(c, &noted, &*states);
    }
    const bool has_list_news = std::exchange(has_list_news_, false);
    const Result<Inventory> inventory = co_await take_inventory(c);
    if (!inventory) {
        // What was noted waits for the next time.
        log::warn("imap.not_notified", {{"error", inventory.error().text}});
        has_list_news_ = has_list_news;
        note_again(noted);
        co_return Result<>();
    }
    if (has_list_news) {
        tell_list(c, *inventory);
    }
    tell_entries(c);
    co_return co_await tell_messages(c, &noted, &inventory->mailboxes);
}

namespace {

// RFC 5465 5.2: what the client wants of each new message.
net::Task<Result<>> fetch_arrivals(Conversation* c, Uid told_before) {
    const auto rows = c->selected()->view().rows();
    Targets targets;
    for (std::size_t at = c->selected()->view().lower_bound(Uid(told_before.value() + 1));
         at < c->selected()->known_rows(); ++at) {
        targets.uids.push_back(rows[at].uid);
    }
    Fetching fetching(c, c->notified()->selected()->fetch, Numbering::Uid);
    CO_TRY(co_await fetching.run(std::move(targets)));
    co_return Result<>();
}

}  // namespace

net::Task<Result<>> tell_news(Conversation* c, Expunges expunges) {
    const Uid before = c->selected() == nullptr ? Uid() : c->selected()->last_uid();
    CO_TRY(co_await c->announce(expunges));
    CO_TRY(co_await tell_live_searches(c));
    if (c->notified() == nullptr) {
        co_return Result<>();
    }
    const auto& selected = c->notified()->selected();
    if (c->selected() != nullptr && selected && selected->has_fetch &&
        c->selected()->last_uid() > before && !c->selected()->is_deleted()) {
        CO_TRY(co_await fetch_arrivals(c, before));
    }
    if (c->notified()->has_overflown()) {
        probe<"imap.notifications_overflown">();
        c->out().untagged(imap::Condition::Ok, "NOTIFICATIONOVERFLOW",
                          "Too much happened; nothing more is told unasked");
        c->notify(nullptr);
        co_return Result<>();
    }
    if (c->notified()->has_news()) {
        co_return co_await c->notified()->tell(c);
    }
    co_return Result<>();
}

net::Task<Result<>> tell_unasked(Conversation* c) {
    if (c->notified() == nullptr || !c->take_wake()) {
        co_return Result<>();
    }
    const auto& selected = c->notified()->selected();
    co_return co_await tell_news(
        c, selected && !selected->is_delayed ? Expunges::Tell : Expunges::Hold);
}

}  // namespace godwit::serve::imap_desk
