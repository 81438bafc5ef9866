// The simulator: lives of worlds by seed. `./dev sim` runs it on all cores and sums up.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/ascii.h"
#include "base/json.h"
#include "base/probe.h"
#include "sim/places.h"
#include "sim/world.h"

namespace {

using namespace godwit;

constexpr const char* kUsage =
    "usage: godwit_sim [--seed FIRST] [--seeds COUNT] [--stride N] [--days DAYS] [--trace] "
    "[--without KIND]...\n"
    "A line of JSON for each world. KIND: crash power disk network dns peers clock.\n";

struct Options {
    std::uint64_t first = 1;
    std::uint64_t count = 1;
    std::uint64_t stride = 1;
    double days = 2;
    bool is_shown = false;
    std::vector<std::string> without;
};

std::optional<Options> parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--trace") {
            options.is_shown = true;
            continue;
        }
        if (i + 1 == argc) {
            return std::nullopt;
        }
        const std::string value = argv[++i];
        const auto number = parse_u64(value);
        if (word == "--without") {
            const auto kinds = sim::Swarm::kinds();
            if (std::ranges::find(kinds, value) == kinds.end()) {
                return std::nullopt;
            }
            options.without.push_back(value);
        } else if (word == "--days") {
            options.days = std::atof(value.c_str());
            if (!(options.days > 0 && options.days <= 366)) {
                return std::nullopt;
            }
        } else if (!number) {
            return std::nullopt;
        } else if (word == "--seed") {
            options.first = *number;
        } else if (word == "--seeds") {
            options.count = *number;
        } else if (word == "--stride" && *number != 0) {
            options.stride = *number;
        } else {
            return std::nullopt;
        }
    }
    return options;
}

void show(std::uint64_t seed, const sim::Verdict& verdict, const sim::Swarm& swarm) {
    JsonWriter json;
    json.begin_object().field("seed", seed).field("hash", verdict.hash);
    json.field("events", verdict.events);
    json.field("hours", static_cast<std::uint64_t>(
                            std::chrono::duration_cast<std::chrono::hours>(verdict.lived).count()));
    json.field("swarm", swarm.describe());
    json.key("findings").begin_array();
    for (const std::string& finding : verdict.findings) {
        json.string(finding);
    }
    json.end_array().key("counts").begin_object();
    for (const auto& [name, count] : verdict.counts) {
        json.field(name, count);
    }
    json.end_object().key("places").begin_object();
    for (const auto& [name, count] : verdict.places) {
        json.field(name, count);
    }
    json.end_object().key("tail").begin_array();
    for (const std::string& line : verdict.tail) {
        json.string(line);
    }
    json.end_array().end_object();
    std::printf("%s\n", std::move(json).take().c_str());
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "--places") == 0) {
        for (const Place* place = Place::first(); place != nullptr; place = place->next()) {
            const bool is_probe = place->kind() == PlaceKind::Probe;
            const std::string word(sim::word_of(sim::standing_of(place->name(), is_probe)));
            std::printf("%s %.*s\n", word.c_str(), static_cast<int>(place->name().size()),
                        place->name().data());
        }
        return 0;
    }
    const auto options = parse(argc, argv);
    if (!options) {
        std::fputs(kUsage, stderr);
        return 2;
    }
    bool is_right = true;
    for (std::uint64_t i = 0; i < options->count; ++i) {
        const std::uint64_t seed = options->first + i * options->stride;
        sim::WorldOptions world_options;
        world_options.seed = seed;
        world_options.faults_for =
            Duration(static_cast<std::int64_t>(options->days * 24 * 3600 * 1e6));
        world_options.is_shown = options->is_shown;
        world_options.without = options->without;
        sim::World world(std::move(world_options));
        const sim::Verdict verdict = world.live();
        is_right = is_right && verdict.findings.empty();
        show(seed, verdict, world.swarm());
    }
    return is_right ? 0 : 1;
}
