#include "sim/people/pop3_reader.h"

#include <algorithm>
#include <map>
#include <vector>

#include "base/ascii.h"
#include "sim/audit.h"
#include "sim/people/memory.h"
#include "sim/talk.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

constexpr Duration kPatience = std::chrono::minutes(8);
constexpr std::size_t kMaildropFull = 40;
constexpr std::size_t kLinesMax = 1'000'000;

// One POP3 connection.
class Pop3Client {
public:
    explicit Pop3Client(Person* person) : person_(person) {}

    struct Listed {
        std::uint64_t size = 0;
        std::string unique_id;
    };

    net::Task<Result<>> open(Reach reach, Duration patience);
    /// The status line; an error when the connection is lost.
    net::Task<Result<std::string>> ask(std::string command);
    /// Lines up to the dot, unstuffed, joined with CRLF. After a "+OK".
    net::Task<Result<std::string>> rest();
    /// What there is, by message number from 1: STAT, LIST and UIDL, which must agree.
    net::Task<Result<std::map<std::uint32_t, Listed>>> list();
    net::Task<Result<std::string>> retrieve(std::uint32_t number);
    net::Task<void> close() { return talk_->close(); }
    void abort() { talk_->abort(); }

private:
    void broken(const std::string& what) { person_->broken("RFC 1939", what); }
    Person* person_;
    std::unique_ptr<Talk> talk_;
};

bool is_ok(const std::string& line) {
    return line.starts_with("+OK");
}

std::unexpected<Error> refused(const std::string& line) {
    return temporary_error(ErrorCode::Denied, line);
}

net::Task<Result<>> Pop3Client::open(Reach reach, Duration patience) {
    const bool is_tls = reach == Reach::Tls;
    std::unique_ptr<net::Stream> stream = CO_TRY(
        co_await person_->connect(is_tls ? flow::Protocol::Pop3s : flow::Protocol::Pop3, reach));
    talk_ = std::make_unique<Talk>(std::move(stream), patience);
    const std::string greeting = CO_TRY(co_await talk_->line());
    if (!is_ok(greeting)) {
        co_return refused(greeting);
    }
    if (reach == Reach::StartTls) {
        const std::string go = CO_TRY(co_await ask("STLS"));
        if (!is_ok(go)) {
            co_return refused(go);
        }
        CO_TRY(co_await talk_->start_tls_client(person_->world().tls_client(),
                                                person_->node().hostname()));
    }
    const std::string user = CO_TRY(co_await ask("USER " + person_->account().name));
    if (!is_ok(user)) {
        co_return refused(user);
    }
    const std::string in = CO_TRY(co_await ask("PASS " + person_->account().password));
    if (in.starts_with("-ERR [AUTH]")) {
        person_->broken("P5", "the right password was refused: " + in);
    }
    if (!is_ok(in)) {
        co_return refused(in);
    }
    co_return Result<>();
}

net::Task<Result<std::string>> Pop3Client::ask(std::string command) {
    CO_TRY(co_await talk_->send(command + "\r\n"));
    const std::string line = CO_TRY(co_await talk_->line());
    if (!is_ok(line) && !line.starts_with("-ERR")) {
        broken(command + " was answered with " + line.substr(0, 100));
    }
    co_return line;
}

net::Task<Result<std::string>> Pop3Client::rest() {
    std::string text;
    for (std::size_t count = 0; count < kLinesMax; ++count) {
        const std::string line = CO_TRY(co_await talk_->line());
        if (line == ".") {
            co_return text;
        }
        text.append(line, line.starts_with('.') ? 1 : 0).append("\r\n");
    }
    co_return peer_error(ErrorCode::LimitExceeded, "a POP3 answer without an end");
}

net::Task<Result<std::map<std::uint32_t, Pop3Client::Listed>>> Pop3Client::list() {
    const std::string stat = CO_TRY(co_await ask("STAT"));
    std::map<std::uint32_t, Listed> listed;
    std::uint64_t octets = 0;
    for (const bool is_unique : {false, true}) {
        const std::string head = CO_TRY(co_await ask(is_unique ? "UIDL" : "LIST"));
        if (!is_ok(head)) {
            co_return refused(head);
        }
        const std::string lines = CO_TRY(co_await rest());
        for (std::string_view line : split(lines, '\n')) {
            line = trim(line);
            const std::size_t space = line.find(' ');
            const auto number = parse_u32(line.substr(0, space));
            if (!number || space == std::string_view::npos) {
                continue;
            }
            Listed& one = listed[*number];
            if (is_unique) {
                one.unique_id = line.substr(space + 1);
            } else {
                one.size = parse_u64(line.substr(space + 1)).value_or(0);
                octets += one.size;
            }
        }
    }
    std::set<std::string> unique;
    for (const auto& [number, one] : listed) {
        if (one.unique_id.empty() || !unique.insert(one.unique_id).second) {
            person_->broken("I15", "UIDL gives message " + std::to_string(number) + " \"" +
                                       one.unique_id + "\"");
        }
    }
    const std::string told = "+OK " + std::to_string(listed.size()) + " " + std::to_string(octets);
    if (stat != told && !stat.starts_with(told + " ")) {
        broken("STAT says " + stat + ", LIST comes to " + told);
    }
    co_return listed;
}

