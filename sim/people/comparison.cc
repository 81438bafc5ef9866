#include "sim/people/comparison.h"

#include <algorithm>

namespace godwit::sim {

namespace {

using Kind = Unanswered::Kind;

std::string alternatives(const std::vector<Flags>& flags) {
    std::string text;
    for (const Flags& one : flags) {
        text += (text.empty() ? "" : " or ") + to_string(one);
    }
    return text;
}

class Look {
public:
    Look(Person::Memory& memory, const std::string& name, const Seen& seen)
        : memory_(memory), name_(name), box_(memory.mailboxes[name]), seen_(seen) {}

    Comparison run() {
        look_at_validity();
        for (const auto& [uid, flags] : seen_.messages) {
            const auto known = box_.messages.find(uid);
            if (known != box_.messages.end()) {
                look_at(uid, known->second, flags);
            } else {
                look_at_new(uid);
            }
        }
        look_for_missing();
        take_new();
        box_.uid_next = std::max(box_.uid_next, seen_.uid_next);
        return std::move(out_);
    }

private:
    void broken(const std::string& invariant, const std::string& what) {
        out_.broken.emplace_back(invariant, name_ + ": " + what);
    }

    void look_at_validity() {
        const auto retired = memory_.retired.find(name_);
        if (box_.uid_validity != 0 && box_.uid_validity != seen_.uid_validity) {
            broken("I16", "UIDVALIDITY was " + std::to_string(box_.uid_validity) + " and is " +
                              std::to_string(seen_.uid_validity));
        } else if (retired != memory_.retired.end() && seen_.uid_validity == retired->second) {
            // RFC 3501 6.3.5: another mailbox under an old name may number anew if it says so. One
            // that was renamed to it brings its own number, which may be lower.
            broken("I16", "another mailbox has the UIDVALIDITY of the one before, " +
                              std::to_string(seen_.uid_validity));
        }
        box_.uid_validity = seen_.uid_validity;
        if (seen_.uid_next < box_.uid_next) {
            broken("I15", "UIDNEXT went back from " + std::to_string(box_.uid_next) + " to " +
                              std::to_string(seen_.uid_next));
        }
    }

    void look_at(std::uint32_t uid, RememberedMessage& known, const Flags& flags) {
        if (!known.flags.empty() && std::ranges::find(known.flags, flags) == known.flags.end()) {
            broken("I24", "UID " + std::to_string(uid) + " has " + to_string(flags) +
                              ", told was " + alternatives(known.flags));
        }
        known.flags = {flags};
        const auto read = seen_.read.find(uid);
        if (read == seen_.read.end()) {
            return;
        }
        if (known.is_read() && known.hash != read->second.hash) {
            broken("I15", "UID " + std::to_string(uid) + " was " + known.token +
                              " and is another message now: " + read->second.token);
        }
        known.hash = read->second.hash;
        known.token = read->second.token;
        known.is_report = read->second.is_report;
    }

    void look_at_new(std::uint32_t uid) {
        if (box_.gone.contains(uid)) {
            broken("P4", "UID " + std::to_string(uid) + " was removed and is there again");
        } else if (uid < box_.uid_next) {
            broken("I15", "UID " + std::to_string(uid) + " is new, and UIDNEXT was " +
                              std::to_string(box_.uid_next) + " before");
        }
        if (uid >= seen_.uid_next && seen_.uid_next != 0) {
            // Mail may come between SELECT and FETCH; it is in the next UIDNEXT.
            box_.uid_next = std::max(box_.uid_next, uid + 1);
        }
        new_.push_back(uid);
    }

    void look_for_missing() {
        std::optional<Unanswered>& asked = memory_.unanswered;
        const bool may_leave = asked && asked->source == name_ &&
                               (asked->kind == Kind::Move || asked->kind == Kind::Expunge);
        std::vector<std::uint32_t> missing;
        for (const auto& [uid, message] : box_.messages) {
            if (!seen_.messages.contains(uid)) {
                missing.push_back(uid);
            }
        }
        std::size_t left = 0;
        for (const std::uint32_t uid : missing) {
            const bool is_asked =
                may_leave && std::ranges::find(asked->uids, uid) != asked->uids.end();
            left += is_asked ? 1 : 0;
            if (!is_asked) {
                broken("P4", "UID " + std::to_string(uid) + " (" + box_.messages[uid].token +
                                 ") is gone, and nobody removed it");
            }
            forget(memory_, name_, uid, out_);
        }
        if (may_leave) {
            if (left != 0 && left != asked->uids.size()) {
                broken("I25", "of " + std::to_string(asked->uids.size()) +
                                  " messages that one command was to remove, " +
                                  std::to_string(left) + " are gone");
            }
            asked->has_left_source = asked->has_left_source.value_or(false) || left != 0;
        }
    }

    RememberedMessage read_of(std::uint32_t uid) const {
        RememberedMessage message;
        const auto read = seen_.read.find(uid);
        if (read != seen_.read.end()) {
            message.hash = read->second.hash;
            message.token = read->second.token;
            message.is_report = read->second.is_report;
        }
        message.flags = {seen_.messages.at(uid)};
        return message;
    }

