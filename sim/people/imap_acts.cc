#include "sim/people/imap_acts.h"

#include <algorithm>

#include "base/ascii.h"
#include "sim/audit.h"
#include "sim/people/letters.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

using Kind = Unanswered::Kind;

constexpr Duration kEndTime = std::chrono::seconds(5);
constexpr std::size_t kOwnMailboxes = 6;
constexpr std::size_t kReadAtOnce = 20;
constexpr std::size_t kInboxFull = 40;
constexpr std::size_t kMailboxFull = 30;

const std::vector<std::string>& flag_names() {
    static const std::vector<std::string> kNames = {"\\Seen", "\\Answered", "\\Flagged", "\\Draft",
                                                    "Urgent", "$Forwarded", "later",     "k7"};
    return kNames;
}

// "... [UIDVALIDITY 12] ...": the numbers and sets behind a response code's name.
std::vector<std::string> code_words(std::string_view text, std::string_view name) {
    const std::size_t at = text.find("[" + std::string(name) + " ");
    const std::size_t end = text.find(']', at);
    std::vector<std::string> words;
    if (at != std::string_view::npos && end != std::string_view::npos) {
        const std::string_view inside =
            text.substr(at + name.size() + 2, end - at - name.size() - 2);
        for (const std::string_view word : split(inside, ' ')) {
            words.emplace_back(word);
        }
    }
    return words;
}

std::uint32_t code_number(const ImapAnswer& answer, std::string_view name) {
    for (const std::string& line : answer.untagged) {
        const std::vector<std::string> words = code_words(line, name);
        if (!words.empty()) {
            return parse_u32(words.front()).value_or(0);
        }
    }
    return 0;
}

bool is_own(std::string_view name) {
    return name.starts_with("box");
}

ReadMessage read_message(const std::string& text) {
    ReadMessage message;
    message.hash = message_hash(text);
    message.is_report = read_report(text).has_value();
    message.token = message.is_report ? "" : find_token(text);
    return message;
}

}  // namespace

void ImapActs::broken(const std::string& invariant, const std::string& what) {
    person_->broken(invariant, what);
}

void ImapActs::take(const Comparison& comparison) {
    for (const auto& [invariant, what] : comparison.broken) {
        broken(invariant, what);
    }
    for (const std::string& token : comparison.removed) {
        person_->world().ledger().removed(token, address_key(person_->account().name));
    }
}

net::Task<Result<ImapAnswer>> ImapActs::change(std::string command) {
    memory_->doing = command.substr(0, 60);
    memory_->unsettled = person_->world().now();
    person_->note("in " + selected_ + " asks: " + memory_->doing);
    const ImapAnswer answer = CO_TRY(co_await client_->ask(std::move(command)));
    person_->note("is answered: " + answer.text.substr(0, 60));
    CO_TRY(co_await believe(answer));
    co_return answer;
}

// A node whose commit failed says NO, does not know the outcome itself, and ends.
net::Task<Result<>> ImapActs::believe(ImapAnswer answer) {
    World& world = person_->world();
    if (!answer.is_ok()) {
        co_await net::sleep_for(kEndTime);
        if (world.ledger().has_crashed(person_->node().hostname(), *memory_->unsettled,
                                       world.now())) {
            co_return temporary_error(ErrorCode::Closed, "ended after " + answer.text);
        }
    }
    memory_->unsettled.reset();
    co_return Result<>();
}

// --- Looking ---------------------------------------------------------------------------------

net::Task<Result<>> ImapActs::list() {
    const ImapAnswer answer = CO_TRY(co_await client_->ask("LIST \"\" \"*\""));
    if (!answer.is_ok()) {
        co_return temporary_error(ErrorCode::Denied, answer.text);
    }
    std::set<std::string> names;
    for (const std::string& line : answer.untagged) {
        if (line.starts_with("LIST ") && !line.contains("\\Noselect")) {
            names.insert(listed_name(line));
        }
    }
    take(compare_names(*memory_, names));
    co_return Result<>();
}

