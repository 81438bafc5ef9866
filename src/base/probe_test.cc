#include "base/probe.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace godwit {
namespace {

std::map<std::string, int, std::less<>> passed;

void note(const Place& place) {
    ++passed[std::string(place.name())];
}

void take_the_rare_path(bool is_rare) {
    if (is_rare) {
        probe<"probe_test.rare">();
    }
    crash_point<"probe_test.moment">();
}

TEST(Probe, Places_are_listed_before_anybody_passes_them) {
    std::map<std::string, PlaceKind, std::less<>> known;
    for (const Place* place = Place::first(); place != nullptr; place = place->next()) {
        known.emplace(place->name(), place->kind());
    }
    ASSERT_TRUE(known.contains("probe_test.rare"));
    EXPECT_EQ(known["probe_test.rare"], PlaceKind::Probe);
    EXPECT_EQ(known["probe_test.moment"], PlaceKind::CrashPoint);
}

TEST(Probe, Only_a_watch_sees_who_passes) {
    take_the_rare_path(true);
    EXPECT_TRUE(passed.empty());
    watch_places(note);
    take_the_rare_path(true);
    take_the_rare_path(false);
    watch_places(nullptr);
    take_the_rare_path(true);
    EXPECT_EQ(passed["probe_test.rare"], 1);
    EXPECT_EQ(passed["probe_test.moment"], 2);
}

}  // namespace
}  // namespace godwit