    void take_new() {
        std::optional<Unanswered>& asked = memory_.unanswered;
        const bool may_come =
            asked && asked->target == name_ &&
            (asked->kind == Kind::Append || asked->kind == Kind::Copy || asked->kind == Kind::Move);
        std::size_t come = 0;
        for (const std::uint32_t uid : new_) {
            RememberedMessage message = read_of(uid);
            if (may_come && come < asked->messages.size() &&
                message.hash == asked->messages[come].hash) {
                message.flags = asked->messages[come].flags;
                ++come;
                look_at(uid, message, seen_.messages.at(uid));
            } else if (name_ != "INBOX") {
                broken("P2", "UID " + std::to_string(uid) + " (" + message.token +
                                 ") came here, and nobody put it here");
            } else if (!message.flags.front().empty()) {
                broken("I24", "UID " + std::to_string(uid) + " (" + message.token +
                                  ") is new and has " + to_string(message.flags.front()));
            }
            box_.messages[uid] = std::move(message);
            box_.uid_next = std::max(box_.uid_next, uid + 1);
        }
        if (may_come) {
            if (come != 0 && come != asked->messages.size()) {
                broken("I25", "of " + std::to_string(asked->messages.size()) +
                                  " messages that one command was to bring, " +
                                  std::to_string(come) + " are here");
            }
            asked->has_reached_target = asked->has_reached_target.value_or(false) || come != 0;
        }
    }

    Person::Memory& memory_;
    const std::string& name_;
    RememberedMailbox& box_;
    const Seen& seen_;
    std::vector<std::uint32_t> new_;
    Comparison out_;
};

void retire(Person::Memory& memory, const std::string& name) {
    const auto found = memory.mailboxes.find(name);
    if (found != memory.mailboxes.end()) {
        memory.retired[name] = std::max(memory.retired[name], found->second.uid_validity);
        memory.mailboxes.erase(found);
    }
}

}  // namespace

Comparison compare_mailbox(Person::Memory& memory, const std::string& name, const Seen& seen) {
    return Look(memory, name, seen).run();
}

Comparison compare_names(Person::Memory& memory, const std::set<std::string>& names) {
    Comparison out;
    std::optional<Unanswered>& asked = memory.unanswered;
    if (!memory.knows_mailboxes) {
        memory.knows_mailboxes = true;
        for (const std::string& name : names) {
            memory.mailboxes[name];
        }
    }
    if (asked && asked->kind == Kind::Create && names.contains(asked->target)) {
        memory.mailboxes[asked->target];
    } else if (asked && asked->kind == Kind::Delete && !names.contains(asked->source)) {
        retire(memory, asked->source);
    } else if (asked && asked->kind == Kind::Rename) {
        const bool has_source = names.contains(asked->source);
        if (has_source == names.contains(asked->target)) {
            out.broken.emplace_back("I26", "renaming " + asked->source + " to " + asked->target +
                                               (has_source ? " made two" : " left none"));
        } else if (!has_source && memory.mailboxes.contains(asked->source)) {
            // Not known yet: the look at the names may be one of several.
            memory.mailboxes[asked->target] = std::move(memory.mailboxes[asked->source]);
            memory.mailboxes.erase(asked->source);
        }
    }
    for (const std::string& name : names) {
        if (!memory.mailboxes.contains(name)) {
            out.broken.emplace_back("P4", name + " is there, and nobody made it");
            memory.mailboxes[name];
        }
    }
    std::vector<std::string> missing;
    for (const auto& [name, box] : memory.mailboxes) {
        if (!names.contains(name)) {
            missing.push_back(name);
        }
    }
    for (const std::string& name : missing) {
        out.broken.emplace_back("P4", "the mailbox " + name + " is gone, and nobody removed it");
        retire(memory, name);
    }
    return out;
}

Comparison conclude(Person::Memory& memory) {
    Comparison out;
    const std::optional<Unanswered> asked = std::exchange(memory.unanswered, std::nullopt);
    if (asked && asked->kind == Kind::Move && asked->has_left_source && asked->has_reached_target &&
        *asked->has_left_source != *asked->has_reached_target) {
        out.broken.emplace_back("I25",
                                "moving from " + asked->source + " to " + asked->target +
                                    (*asked->has_left_source ? " left the messages in neither"
                                                             : " left the messages in both"));
    }
    return out;
}

void forget(Person::Memory& memory, const std::string& name, std::uint32_t uid, Comparison& out) {
    RememberedMailbox& box = memory.mailboxes[name];
    const auto found = box.messages.find(uid);
    if (found == box.messages.end()) {
        return;
    }
    if (name == "INBOX" && !found->second.token.empty()) {
        out.removed.push_back(found->second.token);
    }
    box.messages.erase(found);
    box.gone.insert(uid);
}

}  // namespace godwit::sim
