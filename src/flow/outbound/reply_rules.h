// What providers say when they want less mail from us for a while, in their own words: about the
// source as a whole, not about the message in hand. SMTP-BEHAVIOUR.md H3, H4, H6. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string_view>

#include "wire/smtp/reply.h"

namespace godwit::flow {

struct ReplyRule {
    std::string_view words;  ///< Anywhere in the reply, in any case.
    enum class Kind : std::uint8_t {
        Rate,     ///< Too much: a pause, then slowly again (H3).
        Block,    ///< This source is listed somewhere (H4): somebody should look.
        Crowded,  ///< Too many connections at once (H6).
    } kind = Kind::Rate;
    std::chrono::seconds pause{};
    std::string_view reason;  ///< For operators.
};
/// The first that fits counts.
std::span<const ReplyRule> reply_rules();
/// Null: the reply is about its own message. `reply` is 4xx or 5xx.
const ReplyRule* find_rule(const smtp::Reply& reply);

}  // namespace godwit::flow