// Reads messages whole, a few in a command.
net::Task<Result<>> ImapActs::read(Uids uids, Seen* seen) {
    for (std::size_t at = 0; at < uids.size(); at += kReadAtOnce) {
        const Uids some(
            uids.begin() + static_cast<std::ptrdiff_t>(at),
            uids.begin() + static_cast<std::ptrdiff_t>(std::min(uids.size(), at + kReadAtOnce)));
        const ImapAnswer answer =
            CO_TRY(co_await client_->ask("UID FETCH " + write_uids(some) + " (UID BODY.PEEK[])"));
        if (!answer.is_ok()) {
            // A disk may fail to read; what it did read is good.
            co_return temporary_error(ErrorCode::Denied, answer.text);
        }
        for (const Fetched& fetched : answer.fetched) {
            if (fetched.body) {
                seen->read[fetched.uid] = read_message(*fetched.body);
            }
        }
        for (const std::uint32_t uid : some) {
            if (!seen->read.contains(uid)) {
                broken("P4", "UID " + std::to_string(uid) + " was not given when asked for");
            }
        }
    }
    co_return Result<>();
}

net::Task<Result<>> ImapActs::look(std::string name, Depth depth) {
    selected_.clear();
    memory_->doing = "looking at " + name;
    const ImapAnswer opened = CO_TRY(co_await client_->ask("SELECT " + name));
    if (!opened.is_ok()) {
        client_->end_numbering();
        co_return temporary_error(ErrorCode::Denied, name + ": " + opened.text);
    }
    Seen seen;
    seen.uid_validity = code_number(opened, "UIDVALIDITY");
    seen.uid_next = code_number(opened, "UIDNEXT");
    if (!client_->numbers().empty()) {
        const ImapAnswer all = CO_TRY(co_await client_->ask("UID FETCH 1:* (UID FLAGS)"));
        if (!all.is_ok()) {
            co_return temporary_error(ErrorCode::Denied, all.text);
        }
        for (const Fetched& fetched : all.fetched) {
            if (fetched.uid != 0 && fetched.flags) {
                seen.messages[fetched.uid] = *fetched.flags;
            }
        }
    }
    Uids to_read;
    const RememberedMailbox& known = memory_->mailboxes[name];
    for (const auto& [uid, flags] : seen.messages) {
        const auto message = known.messages.find(uid);
        if (depth == Depth::All || message == known.messages.end() || !message->second.is_read()) {
            to_read.push_back(uid);
        }
    }
    CO_TRY(co_await read(std::move(to_read), &seen));
    take(compare_mailbox(*memory_, name, seen));
    selected_ = name;
    co_return Result<>();
}

net::Task<Result<>> ImapActs::catch_up() {
    CO_TRY(co_await list());
    if (memory_->unanswered) {
        const Unanswered asked = *memory_->unanswered;
        for (const std::string& name : {asked.source, asked.target}) {
            if (memory_->mailboxes.contains(name)) {
                CO_TRY(co_await look(name, Depth::New));
            }
        }
        take(conclude(*memory_));
    }
    if (!memory_->maybe_subscribed.empty() || dice_->chance(0.1)) {
        CO_TRY(co_await list_subscribed());
    }
    const bool is_inbox = dice_->chance(0.6);
    CO_TRY(co_await look(is_inbox ? "INBOX" : choose_mailbox(false),
                         dice_->chance(0.1) ? Depth::All : Depth::New));
    co_return Result<>();
}

net::Task<Result<>> ImapActs::look_at_all() {
    std::vector<std::string> names;
    for (const auto& [name, box] : memory_->mailboxes) {
        names.push_back(name);
    }
    for (const std::string& name : names) {
        CO_TRY(co_await look(name, Depth::All));
    }
    co_return co_await list_subscribed();
}

void ImapActs::check_told(const ImapAnswer& answer, const Uids& may_go) {
    if (selected_.empty()) {
        return;
    }
    for (const std::uint32_t uid : answer.expunged) {
        if (uid != 0 && std::ranges::find(may_go, uid) == may_go.end()) {
            broken("P4", "EXPUNGE of UID " + std::to_string(uid) + ", which nobody removed");
        }
    }
    for (const Fetched& fetched : answer.fetched) {
        const auto known = box().messages.find(fetched.uid);
        if (!fetched.flags || known == box().messages.end()) {
            continue;
        }
        const std::vector<Flags>& may_be = known->second.flags;
        if (!may_be.empty() && std::ranges::find(may_be, *fetched.flags) == may_be.end()) {
            broken("I24", selected_ + ": UID " + std::to_string(fetched.uid) + " was told with " +
                              to_string(*fetched.flags) + ", it has " + to_string(may_be.front()));
        }
    }
}

