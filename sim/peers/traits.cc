#include "sim/peers/traits.h"

#include <array>

namespace godwit::sim {

namespace {

struct TraitRow {
    Trait trait;
    std::string_view name;
    double weight;  ///< Times the world's chance.
};
constexpr std::array<TraitRow, kTraits> kRows = {{
    {Trait::NullMx, "null-mx", 0.3},
    {Trait::NoMx, "no-mx", 0.6},
    {Trait::AliasMx, "alias-mx", 0.6},
    {Trait::SixOnly, "six-only", 0.6},
    {Trait::EqualMx, "equal-mx", 0.6},
    {Trait::ManyMx, "many-mx", 0.6},
    {Trait::LastMxAlive, "last-mx-alive", 0.6},
    {Trait::RefusesAll, "refuses-all", 0.5},
    {Trait::HelloOnly, "helo-only", 0.5},
    {Trait::Tarpit, "tarpit", 1},
    {Trait::Greylist, "greylist", 1},
    {Trait::TakesAndDrops, "takes-and-drops", 1},
    {Trait::DropsUntaken, "drops-untaken", 1},
    {Trait::RefusesForNow, "refuses-for-now", 1},
    {Trait::RefusesForGood, "refuses-for-good", 1},
    {Trait::FewRecipients, "few-recipients", 1},
    {Trait::OddReplies, "odd-replies", 1},
    {Trait::LongReplies, "long-replies", 1},
    {Trait::Nonsense, "nonsense", 1},
    {Trait::DropsPipelined, "drops-pipelined", 0.7},
    {Trait::SmallSize, "small-size", 0.7},
    {Trait::BreaksTls, "breaks-tls", 1},
    {Trait::RefusesChunks, "refuses-chunks", 0.7},
    {Trait::SlowReader, "slow-reader", 1},
    {Trait::Dead, "dead", 1},
    {Trait::LateReplies, "late-replies", 1},
    {Trait::HangsUp, "hangs-up", 1},
    {Trait::ClosesIdle, "closes-idle", 1},
    {Trait::Garbage, "garbage", 1},
    {Trait::OverQuota, "over-quota", 1},
}};

struct OfferRow {
    Offer offer;
    std::string_view keyword;
    double chance;
};
constexpr std::array<OfferRow, static_cast<std::size_t>(Offer::kCount)> kOffers = {{
    {Offer::Size, "SIZE", 0.8},
    {Offer::Pipelining, "PIPELINING", 0.7},
    {Offer::EightBitMime, "8BITMIME", 0.8},
    {Offer::SmtpUtf8, "SMTPUTF8", 0.5},
    {Offer::Dsn, "DSN", 0.5},
    {Offer::Chunking, "CHUNKING", 0.5},
    {Offer::StartTls, "STARTTLS", 0.5},
    {Offer::EnhancedStatus, "ENHANCEDSTATUSCODES", 0.7},
}};

constexpr bool are_in_order() {
    for (std::size_t i = 0; i < kRows.size(); ++i) {
        if (kRows[i].trait != static_cast<Trait>(i)) {
            return false;
        }
    }
    for (std::size_t i = 0; i < kOffers.size(); ++i) {
        if (kOffers[i].offer != static_cast<Offer>(i)) {
            return false;
        }
    }
    return true;
}
static_assert(are_in_order());

}  // namespace

std::string_view name_of(Trait trait) {
    return kRows[static_cast<std::size_t>(trait)].name;
}
std::string_view keyword_of(Offer offer) {
    return kOffers[index_of(offer)].keyword;
}

Traits Traits::draw(Dice& dice, double chance, bool may_refuse_all) {
    Traits traits;
    for (const TraitRow& row : kRows) {
        // Thrown for all, so that one trait's chance does not change another's luck.
        const bool is_drawn = dice.chance(chance * row.weight);
        const bool is_endless = row.trait == Trait::NullMx || row.trait == Trait::RefusesAll;
        traits.set[static_cast<std::size_t>(row.trait)] =
            is_drawn && (!is_endless || may_refuse_all);
    }
    for (const OfferRow& row : kOffers) {
        traits.offers[index_of(row.offer)] = dice.chance(row.chance);
    }
    // What a trait lies about must be offered.
    const auto needs = [&traits](Trait trait, Offer offer) {
        if (traits.has(trait)) {
            traits.offers[index_of(offer)] = true;
        }
    };
    needs(Trait::DropsPipelined, Offer::Pipelining);
    needs(Trait::SmallSize, Offer::Size);
    needs(Trait::BreaksTls, Offer::StartTls);
    needs(Trait::RefusesChunks, Offer::Chunking);
    // RFC 6531 3.6: SMTPUTF8 needs 8BITMIME.
    if (traits.has(Offer::SmtpUtf8)) {
        traits.offers[index_of(Offer::EightBitMime)] = true;
    }
    traits.size_max = dice.chance(0.2) ? 0 : 50'000'000;
    traits.small_size = 500 + dice.below(4000);
    traits.recipients_max =
        traits.has(Trait::FewRecipients) ? 1 + static_cast<unsigned>(dice.below(3)) : 100;
    return traits;
}

std::string Traits::describe() const {
    std::string text;
    const auto add = [&text](std::string_view word) {
        text.append(text.empty() ? "" : " ").append(word);
    };
    for (const TraitRow& row : kRows) {
        if (has(row.trait)) {
            add(row.name);
        }
    }
    for (const OfferRow& row : kOffers) {
        if (has(row.offer)) {
            add(row.keyword);
        }
    }
    return text;
}

}  // namespace godwit::sim
