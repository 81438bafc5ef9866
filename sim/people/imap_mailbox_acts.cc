// What a person does with mailboxes as such: CREATE, RENAME, DELETE, STATUS, SUBSCRIBE.
// RFC 3501 6.3.3-6.3.10.
#include <algorithm>

#include "base/ascii.h"
#include "sim/people/imap_acts.h"
#include "sim/world.h"

namespace godwit::sim {

using Kind = Unanswered::Kind;

net::Task<Result<>> ImapActs::create() {
    const std::string name = free_name();
    if (name.empty()) {
        co_return Result<>();
    }
    memory_->unanswered =
        Unanswered{.kind = Kind::Create, .source = "", .target = name, .uids = {}, .messages = {}};
    const ImapAnswer answer = CO_TRY(co_await change("CREATE " + name));
    memory_->unanswered.reset();
    if (answer.is_ok()) {
        memory_->mailboxes[name];
    }
    co_return Result<>();
}

net::Task<Result<>> ImapActs::rename() {
    const std::string from = choose_mailbox(true);
    const std::string to = free_name();
    if (from.empty() || to.empty()) {
        co_return Result<>();
    }
    if (from == selected_) {
        CO_TRY(co_await leave());
    }
    memory_->unanswered =
        Unanswered{.kind = Kind::Rename, .source = from, .target = to, .uids = {}, .messages = {}};
    const ImapAnswer answer = CO_TRY(co_await change("RENAME " + from + " " + to));
    memory_->unanswered.reset();
    if (answer.is_ok()) {
        memory_->mailboxes[to] = std::move(memory_->mailboxes[from]);
        memory_->mailboxes.erase(from);
    }
    co_return Result<>();
}

net::Task<Result<>> ImapActs::remove() {
    const std::string name = choose_mailbox(true);
    if (name.empty()) {
        co_return Result<>();
    }
    if (name == selected_) {
        CO_TRY(co_await leave());
    }
    memory_->unanswered =
        Unanswered{.kind = Kind::Delete, .source = name, .target = "", .uids = {}, .messages = {}};
    const ImapAnswer answer = CO_TRY(co_await change("DELETE " + name));
    memory_->unanswered.reset();
    if (answer.is_ok()) {
        memory_->retired[name] =
            std::max(memory_->retired[name], memory_->mailboxes[name].uid_validity);
        memory_->mailboxes.erase(name);
    }
    co_return Result<>();
}

net::Task<Result<>> ImapActs::status() {
    const std::string name = choose_mailbox(false);
    const ImapAnswer answer =
        CO_TRY(co_await client_->ask("STATUS " + name + " (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)"));
    const RememberedMailbox& known = memory_->mailboxes[name];
    for (const std::string& line : answer.untagged) {
        if (!line.starts_with("STATUS ")) {
            continue;
        }
        std::map<std::string, std::uint64_t> told;
        const std::size_t open = line.find('(');
        const std::size_t close = line.rfind(')');
        const auto words = split(std::string_view(line).substr(open + 1, close - open - 1), ' ');
        for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
            told[std::string(words[i])] = parse_u64(words[i + 1]).value_or(0);
        }
        const auto unseen = std::ranges::count_if(
            known.messages, [](const auto& entry) { return !entry.second.has("\\Seen"); });
        const bool is_certain = std::ranges::all_of(
            known.messages, [](const auto& entry) { return entry.second.flags.size() == 1; });
        const bool is_still = name != "INBOX";
        if ((is_still && told["MESSAGES"] != known.messages.size()) ||
            told["MESSAGES"] < known.messages.size() ||
            (is_still && is_certain && told["UNSEEN"] != static_cast<std::uint64_t>(unseen)) ||
            told["UIDNEXT"] < known.uid_next ||
            (known.uid_validity != 0 && told["UIDVALIDITY"] != known.uid_validity)) {
            broken("I21", line + ", where " + std::to_string(known.messages.size()) +
                              " messages were, " + std::to_string(unseen) + " unseen, UIDNEXT " +
                              std::to_string(known.uid_next) + ", UIDVALIDITY " +
                              std::to_string(known.uid_validity));
        }
    }
    co_return Result<>();
}

// RFC 3501 6.3.6: a name may be subscribed that is no mailbox.
net::Task<Result<>> ImapActs::subscribe() {
    if (!memory_->subscribed) {
        co_return co_await list_subscribed();
    }
    static const std::vector<std::string> kNames = {"Sent", "Trash", "elsewhere"};
    const std::string& name = dice_->pick(kNames);
    const bool is_subscribed = !memory_->subscribed->contains(name);
    memory_->maybe_subscribed = name;
    const ImapAnswer answer =
        CO_TRY(co_await change((is_subscribed ? "SUBSCRIBE " : "UNSUBSCRIBE ") + name));
    memory_->maybe_subscribed.clear();
    if (answer.is_ok() && is_subscribed) {
        memory_->subscribed->insert(name);
    } else if (answer.is_ok()) {
        memory_->subscribed->erase(name);
    }
    co_return Result<>();
}

net::Task<Result<>> ImapActs::list_subscribed() {
    const ImapAnswer answer = CO_TRY(co_await client_->ask("LSUB \"\" \"*\""));
    if (!answer.is_ok()) {
        co_return temporary_error(ErrorCode::Denied, answer.text);
    }
    std::set<std::string> names;
    for (const std::string& line : answer.untagged) {
        if (line.starts_with("LSUB ")) {
            names.insert(listed_name(line));
        }
    }
    const std::string& uncertain = memory_->maybe_subscribed;
    if (memory_->subscribed && !uncertain.empty()) {
        memory_->subscribed->erase(uncertain);
        if (names.contains(uncertain)) {
            memory_->subscribed->insert(uncertain);
        }
    }
    if (memory_->subscribed && *memory_->subscribed != names) {
        broken("P4", std::to_string(memory_->subscribed->size()) + " names were subscribed, " +
                         std::to_string(names.size()) + " or others are now");
    }
    memory_->subscribed = std::move(names);
    memory_->maybe_subscribed.clear();
    co_return Result<>();
}

}  // namespace godwit::sim