// --- Choosing --------------------------------------------------------------------------------

ImapActs::Uids ImapActs::choose_uids(std::size_t most, bool is_for_removal) {
    Uids fit;
    for (const auto& [uid, message] : box().messages) {
        // What it has must be known before it is changed.
        if (message.is_read() && message.flags.size() == 1 &&
            (!is_for_removal || selected_ != "INBOX" || message.may_be_removed())) {
            fit.push_back(uid);
        }
    }
    Uids chosen;
    for (std::size_t left = 1 + dice_->below(most); left > 0 && !fit.empty(); --left) {
        const auto at = static_cast<std::ptrdiff_t>(dice_->below(fit.size()));
        chosen.push_back(fit[static_cast<std::size_t>(at)]);
        fit.erase(fit.begin() + at);
    }
    std::ranges::sort(chosen);
    return chosen;
}

std::string ImapActs::choose_mailbox(bool is_own_one) {
    std::vector<std::string> names;
    for (const auto& [name, box] : memory_->mailboxes) {
        if (!is_own_one || is_own(name)) {
            names.push_back(name);
        }
    }
    return names.empty() ? "" : dice_->pick(names);
}

std::string ImapActs::free_name() {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < kOwnMailboxes; ++i) {
        const std::string name = "box" + std::to_string(i);
        if (!memory_->mailboxes.contains(name)) {
            names.push_back(name);
        }
    }
    return names.empty() ? "" : dice_->pick(names);
}

net::Task<Result<>> ImapActs::act() {
    if (selected_.empty()) {
        co_return co_await look(dice_->chance(0.6) ? "INBOX" : choose_mailbox(false), Depth::New);
    }
    const std::size_t full = selected_ == "INBOX" ? kInboxFull : kMailboxFull;
    if (box().messages.size() > full) {
        co_return co_await expunge();
    }
    const double fraction = dice_->fraction();
    if (fraction < 0.7) {
        co_return co_await act_on_selected(fraction / 0.7);
    }
    co_return co_await act_on_mailboxes((fraction - 0.7) / 0.3);
}

net::Task<Result<>> ImapActs::act_on_selected(double fraction) {
    if (fraction < 0.30) {
        co_return co_await store();
    }
    if (fraction < 0.42) {
        co_return co_await fetch();
    }
    if (fraction < 0.55) {
        co_return co_await expunge();
    }
    if (fraction < 0.65) {
        co_return co_await copy_or_move(false);
    }
    if (fraction < 0.80) {
        co_return co_await copy_or_move(true);
    }
    if (fraction < 0.88) {
        co_return co_await search();
    }
    if (fraction < 0.95) {
        co_return co_await idle();
    }
    co_return co_await leave();
}

net::Task<Result<>> ImapActs::act_on_mailboxes(double fraction) {
    if (fraction < 0.4) {
        co_return co_await append();
    }
    if (fraction < 0.55) {
        co_return co_await create();
    }
    if (fraction < 0.65) {
        co_return co_await rename();
    }
    if (fraction < 0.72) {
        co_return co_await remove();
    }
    if (fraction < 0.82) {
        co_return co_await status();
    }
    if (fraction < 0.87) {
        co_return co_await subscribe();
    }
    co_return co_await look(dice_->chance(0.5) ? "INBOX" : choose_mailbox(false), Depth::New);
}

// --- Messages --------------------------------------------------------------------------------

