// A chain of lives on one disk, all drawn from one seed: work until the power goes, look at what is
// left, open it (often interrupted too), compare with the ledger, and go on from there.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "power/disk.h"

namespace godwit::power {

/// What was done and found; sums over chains.
struct Figures {
    std::uint64_t states = 0;  ///< Cuts after which the store was opened and compared.
    std::array<std::uint64_t, kCuts> by_cut{};
    std::array<std::uint64_t, kOps> by_op{};  ///< What the power was cut at.
    std::uint64_t cuts_in_opening = 0;        ///< Recovery that was interrupted.
    std::uint64_t cuts_at_points = 0;         ///< At a named moment of the code.
    std::uint64_t restarts = 0;               ///< Without a cut.
    std::uint64_t faults = 0;                 ///< Operations failed on order.
    std::uint64_t fatal = 0;                  ///< Stores that said they cannot go on.
    std::uint64_t commits = 0;
    std::uint64_t acknowledged = 0;  ///< Plans.
    std::uint64_t operations = 0;    ///< Of the disk.
    std::uint64_t losses = 0;
    std::uint64_t fsck_findings = 0;
    void add(const Figures& other);
};

struct Verdict {
    Figures figures;
    std::vector<std::string> faults;  ///< In words; empty when all held.
};

/// How often this process passed each rare path of the store (base/probe.h).
std::map<std::string, std::uint64_t> probes_passed();

/// Runs the chain of `seed`: about `states` states.
Verdict run_chain(std::uint64_t seed, std::uint64_t states);

/// Runs one script with `fault` from the first operation on: opening, recovery from an earlier cut
/// in the middle of a commit (Past::Cut), `groups` commits. Then heals the disk and opens it
/// twice: as it is, and after a further cut. `was_struck` says whether the fault found an
/// operation.
struct FaultRun {
    Verdict verdict;
    bool was_struck = false;
};
enum class Past : std::uint8_t { None, Cut };
FaultRun run_with_fault(const Fault& fault, std::uint64_t groups, Past past);

}  // namespace godwit::power
