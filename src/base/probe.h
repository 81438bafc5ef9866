// Named places of the code: rare paths that the tests must have taken (probe), and moments at which
// a crash is worth trying (crash_point). Compiled into every program; a place that nobody watches
// costs one load. Law: RELIABILITY.md 4 and 5. Thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace godwit {

enum class PlaceKind : std::uint8_t { Probe, CrashPoint };

/// One named place. All that are linked in stand in one list before main() begins.
class Place {
public:
    Place(std::string_view name, PlaceKind kind) noexcept;
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    [[nodiscard]] std::string_view name() const { return name_; }
    [[nodiscard]] PlaceKind kind() const { return kind_; }
    /// In no order; null after the last.
    [[nodiscard]] const Place* next() const { return next_; }
    [[nodiscard]] static const Place* first();

private:
    std::string_view name_;  // Of a template argument: it never ends.
    PlaceKind kind_;
    Place* next_ = nullptr;
};

/// Called on the thread that passes a place, while it passes; may end the process. Must not pass a
/// place itself.
using PlaceWatch = void (*)(const Place& place);
/// Null: nobody watches. Set before threads start.
void watch_places(PlaceWatch watch);

namespace detail {
extern std::atomic<PlaceWatch> place_watch;

template <std::size_t Size>
struct PlaceName {
    char text[Size];
    // NOLINTNEXTLINE(google-explicit-constructor): a template argument is written as a literal.
    consteval PlaceName(const char (&from)[Size]) {
        for (std::size_t i = 0; i < Size; ++i) {
            text[i] = from[i];
        }
    }
    [[nodiscard]] constexpr std::string_view view() const { return {text, Size - 1}; }
};

template <PlaceName Name, PlaceKind Kind>
inline Place place{Name.view(), Kind};

template <PlaceName Name, PlaceKind Kind>
inline void pass() {
    if (const PlaceWatch watch = place_watch.load(std::memory_order_relaxed); watch != nullptr) {
        watch(place<Name, Kind>);
    }
}
}  // namespace detail

/// probe<"outbound.reply_lost">(): this rare path was taken. The simulator shows how often.
template <detail::PlaceName Name>
inline void probe() {
    detail::pass<Name, PlaceKind::Probe>();
}

/// crash_point<"commit.before_keys">(): the simulator and the crash loop end the server here.
template <detail::PlaceName Name>
inline void crash_point() {
    detail::pass<Name, PlaceKind::CrashPoint>();
}

}  // namespace godwit