net::Task<Result<>> ImapActs::fetch() {
    const Uids uids = choose_uids(1, false);
    if (uids.empty()) {
        co_return Result<>();
    }
    const std::uint32_t uid = uids.front();
    const bool sets_seen = dice_->chance(0.3);
    RememberedMessage& message = box().messages[uid];
    Flags after = message.flags.front();
    if (sets_seen) {
        // RFC 3501 6.4.5: BODY[] sets \Seen.
        after.insert("\\Seen");
        message.flags.push_back(after);
    }
    const std::string what = sets_seen ? " (FLAGS BODY[])" : " (FLAGS BODY.PEEK[])";
    const ImapAnswer answer = CO_TRY(co_await change("UID FETCH " + std::to_string(uid) + what));
    check_told(answer, {});
    if (!answer.is_ok()) {
        // Which part of it failed is not told: the next look shows.
        co_return Result<>();
    }
    // Reading goes on where \Seen cannot be kept (a full disk): what was told counts.
    RememberedMessage& read_one = box().messages[uid];
    for (const Fetched& fetched : answer.fetched) {
        if (fetched.uid == uid && fetched.flags) {
            read_one.flags = {*fetched.flags};
        }
        if (fetched.uid == uid && fetched.body && message_hash(*fetched.body) != read_one.hash) {
            broken("I20", selected_ + ": UID " + std::to_string(uid) + " (" + read_one.token +
                              ") is not what it was");
        }
    }
    co_return Result<>();
}

net::Task<Result<>> ImapActs::store() {
    Uids uids = choose_uids(3, false);
    if (uids.empty()) {
        co_return Result<>();
    }
    Flags flags;
    for (std::size_t left = 1 + dice_->below(2); left > 0; --left) {
        flags.insert(dice_->pick(flag_names()));
    }
    const double fraction = dice_->fraction();
    const std::string how = fraction < 0.5 ? "+FLAGS" : fraction < 0.8 ? "-FLAGS" : "FLAGS";
    const std::string quietly = dice_->chance(0.5) ? ".SILENT" : "";
    co_return co_await change_flags(std::move(uids), how + quietly, std::move(flags));
}

net::Task<Result<>> ImapActs::change_flags(Uids uids, std::string how, Flags flags) {
    std::map<std::uint32_t, Flags> after;
    std::map<std::uint32_t, Flags> before;
    for (const std::uint32_t uid : uids) {
        RememberedMessage& message = box().messages[uid];
        before[uid] = message.flags.front();
        Flags changed = how.starts_with('F') ? Flags() : message.flags.front();
        for (const std::string& flag : flags) {
            how.starts_with('-') ? static_cast<void>(changed.erase(flag))
                                 : static_cast<void>(changed.insert(flag));
        }
        after[uid] = changed;
        message.flags.push_back(std::move(changed));
    }
    const ImapAnswer answer = CO_TRY(
        co_await change("UID STORE " + write_uids(uids) + " " + how + " " + to_string(flags)));
    check_told(answer, {});
    for (const std::uint32_t uid : uids) {
        box().messages[uid].flags = {answer.is_ok() ? after[uid] : before[uid]};
    }
    person_->world().count(answer.is_ok() ? "imap stores" : "imap stores refused");
    if (answer.is_ok() && !how.contains("SILENT")) {
        for (const std::uint32_t uid : uids) {
            const bool is_told = std::ranges::any_of(answer.fetched, [&](const Fetched& fetched) {
                return fetched.uid == uid && fetched.flags == after[uid];
            });
            if (!is_told) {
                broken("I24", selected_ + ": STORE did not tell that UID " + std::to_string(uid) +
                                  " has " + to_string(after[uid]));
            }
        }
    }
    co_return Result<>();
}

