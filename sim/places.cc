#include "sim/places.h"

#include <algorithm>
#include <iterator>

namespace godwit::sim {

namespace {

struct Row {
    std::string_view place;
    Standing standing;
};

// What is not named here stands as its kind says.
constexpr Row kRows[] = {
    // Ten thousand messages in one life of a process (limits::mail_id_block).
    {"store.ids_reserved", Standing::OutOfReach},
    // More deliveries waiting for one site than its window holds (limits::outbound_window_max).
    {"outbound.window_spilled", Standing::OutOfReach},
    // A world's disks lose what was not synced, fail and fill up; what they have they give back as
    // it was (tests/power and the tests of repair have disks that do not).
    {"store.damaged_row", Standing::Forbidden},
    {"store.scrub_found", Standing::Forbidden},
    {"store.segment_counted_again", Standing::Forbidden},
    {"outbound.due_leads_nowhere", Standing::Forbidden},
};

}  // namespace

Standing standing_of(std::string_view place, bool is_probe) {
    const auto* const row = std::ranges::find(kRows, place, &Row::place);
    if (row != std::end(kRows)) {
        return row->standing;
    }
    return is_probe ? Standing::Expected : Standing::Moment;
}

std::string_view word_of(Standing standing) {
    switch (standing) {
        case Standing::Expected: return "probe";
        case Standing::Moment: return "crash";
        case Standing::OutOfReach: return "beyond";
        case Standing::Forbidden: return "damage";
    }
    return "probe";
}

}  // namespace godwit::sim
