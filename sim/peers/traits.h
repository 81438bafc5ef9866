// How a remote mail system stands in the world's names, what its servers offer, and what goes wrong
// with them. Drawn once for each peer; how often a trait shows is thrown anew for each act.
// Law: RELIABILITY.md 4 (remote MTAs with personalities), SMTP-BEHAVIOUR.md B-F, H.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>

#include "sim/dice.h"

namespace godwit::sim {

enum class Trait : std::uint8_t {
    // How its names stand.
    NullMx,       ///< RFC 7505: takes no mail, for good.
    NoMx,         ///< The domain itself is the host (RFC 5321 5.1).
    AliasMx,      ///< The MX is a CNAME (F3).
    SixOnly,      ///< Hosts with AAAA alone (F7).
    EqualMx,      ///< Three hosts of one preference.
    ManyMx,       ///< Six hosts, few of them alive (F9).
    LastMxAlive,  ///< The least preferred host alone answers.
    // How its servers answer.
    RefusesAll,     ///< 550 to every recipient, for good, in calm times too.
    HelloOnly,      ///< No EHLO (C5).
    Tarpit,         ///< Seconds to minutes before each reply (C1).
    Greylist,       ///< H1.
    TakesAndDrops,  ///< Has the message, and hangs up instead of saying 250 (E4).
    DropsUntaken,   ///< Hangs up at the dot and keeps nothing (E6).
    RefusesForNow,  ///< 4xx at some stage.
    RefusesForGood,
    FewRecipients,   ///< 452 after a few (B6).
    OddReplies,      ///< Legal, but seldom seen.
    LongReplies,     ///< Up to our limits, and over them (B3).
    Nonsense,        ///< Codes that cannot be (E11).
    DropsPipelined,  ///< Offers PIPELINING and drops what comes behind a command (E14).
    SmallSize,       ///< Offers a SIZE smaller than what it would take.
    BreaksTls,       ///< C11.
    RefusesChunks,   ///< Offers CHUNKING and does not know BDAT.
    SlowReader,
    Dead,         ///< All hosts are down for hours or days.
    LateReplies,  ///< The 250 comes when nobody waits any more.
    HangsUp,      ///< 421, an end or a reset in mid-session (E8).
    ClosesIdle,   ///< Ends the session soon after a message (E16).
    Garbage,      ///< Something else stands before the greeting, or it never comes.
    OverQuota,    ///< A user is full for some hours (H5).
    kCount,
};
inline constexpr std::size_t kTraits = static_cast<std::size_t>(Trait::kCount);

enum class Offer : std::uint8_t {
    Size,
    Pipelining,
    EightBitMime,
    SmtpUtf8,
    Dsn,
    Chunking,
    StartTls,
    EnhancedStatus,
    kCount,
};
using Offers = std::bitset<static_cast<std::size_t>(Offer::kCount)>;
constexpr std::size_t index_of(Offer offer) {
    return static_cast<std::size_t>(offer);
}

std::string_view name_of(Trait trait);
/// As EHLO says it.
std::string_view keyword_of(Offer offer);

struct Traits {
    std::bitset<kTraits> set;
    Offers offers;                  ///< What it truly can.
    std::uint64_t size_max = 0;     ///< Octets; 0: says SIZE without a number.
    std::uint64_t small_size = 0;   ///< What SmallSize says instead.
    unsigned recipients_max = 100;  ///< FewRecipients: in one transaction.

    [[nodiscard]] bool has(Trait trait) const { return set[static_cast<std::size_t>(trait)]; }
    [[nodiscard]] bool has(Offer offer) const { return offers[index_of(offer)]; }

    /// Each trait by `chance`. `may_refuse_all`: else the traits that never end are left out.
    static Traits draw(Dice& dice, double chance, bool may_refuse_all);
    /// "helo-only tarpit SIZE DSN ...": for the trace.
    [[nodiscard]] std::string describe() const;
};

}  // namespace godwit::sim
