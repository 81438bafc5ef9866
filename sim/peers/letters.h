// Letters as people abroad write them: many small, few large, with all that makes the content of a
// message hard to carry.
#pragma once

#include <string>

#include "sim/dice.h"
#include "sim/ledger.h"

namespace godwit::sim {

struct LetterOptions {
    std::string token;
    std::string sender;  ///< "" for <>.
    std::string to;      ///< For its To field.
    WallTime at{};
};

/// A message with `token` in its Message-ID and Subject; CRLF lines.
Letter write_letter(const LetterOptions& options, Dice* dice);

}  // namespace godwit::sim