net::Task<Result<>> ImapActs::expunge() {
    const std::size_t most = box().messages.size() > kMailboxFull ? 20 : 3;
    Uids uids = choose_uids(most, true);
    if (uids.empty()) {
        co_return Result<>();
    }
    CO_TRY(co_await change_flags(uids, "+FLAGS.SILENT", Flags{"\\Deleted"}));
    const double fraction = dice_->fraction();
    const bool is_close = fraction < 0.15;
    const bool is_all = is_close || fraction < 0.4;
    Uids doomed;
    for (const auto& [uid, message] : box().messages) {
        const bool is_named = std::ranges::find(uids, uid) != uids.end();
        if (message.flags.size() == 1 && message.has("\\Deleted") && (is_all || is_named)) {
            doomed.push_back(uid);
        }
    }
    if (doomed.empty()) {
        co_return Result<>();  // The disk took no more flags.
    }
    memory_->unanswered = Unanswered{
        .kind = Kind::Expunge, .source = selected_, .target = "", .uids = doomed, .messages = {}};
    const std::string name = selected_;
    const ImapAnswer answer = CO_TRY(co_await change(is_close ? std::string("CLOSE")
                                                     : is_all ? std::string("EXPUNGE")
                                                              : "UID EXPUNGE " + write_uids(uids)));
    memory_->unanswered.reset();
    check_told(answer, doomed);
    if (answer.is_ok()) {
        person_->world().count("imap expunges");
        Comparison gone;
        // Of what came just now the number is known, the UID not: an EXPUNGE of it names nobody.
        auto nameless = std::ranges::count(answer.expunged, 0U);
        for (const std::uint32_t uid : doomed) {
            const bool is_told =
                is_close || std::ranges::find(answer.expunged, uid) != answer.expunged.end();
            if (!is_told && nameless-- <= 0) {
                broken("I23", name + ": EXPUNGE of UID " + std::to_string(uid) + " was not told");
            }
            forget(*memory_, name, uid, gone);
        }
        take(gone);
    }
    if (is_close && answer.is_ok()) {
        client_->end_numbering();
        selected_.clear();
    }
    co_return Result<>();
}

// "[COPYUID 12 1:3 7:9]". RFC 4315 3.
void ImapActs::take_copied(const std::string& told, const Uids& uids, const std::string& target) {
    const std::vector<std::string> words = code_words(told, "COPYUID");
    RememberedMailbox& there = memory_->mailboxes[target];
    if (words.size() != 3) {
        broken("RFC 4315 3", "no COPYUID for what was copied to " + target + ": " + told);
        return;
    }
    const Uids from = read_uids(words[1]);
    const Uids to = read_uids(words[2]);
    const std::uint32_t validity = parse_u32(words[0]).value_or(0);
    if (there.uid_validity != 0 && there.uid_validity != validity) {
        broken("I16", target + ": COPYUID says UIDVALIDITY " + words[0]);
    }
    if (from != uids || to.size() != from.size()) {
        broken("P4", "COPYUID says " + words[1] + " to " + words[2] + " where " + write_uids(uids) +
                         " was asked");
        return;
    }
    there.uid_validity = validity;
    for (std::size_t i = 0; i < to.size(); ++i) {
        if (to[i] < there.uid_next || there.messages.contains(to[i]) ||
            there.gone.contains(to[i])) {
            broken("I15", target + ": UID " + std::to_string(to[i]) + " is given again");
        }
        there.messages[to[i]] = box().messages[uids[i]];
        there.uid_next = std::max(there.uid_next, to[i] + 1);
    }
}

net::Task<Result<>> ImapActs::copy_or_move(bool is_move) {
    const std::string target = choose_mailbox(false);
    const Uids uids = choose_uids(4, is_move);
    // Nothing is put into INBOX but mail, so that what arrived can be counted.
    if (uids.empty() || target == selected_ || target == "INBOX") {
        co_return Result<>();
    }
    Unanswered asked{.kind = is_move ? Kind::Move : Kind::Copy,
                     .source = selected_,
                     .target = target,
                     .uids = uids,
                     .messages = {}};
    for (const std::uint32_t uid : uids) {
        asked.messages.push_back(box().messages[uid]);
    }
    memory_->unanswered = std::move(asked);
    const ImapAnswer answer = CO_TRY(co_await change(
        std::string(is_move ? "UID MOVE " : "UID COPY ") + write_uids(uids) + " " + target));
    memory_->unanswered.reset();
    check_told(answer, is_move ? uids : Uids());
    if (!answer.is_ok()) {
        co_return Result<>();
    }
    person_->world().count(is_move ? "imap moves" : "imap copies");
    std::string told = answer.text;
    for (const std::string& line : answer.untagged) {
        // RFC 6851 4.3: MOVE tells it before.
        told = line.contains("COPYUID") ? line : told;
    }
    take_copied(told, uids, target);
    if (is_move) {
        Comparison gone;
        for (const std::uint32_t uid : uids) {
            forget(*memory_, selected_, uid, gone);
        }
        take(gone);
    }
    co_return Result<>();
}

