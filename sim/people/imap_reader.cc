#include "sim/people/imap_reader.h"

#include <algorithm>

#include "base/ascii.h"
#include "sim/audit.h"
#include "sim/people/imap_acts.h"
#include "sim/people/pop3_reader.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

constexpr Duration kPatience = std::chrono::minutes(20);

class Reader {
public:
    explicit Reader(Person* person)
        : person_(person), dice_(person->world().dice(person->account().name + ".imap")) {}

    net::Task<void> live() {
        World& world = person_->world();
        while (!person_->memory().has_compared) {
            const Duration think = world.swarm().think;
            co_await net::sleep_for(world.is_ending() ? Duration(std::chrono::minutes(1))
                                                      : dice_.about(think));
            const Result<> lived = co_await session();
            if (!lived) {
                world.count("imap sessions broken");
                person_->note("imap session ended: " + lived.error().text);
            }
            if (person_->memory().unsettled) {
                co_await person_->let_settle(*person_->memory().unsettled);
                person_->memory().unsettled.reset();
            }
        }
    }

private:
    net::Task<Result<>> session() {
        Person::Memory& memory = person_->memory();
        const bool is_last = person_->world().is_ending();
        person_->world().count("imap sessions");
        ImapClient client(person_, "main session");
        memory.doing = "logging in";
        CO_TRY(co_await client.open(person_->choose_reach(dice_), choose_patience(is_last)));
        ImapActs acts(person_, &client, &dice_);
        CO_TRY(co_await acts.catch_up());
        if (is_last) {
            CO_TRY(co_await acts.look_at_all());
            memory.has_compared = true;
            person_->note("all mailboxes agree");
            co_await client.log_out();
            co_return Result<>();
        }
        if (dice_.chance(0.1)) {
            CO_TRY(co_await glance_by_pop3(person_, &dice_));
        }
        for (std::uint64_t left = 1 + dice_.below(12); left > 0; --left) {
            CO_TRY(co_await acts.act());
            co_await net::sleep_for(dice_.about(std::chrono::seconds(20)));
            if (person_->world().is_ending()) {
                break;
            }
        }
        if (dice_.chance(0.6)) {
            co_await client.log_out();
        } else {
            client.abort();
        }
        co_return Result<>();
    }

    Duration choose_patience(bool is_last) {
        return !is_last && dice_.chance(0.1)
                   ? dice_.between(std::chrono::milliseconds(300), std::chrono::seconds(20))
                   : kPatience;
    }

    Person* person_;
    Dice dice_;
};

// Sees what the other session does, by sequence numbers.
class Onlooker {
public:
    explicit Onlooker(Person* person)
        : person_(person), dice_(person->world().dice(person->account().name + ".onlooker")) {}

    net::Task<void> live() {
        World& world = person_->world();
        while (!world.is_ending()) {
            co_await net::sleep_for(dice_.about(4 * world.swarm().think));
            if (world.is_ending()) {
                break;
            }
            const Result<> lived = co_await session();
            world.count(lived ? "imap onlookers" : "imap onlookers broken");
        }
    }

private:
    net::Task<Result<>> session() {
        ImapClient client(person_, "onlooker");
        CO_TRY(co_await client.open(person_->choose_reach(dice_), kPatience));
        const ImapAnswer opened = CO_TRY(co_await client.ask("EXAMINE INBOX"));
        if (!opened.is_ok()) {
            co_return temporary_error(ErrorCode::Denied, opened.text);
        }
        for (std::uint64_t left = 2 + dice_.below(10); left > 0 && !person_->world().is_ending();
             --left) {
            CO_TRY(co_await look(&client));
        }
        co_await client.log_out();
        co_return Result<>();
    }

    net::Task<Result<>> look(ImapClient* client) {
        const double fraction = dice_.fraction();
        const std::size_t known = client->numbers().size();
        if (fraction < 0.4) {
            const Duration time = dice_.between(std::chrono::seconds(5), std::chrono::minutes(25));
            CO_TRY(co_await client->idle(person_->world().now() + time));
        } else if (fraction < 0.6 || known == 0) {
            CO_TRY(co_await client->ask("NOOP"));
            co_await net::sleep_for(dice_.about(std::chrono::seconds(30)));
        } else {
            const std::uint64_t first = 1 + dice_.below(known);
            const bool by_uid = dice_.chance(0.3);
            CO_TRY(co_await client->ask(by_uid
                                            ? std::string("UID FETCH 1:* (FLAGS)")
                                            : "FETCH " + std::to_string(first) + ":* (UID FLAGS)"));
        }
        co_return Result<>();
    }

    Person* person_;
    Dice dice_;
};

}  // namespace

net::Task<void> read_by_imap(Person* person) {
    Reader reader(person);
    co_await reader.live();
}

net::Task<void> look_on(Person* person) {
    Onlooker onlooker(person);
    co_await onlooker.live();
}

}  // namespace godwit::sim
