#include "sim/people/orders.h"

#include "sim/people/memory.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

// A delivery attempt under way may put back a hold that was there when it began.
constexpr Duration kUntilSure = std::chrono::hours(2);

bool order(Person* person, const std::string& verb) {
    const std::string answer =
        person->node().order(R"({"call":"queue.)" + verb + R"(","arguments":{"all":true}})");
    const bool is_done = answer.starts_with(R"({"ok":true)");
    if (is_done) {
        person->world().count("orders");
        person->note("orders the queue to " + verb);
    }
    return is_done;
}

// Or until all is calm.
net::Task<void> wait(World* world, Duration time) {
    const MonoTime until = world->now() + time;
    while (world->now() < until && !world->is_calm()) {
        co_await net::sleep_until(std::min(until, world->now() + std::chrono::minutes(30)));
    }
}

// By and by, until it was heard.
net::Task<void> insist(Person* person, std::string verb) {
    while (!order(person, verb)) {
        co_await net::sleep_for(std::chrono::minutes(5));
    }
}

}  // namespace

net::Task<void> give_orders(Person* person) {
    World& world = person->world();
    Dice dice = world.dice(person->account().name + ".orders");
    while (!world.is_calm()) {
        co_await wait(&world, dice.about(std::chrono::hours(8)));
        if (world.is_calm()) {
            break;
        }
        if (dice.chance(0.5)) {
            order(person, "retry");
        } else if (order(person, "hold")) {
            // Some operators forget what they hold, until its time is over.
            const Duration mean = dice.chance(0.15) ? std::chrono::days(1) : std::chrono::hours(2);
            co_await wait(&world, dice.about(mean));
            co_await insist(person, "release");
        }
    }
    co_await insist(person, "release");
    co_await net::sleep_for(kUntilSure);
    co_await insist(person, "release");
    person->memory().has_released = true;
}

}  // namespace godwit::sim
