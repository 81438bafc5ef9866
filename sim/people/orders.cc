#include "sim/people/orders.h"

#include "sim/people/guest.h"
#include "sim/people/memory.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

// A delivery attempt under way may put back a hold that was there when it began.
constexpr Duration kUntilSure = std::chrono::hours(2);
constexpr const char* kAll = R"("all":true)";

// What only looks.
constexpr const char* kLooks[] = {"queue.list", "queue.summary", "status",    "account.list",
                                  "alias.list", "domain.list",   "queue.list"};

// Or until all is calm.
net::Task<void> wait(World* world, Duration time) {
    const MonoTime until = world->now() + time;
    while (world->now() < until && !world->is_calm()) {
        co_await net::sleep_until(std::min(until, world->now() + std::chrono::minutes(30)));
    }
}

net::Task<void> hold_for_a_while(Person* person, Dice* dice) {
    if (!order_call(person, "queue.hold", kAll)) {
        co_return;
    }
    // Some operators forget what they hold, until its time is over.
    const Duration mean = dice->chance(0.15) ? std::chrono::days(1) : std::chrono::hours(2);
    co_await wait(&person->world(), dice->about(mean));
    co_await insist_on(person, "queue.release", kAll);
}

void look(Person* person, Dice* dice) {
    for (const char* call : kLooks) {
        if (dice->chance(0.5)) {
            order_call(person, call, "");
        }
    }
    // What could not be read is no finding of fsck.
    const std::string found = person->node().order(R"({"call":"fsck","arguments":{"quick":true}})");
    if (found.contains(R"("good":false)") && person->world().swarm().read_fails == 0) {
        person->broken("fsck", person->node().domain() + ": " + found);
    }
}

// All that waits, and nobody hears of it again. What it was stands in the ledger first.
void delete_queue(Person* person) {
    Ledger& ledger = person->world().ledger();
    for (const std::string& token : person->node().queued_letters()) {
        ledger.deleted(token);
    }
    order_call(person, "queue.delete", kAll);
}

net::Task<void> act(Person* person, Dice* dice) {
    const double fraction = dice->fraction();
    if (fraction < 0.3) {
        order_call(person, "queue.retry", kAll);
    } else if (fraction < 0.6) {
        co_await hold_for_a_while(person, dice);
    } else if (fraction < 0.75) {
        co_await have_guest(person, dice);
    } else if (fraction < 0.85) {
        look(person, dice);
    } else if (fraction < 0.90) {
        order_call(person, "scrub", "");
    } else if (fraction < 0.93) {
        delete_queue(person);
    } else {
        co_await take_backup(person);
    }
}

}  // namespace

net::Task<void> give_orders(Person* person) {
    World& world = person->world();
    Dice dice = world.dice(person->account().name + ".orders");
    while (!world.is_calm()) {
        co_await wait(&world, dice.about(std::chrono::hours(4)));
        if (world.is_calm()) {
            break;
        }
        co_await act(person, &dice);
    }
    co_await insist_on(person, "queue.release", kAll);
    co_await net::sleep_for(kUntilSure);
    co_await insist_on(person, "queue.release", kAll);
    person->memory().has_released = true;
}

}  // namespace godwit::sim