net::Task<Result<>> ImapActs::append() {
    const std::string target = dice_->chance(0.3) ? "INBOX" : choose_mailbox(false);
    const std::vector<std::string> nobody_else{person_->account().name};
    const Letter letter = compose(*person_, *dice_, nobody_else, dice_->chance(0.2));
    Ledger& ledger = person_->world().ledger();
    const std::string account = address_key(person_->account().name);
    ledger.wrote(letter);
    ledger.appended(letter.token, account, Told::Unknown);
    RememberedMessage message;
    message.hash = message_hash(letter.text);
    message.token = letter.token;
    Flags flags;
    if (dice_->chance(0.5)) {
        flags.insert(dice_->pick(flag_names()));
    }
    message.flags = {flags};
    memory_->unanswered = Unanswered{
        .kind = Kind::Append, .source = "", .target = target, .uids = {}, .messages = {message}};
    memory_->doing = "APPEND to " + target;
    memory_->unsettled = person_->world().now();
    const ImapAnswer answer = CO_TRY(co_await client_->ask_with_literal(
        "APPEND " + target + " " + to_string(flags), letter.text, dice_->chance(0.5)));
    CO_TRY(co_await believe(answer));
    memory_->unanswered.reset();
    check_told(answer, {});
    ledger.appended(letter.token, account, answer.is_ok() ? Told::Accepted : Told::Refused);
    if (!answer.is_ok()) {
        co_return Result<>();
    }
    const std::vector<std::string> words = code_words(answer.text, "APPENDUID");
    const std::uint32_t uid = words.size() == 2 ? parse_u32(words[1]).value_or(0) : 0;
    RememberedMailbox& there = memory_->mailboxes[target];
    if (uid == 0 || uid < there.uid_next) {
        broken("I15", target + ": APPEND was answered with " + answer.text + ", and UIDNEXT was " +
                          std::to_string(there.uid_next));
    }
    // In INBOX mail may have come before it that was not seen yet: its numbers are lower.
    there.uid_next = target == "INBOX" ? there.uid_next : uid + 1;
    there.messages[uid] = std::move(message);
    co_return Result<>();
}

net::Task<Result<>> ImapActs::search() {
    const std::string flag = dice_->pick(flag_names());
    const std::string key =
        flag.starts_with('\\') ? to_upper(std::string_view(flag).substr(1)) : "KEYWORD " + flag;
    const ImapAnswer answer = CO_TRY(co_await client_->ask("UID SEARCH " + key));
    check_told(answer, {});
    if (!answer.is_ok()) {
        co_return Result<>();
    }
    std::set<std::uint32_t> found;
    for (const std::string& line : answer.untagged) {
        if (line.starts_with("SEARCH")) {
            for (const std::string_view word : split(line, ' ')) {
                found.insert(parse_u32(word).value_or(0));
            }
        }
    }
    for (const auto& [uid, message] : box().messages) {
        if (message.flags.size() == 1 && message.has(flag) != found.contains(uid)) {
            broken("I24", selected_ + ": SEARCH " + key + " says otherwise of UID " +
                              std::to_string(uid) + ", which has " +
                              to_string(message.flags.front()));
        }
    }
    co_return Result<>();
}

net::Task<Result<>> ImapActs::idle() {
    const Duration time = dice_->between(std::chrono::seconds(1), std::chrono::minutes(20));
    memory_->doing = "IDLE";
    const ImapAnswer answer = CO_TRY(co_await client_->idle(person_->world().now() + time));
    check_told(answer, {});
    co_return Result<>();
}

net::Task<Result<>> ImapActs::leave() {
    const ImapAnswer answer = CO_TRY(co_await client_->ask("UNSELECT"));
    if (answer.is_ok()) {
        client_->end_numbering();
        selected_.clear();
    }
    co_return Result<>();
}

}  // namespace godwit::sim
