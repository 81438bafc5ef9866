// What all sessions of one peer share: who lives there, what was seen before, what was taken; and
// the account of it to the ledger.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/dice.h"
#include "sim/peers/answer.h"
#include "sim/peers/census.h"
#include "sim/peers/traits.h"

namespace godwit::sim {

class World;

class Office {
public:
    Office(World* world, std::string domain, std::vector<std::string> users, Traits traits);

    struct Envelope {
        std::string node;    ///< Who brings it: its EHLO name.
        std::string sender;  ///< "" for <>.
        std::vector<std::string> recipients;
        bool is_seven_bit = false;  ///< 8BITMIME was not offered: it may be re-encoded (I9).
    };
    /// What of the ledger's is still waiting for the word that our 250 was read.
    struct Receipt {
        std::vector<std::size_t> takings;
        std::vector<std::string> reports;
    };

    /// Why this recipient is not taken (now); nullopt: it is.
    std::optional<Answer> objection(const Envelope& envelope, const std::string& recipient,
                                    Dice* dice);
    /// The message is in the recipients' mailboxes from here on.
    Receipt take(const Envelope& envelope, const std::string& text);
    void was_read(const Receipt& receipt);

    /// Sessions of one node, by its address.
    [[nodiscard]] Census& census(const std::string& address) { return censuses_[address]; }
    [[nodiscard]] const Traits& traits() const { return traits_; }
    [[nodiscard]] const std::string& domain() const { return domain_; }
    [[nodiscard]] World& world() const { return *world_; }
    void note(const std::string& what) const;
    /// A node broke a rule of the wire.
    void complain(const std::string& node, const std::string& what) const;

private:
    [[nodiscard]] bool is_user(const std::string& address) const;
    std::optional<Answer> greylisted(const Envelope& envelope, const std::string& recipient,
                                     Dice* dice);
    std::optional<Answer> over_quota(const std::string& recipient, Dice* dice);
    [[nodiscard]] std::string hash_of(const Envelope& envelope, const std::string& token,
                                      const std::string& text) const;
    bool take_report(const Envelope& envelope, const std::string& text, Receipt* receipt);
    void look_at_hops(const Envelope& envelope, const std::string& text) const;

    World* world_;
    std::string domain_;
    std::vector<std::string> users_;
    Traits traits_;
    std::map<std::string, Census> censuses_;
    std::map<std::string, MonoTime> welcome_at_;  // Greylisting: by node, sender and recipient.
    std::map<std::string, MonoTime> full_until_;  // By user.
    struct Told {
        std::string node;  // Who brought it first.
        MonoTime at{};
        bool was_read = false;  // Our 250 was.
    };
    std::map<std::string, Told> reports_;  // By reader and Message-ID.
};

}  // namespace godwit::sim
