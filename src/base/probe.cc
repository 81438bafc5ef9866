#include "base/probe.h"

namespace godwit {

namespace {
// Constant-initialised: places of other files register before this file's own code runs.
constinit Place* first_place = nullptr;
}  // namespace

namespace detail {
constinit std::atomic<PlaceWatch> place_watch{nullptr};
}  // namespace detail

Place::Place(std::string_view name, PlaceKind kind) noexcept
    : name_(name), kind_(kind), next_(first_place) {
    first_place = this;
}

const Place* Place::first() {
    return first_place;
}

void watch_places(PlaceWatch watch) {
    detail::place_watch.store(watch, std::memory_order_relaxed);
}

}  // namespace godwit
