#include "sim/people/guest.h"

#include "sim/people/letters.h"
#include "sim/talk.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kPatience = minutes(2);
// One message becomes more than are removed with their account (delete_inline_messages_max) or in
// one step of the caretaker.
constexpr std::size_t kDoublings = 10;
// Steps of one backup or restore: more would be one that makes no way.
constexpr unsigned kStepsMax = 10'000;

std::string answer_to(Person* person, const std::string& call, const std::string& arguments) {
    return person->node().order(R"({"call":")" + call + R"(","arguments":{)" + arguments + "}}");
}

std::string folder_argument() {
    return std::string(R"("folder":")") + Node::kBackupFolder + "\"";
}

// Letters with the null sender: nobody is told what becomes of them (RFC 5321 4.5.5).
net::Task<Result<>> bring(Person* person, std::string guest, std::string text) {
    std::unique_ptr<net::Stream> stream =
        CO_TRY(co_await person->connect(flow::Protocol::Lmtp, Reach::Clear));
    Talk talk(std::move(stream), kPatience);
    const std::string lines[] = {
        "",         "LHLO desk.sim.test\r\n", "MAIL FROM:<>\r\n", "RCPT TO:<" + guest + ">\r\n",
        "DATA\r\n", text + ".\r\n",           "QUIT\r\n"};
    for (const std::string& line : lines) {
        if (!line.empty()) {
            CO_TRY(co_await talk.send(line));
        }
        std::string reply;
        do {
            reply = CO_TRY(co_await talk.line());
        } while (reply.size() > 3 && reply[3] == '-');
        if (reply.empty() || (reply.front() != '2' && reply.front() != '3')) {
            co_return temporary_error(ErrorCode::Denied, reply);
        }
    }
    co_await talk.close();
    co_return Result<>();
}

// One IMAP command, or none: "" waits for the greeting.
net::Task<Result<>> ask_imap(Talk* talk, std::string command) {
    if (!command.empty()) {
        CO_TRY(co_await talk->send("a " + command + "\r\n"));
    }
    const std::string_view expected = command.empty() ? "* " : "a ";
    std::string line;
    do {
        line = CO_TRY(co_await talk->line());
    } while (!line.starts_with(expected));
    if (!command.empty() && !line.starts_with("a OK")) {
        co_return temporary_error(ErrorCode::Denied, line);
    }
    co_return Result<>();
}

// A session in which all goes well, or its end.
net::Task<Result<>> speak_imap(Person* person, std::string guest,
                               std::vector<std::string> commands) {
    std::unique_ptr<net::Stream> stream =
        CO_TRY(co_await person->connect(flow::Protocol::Imap, Reach::Clear));
    Talk talk(std::move(stream), kPatience);
    CO_TRY(co_await ask_imap(&talk, ""));
    CO_TRY(co_await ask_imap(&talk, "LOGIN " + guest + " guest"));
    CO_TRY(co_await ask_imap(&talk, "SELECT INBOX"));
    for (std::string& command : commands) {
        CO_TRY(co_await ask_imap(&talk, std::move(command)));
    }
    CO_TRY(co_await ask_imap(&talk, "LOGOUT"));
    co_await talk.close();
    co_return Result<>();
}

// COPY of all onto itself, over and over: an account that is not removed in one step.
net::Task<Result<>> multiply(Person* person, std::string guest) {
    std::vector<std::string> commands(kDoublings, "COPY 1:* INBOX");
    co_return co_await speak_imap(person, std::move(guest), std::move(commands));
}

