// What a peer says: the reply, and the shape it takes on the wire.
// RFC 5321 4.2; SMTP-BEHAVIOUR.md B3, C2, C7, E11-E13.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/dice.h"

namespace godwit::sim {

struct Answer {
    unsigned code = 250;
    std::string status{};  ///< "2.1.0"; "" says none.
    std::string text{};
    std::vector<std::string> lines{};  ///< Behind the first: EHLO's keywords.
};

enum class Shape : std::uint8_t {
    Plain,
    NoText,       ///< "250" and nothing behind it, not even a blank.
    ManyLines,    ///< Says in four lines what fits one.
    LfOnly,       ///< Lines end with LF (C7).
    EightBit,     ///< Octets above 127, and not UTF-8 (E13).
    LongLine,     ///< As long as we take a line, or nearly.
    LongReply,    ///< As many lines as we take.
    TooLongLine,  ///< Longer than we take.
    TooLongReply,
};

/// One of the odd ones: all of them are to be understood.
Shape odd_shape(Dice& dice);
/// One of the long ones; half of them are over our limits.
Shape long_shape(Dice& dice);

/// As octets. EHLO's keywords are kept in every shape.
std::string written(const Answer& answer, Shape shape);

}  // namespace godwit::sim
