#include "sim/people/letters.h"

#include <algorithm>

#include "base/ascii.h"
#include "mail/text/date.h"
#include "sim/peers/peer.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

// Lines that have hurt mail systems.
const std::vector<std::string>& lines() {
    static const std::vector<std::string> kLines = {
        "Dear friend, the geese are back on the lake.",
        ".",
        "..",
        ".a line that begins with a dot",
        "From here on the road is dry.",
        ">From the other side it is not.",
        "",
        "trailing blanks  \t",
        "\tand a tab in front",
        "QUIT",
        "a1 LOGOUT",
        "-- ",
        "Received: is only a word in here",
        "=3D is not quoted-printable",
    };
    return kLines;
}

// Most letters are small; some ride in segments, few go through a file of their own.
std::size_t choose_size(Dice& dice) {
    const double fraction = dice.fraction();
    if (fraction < 0.75) {
        return 100 + dice.below(2000);
    }
    if (fraction < 0.95) {
        return 4000 + dice.below(16000);
    }
    if (fraction < 0.995) {
        return 20000 + dice.below(80000);
    }
    return 270000 + dice.below(200000);
}

std::string make_body(Dice& dice, bool is_8bit) {
    const std::size_t size = choose_size(dice);
    std::string body;
    while (body.size() < std::min<std::size_t>(size, 4000)) {
        body += dice.pick(lines()) + "\r\n";
        if (is_8bit && dice.chance(0.1)) {
            body += "Die G\xC3\xA4nse sind da.\r\n";
        }
    }
    // The rest of a long one is all one, but for its numbers.
    const std::string filler(60, 'x');
    for (std::size_t number = 0; body.size() < size; ++number) {
        body += std::to_string(number) + " " + filler + "\r\n";
    }
    return body;
}

const std::string& any_account(Dice& dice, const Node& node) {
    return dice.pick(node.accounts()).name;
}

std::string with_detail(Dice& dice, const std::string& address) {
    const std::size_t at = address.find('@');
    return address.substr(0, at) + "+" + (dice.chance(0.5) ? "lists" : "work") + address.substr(at);
}

std::string choose_recipient(Person& person, Dice& dice) {
    World& world = person.world();
    const Node& other = *dice.pick(world.nodes());
    const Node& any = dice.chance(0.5) ? person.node() : other;
    const double fraction = dice.fraction();
    if (fraction < 0.30) {
        return any_account(dice, any);
    }
    if (fraction < 0.37) {
        return with_detail(dice, any_account(dice, any));
    }
    if (fraction < 0.40) {
        std::string shouted = any_account(dice, any);
        std::ranges::transform(shouted, shouted.begin(), [](char c) { return to_upper(c); });
        return shouted;
    }
    if (fraction < 0.55 && !any.aliases().empty()) {
        auto alias = any.aliases().begin();
        std::advance(alias, static_cast<std::ptrdiff_t>(dice.below(any.aliases().size())));
        return alias->first;
    }
    if (fraction < 0.60) {
        return "nobody" + std::to_string(dice.below(100)) + "@" + any.domain();
    }
    if (fraction < 0.62) {
        return "postmaster@" + any.domain();
    }
    if (world.peers().empty()) {
        return any_account(dice, any);
    }
    const Peer& peer = *dice.pick(world.peers());
    return fraction < 0.68 || peer.users().empty() ? peer.nobody() : dice.pick(peer.users());
}

}  // namespace

Letter compose(Person& person, Dice& dice, const std::vector<std::string>& recipients,
               bool is_8bit) {
    World& world = person.world();
    Letter letter;
    letter.token = world.ledger().new_token();
    letter.sender = person.account().name;
    std::string to;
    for (const std::string& recipient : recipients) {
        to += (to.empty() ? "" : ",\r\n ") + recipient;
    }
    std::string& text = letter.text;
    text = "From: " + letter.sender + "\r\nTo: " + to + "\r\nSubject: " + letter.token +
           " a letter\r\nMessage-ID: <" + letter.token +
           "@sim.test>\r\nDate: " + mail::format_date(unix_seconds(world.wall())) +
           "\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n";
    text += is_8bit ? "Content-Transfer-Encoding: 8bit\r\n\r\n" : "\r\n";
    text += make_body(dice, is_8bit);
    return letter;
}

std::vector<std::string> choose_recipients(Person& person, Dice& dice) {
    const std::size_t count = dice.chance(0.6) ? 1 : 2 + dice.below(4);
    std::vector<std::string> recipients;
    while (recipients.size() < count) {
        std::string recipient = choose_recipient(person, dice);
        const bool is_there = std::ranges::any_of(recipients, [&](const std::string& other) {
            return address_key(other) == address_key(recipient);
        });
        if (is_there) {
            break;
        }
        recipients.push_back(std::move(recipient));
    }
    return recipients;
}

}  // namespace godwit::sim