net::Task<Result<std::string>> Pop3Client::retrieve(std::uint32_t number) {
    const std::string head = CO_TRY(co_await ask("RETR " + std::to_string(number)));
    if (!is_ok(head)) {
        co_return refused(head);
    }
    co_return co_await rest();
}

using Maildrop = std::map<std::uint32_t, Pop3Client::Listed>;

class Reader {
public:
    explicit Reader(Person* person)
        : person_(person),
          memory_(&person->memory()),
          dice_(person->world().dice(person->account().name + ".pop3")) {}

    net::Task<void> live() {
        World& world = person_->world();
        while (!memory_->has_compared) {
            co_await net::sleep_for(world.is_ending() ? Duration(std::chrono::minutes(1))
                                                      : dice_.about(world.swarm().think * 2));
            const Result<> lived = co_await session();
            if (!lived) {
                world.count("pop3 sessions broken");
                person_->note("pop3 session ended: " + lived.error().text);
            }
            if (memory_->unsettled) {
                co_await person_->let_settle(*memory_->unsettled);
                memory_->unsettled.reset();
            }
        }
    }

private:
    net::Task<Result<>> session();
    net::Task<Result<>> read_all(Pop3Client* client, const Maildrop* drop, bool is_last);
    net::Task<Result<>> remove_some(Pop3Client* client, const Maildrop* drop);
    net::Task<Result<>> quit(Pop3Client* client, std::set<std::string> dropping);
    void compare(const Maildrop& drop);
    void forget(const std::string& unique_id);

    Person* person_;
    Person::Memory* memory_;
    Dice dice_;
};

void Reader::forget(const std::string& unique_id) {
    const auto found = memory_->maildrop.find(unique_id);
    if (found != memory_->maildrop.end()) {
        if (!found->second.token.empty()) {
            person_->world().ledger().removed(found->second.token,
                                              address_key(person_->account().name));
        }
        memory_->maildrop.erase(found);
    }
    memory_->dropped.insert(unique_id);
}

void Reader::compare(const Maildrop& drop) {
    std::set<std::string> there;
    for (const auto& [number, one] : drop) {
        there.insert(one.unique_id);
        if (memory_->dropped.contains(one.unique_id)) {
            person_->broken("P4", one.unique_id + " was removed and is there again");
        }
    }
    std::vector<std::string> missing;
    for (const auto& [unique_id, message] : memory_->maildrop) {
        if (!there.contains(unique_id)) {
            missing.push_back(unique_id);
        }
    }
    std::size_t gone = 0;
    for (const std::string& unique_id : missing) {
        const bool is_asked = memory_->maybe_dropped.contains(unique_id);
        gone += is_asked ? 1 : 0;
        if (!is_asked) {
            person_->broken("P4", unique_id + " (" + memory_->maildrop[unique_id].token +
                                      ") is gone, and nobody removed it");
        }
        forget(unique_id);
    }
    if (gone != 0 && gone != memory_->maybe_dropped.size()) {
        person_->broken("I25", "of " + std::to_string(memory_->maybe_dropped.size()) +
                                   " messages that one QUIT was to remove, " +
                                   std::to_string(gone) + " are gone");
    }
    memory_->maybe_dropped.clear();
}

// Reads what was not read before, and some of the rest again.
net::Task<Result<>> Reader::read_all(Pop3Client* client, const Maildrop* drop, bool is_last) {
    for (const auto& [number, one] : *drop) {
        const bool is_known = memory_->maildrop.contains(one.unique_id);
        if (is_known && !is_last && !dice_.chance(0.1)) {
            continue;
        }
        const std::string text = CO_TRY(co_await client->retrieve(number));
        if (text.size() != one.size) {
            person_->broken("RFC 1939", "LIST says " + std::to_string(one.size) + " octets of " +
                                            one.unique_id + ", RETR gives " +
                                            std::to_string(text.size()));
        }
        RememberedMessage read;
        read.hash = message_hash(text);
        read.is_report = read_report(text).has_value();
        read.token = read.is_report ? "" : find_token(text);
        RememberedMessage& known = memory_->maildrop[one.unique_id];
        if (known.is_read() && known.hash != read.hash) {
            person_->broken("I15", one.unique_id + " was " + known.token +
                                       " and is another message now: " + read.token);
        }
        known = std::move(read);
        if (dice_.chance(0.1)) {
            const std::string head =
                CO_TRY(co_await client->ask("TOP " + std::to_string(number) + " 2"));
            if (is_ok(head)) {
                const std::string top = CO_TRY(co_await client->rest());
                if (!text.starts_with(std::string_view(top).substr(0, top.size() - 2))) {
                    person_->broken("RFC 1939", "TOP and RETR differ for " + one.unique_id);
                }
            }
        }
    }
    co_return Result<>();
}

