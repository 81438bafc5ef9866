#include "app/crash_at.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string>

#include "base/ascii.h"

namespace godwit::app {
namespace {

struct Armed {
    const Place* place = nullptr;
    std::atomic<std::uint32_t> left = 0;
};
// Written before threads start, and never removed: the watch has no owner.
std::array<Armed, kCrashOrdersMax> armed;
std::size_t armed_count = 0;

// SIGKILL: no destructor, no exit handler and no buffer has a last word.
void end_here(const Place& place) {
    std::string line("crash_at: ");
    line.append(place.name()).append("\n");
    // Nobody may listen; the end comes all the same.
    (void)::write(STDERR_FILENO, line.data(), line.size());
    ::kill(::getpid(), SIGKILL);
    for (;;) {
        ::pause();
    }
}

void watch(const Place& place) {
    for (std::size_t i = 0; i < armed_count; ++i) {
        if (armed[i].place == &place && armed[i].left.fetch_sub(1) == 1) {
            end_here(place);
        }
    }
}

std::vector<const Place*> crash_points() {
    std::vector<const Place*> found;
    for (const Place* place = Place::first(); place != nullptr; place = place->next()) {
        if (place->kind() == PlaceKind::CrashPoint) {
            found.push_back(place);
        }
    }
    std::ranges::sort(found, {}, &Place::name);
    return found;
}

Result<CrashOrder> parse_order(std::string_view text) {
    const std::size_t colon = text.find(':');
    const std::string_view name = text.substr(0, colon);
    CrashOrder order;
    for (const Place* place : crash_points()) {
        if (place->name() == name) {
            order.place = place;
        }
    }
    if (order.place == nullptr) {
        return peer_error(ErrorCode::NotFound, "GODWIT_CRASH_AT: there is no crash point '" +
                                                   std::string(name) +
                                                   "'; GODWIT_CRASH_AT=list names all");
    }
    if (colon != std::string_view::npos) {
        const auto number = parse_u32(text.substr(colon + 1));
        if (!number || *number == 0) {
            return peer_error(ErrorCode::Invalid,
                              "GODWIT_CRASH_AT: expected a number from 1 behind '" +
                                  std::string(name) + ":', found '" +
                                  std::string(text.substr(colon + 1)) + "'");
        }
        order.passing = *number;
    }
    return order;
}

}  // namespace

Result<std::vector<CrashOrder>> parse_crash_orders(std::string_view text) {
    std::vector<CrashOrder> orders;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        orders.push_back(TRY(parse_order(text.substr(at, comma - at))));
        at = comma + 1;
    }
    if (orders.size() > kCrashOrdersMax) {
        return peer_error(
            ErrorCode::LimitExceeded,
            "GODWIT_CRASH_AT: more than " + std::to_string(kCrashOrdersMax) + " crash points");
    }
    return orders;
}

std::optional<int> obey_crash_order(std::string_view text, const Console& console) {
    if (text == "list") {
        for (const Place* place : crash_points()) {
            console.out(std::string(place->name()) + "\n");
        }
        return kExitDone;
    }
    const auto orders = parse_crash_orders(text);
    if (!orders) {
        console.err(orders.error().text + "\n");
        return kExitUsage;
    }
    for (const CrashOrder& order : *orders) {
        armed[armed_count].place = order.place;
        armed[armed_count].left.store(order.passing);
        ++armed_count;
    }
    watch_places(watch);
    return std::nullopt;
}

}  // namespace godwit::app