// What a POP3 session was told of is taken away over IMAP before it asks for it.
net::Task<Result<>> race(Person* person, std::string guest) {
    std::unique_ptr<net::Stream> stream =
        CO_TRY(co_await person->connect(flow::Protocol::Pop3, Reach::Clear));
    Talk talk(std::move(stream), kPatience);
    const std::string lines[] = {"", "USER " + guest, "PASS guest", "STAT", "RETR 1"};
    for (const std::string& line : lines) {
        if (line.starts_with("RETR")) {
            std::vector<std::string> commands = {"STORE 1:* +FLAGS (\\Deleted)", "EXPUNGE"};
            CO_TRY(co_await speak_imap(person, guest, std::move(commands)));
        }
        if (!line.empty()) {
            CO_TRY(co_await talk.send(line + "\r\n"));
        }
        const std::string reply = CO_TRY(co_await talk.line());
        const bool is_good = reply.starts_with("+OK");
        if (line.starts_with("RETR") && is_good) {
            person->broken("P4", "a message that was expunged is given: " + reply);
        } else if (!is_good) {
            co_return temporary_error(ErrorCode::Denied, reply);
        }
    }
    co_await talk.close();
    co_return Result<>();
}

// Goes on with what was begun. True when it came to its end.
net::Task<bool> go_on(Person* person, std::string call) {
    for (unsigned i = 0; i < kStepsMax; ++i) {
        const std::string answer = answer_to(person, call, "");
        if (!answer.starts_with(R"({"ok":true)")) {
            co_return false;
        }
        if (answer.contains(R"("done":true)")) {
            co_return true;
        }
        co_await net::sleep_for(seconds(1));
    }
    person->broken("L3", call + " makes no way");
    co_return false;
}

net::Task<void> restore(Person* person, std::string guest) {
    if (!order_call(person, "restore.begin",
                    folder_argument() + R"(,"account":")" + guest + "\"")) {
        co_return;
    }
    if (co_await go_on(person, "restore.step")) {
        person->world().count("restores");
    }
}

}  // namespace

bool order_call(Person* person, const std::string& call, const std::string& arguments) {
    const bool is_done = answer_to(person, call, arguments).starts_with(R"({"ok":true)");
    if (is_done) {
        person->world().count("orders");
        person->note("orders " + call);
    }
    return is_done;
}

net::Task<void> insist_on(Person* person, std::string call, std::string arguments) {
    for (;;) {
        const std::string answer = answer_to(person, call, arguments);
        if (answer.starts_with(R"({"ok":true)") || answer.contains(R"("code":"not_found")") ||
            answer.contains(R"("code":"already_exists")")) {
            person->note("has ordered " + call);
            co_return;
        }
        co_await net::sleep_for(minutes(5));
    }
}

net::Task<void> take_backup(Person* person) {
    if (!order_call(person, "backup.begin", folder_argument() + R"(,"keep":"2")")) {
        co_return;
    }
    if (co_await go_on(person, "backup.step")) {
        person->world().count("backups");
    }
    // Also when it did not come to its end: the one before it is whole then.
    for (const std::string& wrong : person->node().verify_backup()) {
        person->broken("backup", person->node().domain() + ": " + wrong);
    }
}

net::Task<void> have_guest(Person* person, Dice* dice) {
    World& world = person->world();
    const std::string guest = "guest@" + person->node().domain();
    const std::string address = R"("address":")" + guest + "\"";
    co_await insist_on(person, "account.add", address + R"(,"password":"guest")");
    world.count("guests");
    const std::uint64_t letters = dice->below(4);
    for (std::uint64_t i = 0; i < letters; ++i) {
        std::string text = "From: desk@sim.test\r\nSubject: for a guest\r\n\r\nWelcome.\r\n";
        text += std::string(dice->below(6000), 'x') + "\r\n";
        if (!co_await bring(person, guest, std::move(text))) {
            person->note("could not bring a letter for a guest");
        }
    }
    if (letters > 0 && dice->chance(0.2) && !co_await multiply(person, guest)) {
        person->note("could not multiply a guest's mail");
    }
    if (letters > 0 && dice->chance(0.3) && !co_await race(person, guest)) {
        person->note("a guest's sessions were not all answered");
    }
    co_await net::sleep_for(dice->about(minutes(20)));
    if (dice->chance(0.5)) {
        co_await take_backup(person);
        if (dice->chance(0.5)) {
            co_await insist_on(person, "account.remove", address);
        }
        co_await restore(person, guest);
    }
    co_await insist_on(person, "account.remove", address);
}

}  // namespace godwit::sim