// Marks some as deleted, and then may think better of it.
net::Task<Result<>> Reader::remove_some(Pop3Client* client, const Maildrop* drop) {
    std::set<std::string> dropping;
    const bool is_full = drop->size() > kMaildropFull;
    for (const auto& [number, one] : *drop) {
        if (memory_->maildrop[one.unique_id].may_be_removed() &&
            dice_.chance(is_full ? 0.8 : 0.2)) {
            const std::string answer =
                CO_TRY(co_await client->ask("DELE " + std::to_string(number)));
            if (is_ok(answer)) {
                dropping.insert(one.unique_id);
            }
        }
    }
    if (dice_.chance(0.1)) {
        const std::string answer = CO_TRY(co_await client->ask("RSET"));
        if (is_ok(answer)) {
            dropping.clear();
        }
    }
    if (dice_.chance(0.2)) {
        // RFC 1939 6: without QUIT nothing is removed.
        client->abort();
        co_return Result<>();
    }
    co_return co_await quit(client, std::move(dropping));
}

net::Task<Result<>> Reader::quit(Pop3Client* client, std::set<std::string> dropping) {
    memory_->maybe_dropped = dropping;
    memory_->unsettled = person_->world().now();
    memory_->doing = "QUIT";
    const std::string answer = CO_TRY(co_await client->ask("QUIT"));
    memory_->unsettled.reset();
    if (is_ok(answer)) {
        person_->world().count("pop3 removals", dropping.size());
        for (const std::string& unique_id : dropping) {
            forget(unique_id);
        }
    }
    // RFC 1939 6: after -ERR some may be gone.
    memory_->maybe_dropped = is_ok(answer) ? std::set<std::string>() : dropping;
    co_await client->close();
    co_return Result<>();
}

net::Task<Result<>> Reader::session() {
    World& world = person_->world();
    const bool is_last = world.is_ending();
    world.count("pop3 sessions");
    memory_->doing = "logging in";
    Pop3Client client(person_);
    const bool is_hasty = !is_last && dice_.chance(0.1);
    const Duration patience =
        is_hasty ? dice_.between(std::chrono::milliseconds(300), std::chrono::seconds(20))
                 : kPatience;
    CO_TRY(co_await client.open(person_->choose_reach(dice_), patience));
    memory_->doing = "reading";
    const Maildrop drop = CO_TRY(co_await client.list());
    compare(drop);
    CO_TRY(co_await read_all(&client, &drop, is_last));
    if (is_last) {
        memory_->has_compared = true;
        person_->note("the maildrop agrees");
        co_return co_await quit(&client, {});
    }
    co_return co_await remove_some(&client, &drop);
}

}  // namespace

net::Task<void> read_by_pop3(Person* person) {
    Reader reader(person);
    co_await reader.live();
}

net::Task<Result<>> glance_by_pop3(Person* person, Dice* dice) {
    Pop3Client client(person);
    CO_TRY(co_await client.open(Reach::Clear, kPatience));
    const Maildrop drop = CO_TRY(co_await client.list());
    const RememberedMailbox& inbox = person->memory().mailboxes["INBOX"];
    // A unique id ends with the UID.
    std::map<std::uint32_t, std::uint32_t> numbers;
    for (const auto& [number, one] : drop) {
        const std::size_t dot = one.unique_id.rfind('.');
        numbers[parse_u32(std::string_view(one.unique_id).substr(dot + 1)).value_or(0)] = number;
    }
    for (const auto& [uid, message] : inbox.messages) {
        if (!numbers.contains(uid)) {
            person->broken(
                "P4", "POP3 does not show UID " + std::to_string(uid) + " (" + message.token + ")");
        }
    }
    if (!numbers.empty()) {
        auto one = numbers.begin();
        std::advance(one, static_cast<std::ptrdiff_t>(dice->below(numbers.size())));
        const std::string text = CO_TRY(co_await client.retrieve(one->second));
        const auto known = inbox.messages.find(one->first);
        if (known != inbox.messages.end() && known->second.is_read() &&
            known->second.hash != message_hash(text)) {
            person->broken("I20",
                           "POP3 gives another message for UID " + std::to_string(one->first));
        }
    }
    const std::string bye = CO_TRY(co_await client.ask("QUIT"));
    static_cast<void>(bye);
    co_await client.close();
    co_return Result<>();
}

}  // namespace godwit::sim
