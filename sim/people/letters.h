// Letters and whom they are for.
#pragma once

#include <string>
#include <vector>

#include "sim/ledger.h"
#include "sim/people/person.h"

namespace godwit::sim {

/// A letter of one person, whole, with every field that a submission server would add: what is
/// below the trace lines must come through untouched.
Letter compose(Person& person, Dice& dice, const std::vector<std::string>& recipients,
               bool is_8bit);

/// One to five addresses: of people, aliases and nobodies here, at other nodes and at peers.
std::vector<std::string> choose_recipients(Person& person, Dice& dice);

}  // namespace godwit::sim
