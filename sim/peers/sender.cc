#include "sim/peers/sender.h"

#include <algorithm>

#include "sim/internet.h"
#include "sim/node.h"
#include "sim/peers/letters.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr unsigned kTriesMax = 5;

bool is_all_done(const std::vector<bool>& done) {
    return std::ranges::find(done, false) == done.end();
}

}  // namespace

Sender::Sender(World* world, SenderOptions options)
    : world_(world), options_(std::move(options)), dice_(world->dice(options_.name)) {}

net::Task<void> Sender::live() {
    const std::vector<std::unique_ptr<Node>>& nodes = world_->nodes();
    while (!world_->is_ending()) {
        co_await net::sleep_for(dice_.about(2 * world_->swarm().think));
        if (world_->is_ending()) {
            break;
        }
        is_busy_ = true;
        Node* const node = nodes[dice_.below(nodes.size())].get();
        std::vector<Draft> drafts;
        const std::size_t count = 1 + (dice_.chance(0.3) ? dice_.below(3) : 0);
        for (std::size_t i = 0; i < count; ++i) {
            drafts.push_back(draft(node));
        }
        for (unsigned turn = 0; turn < kTriesMax; ++turn) {
            co_await deliver(node, &drafts);
            std::vector<bool> done;
            for (const Draft& one : drafts) {
                done.push_back(one.is_done);
            }
            if (is_all_done(done) || world_->is_ending()) {
                break;
            }
            co_await net::sleep_for(dice_.between(seconds(30), hours(1)));
        }
        is_busy_ = false;
    }
}

std::vector<std::string> Sender::choose_recipients(Node* node) {
    std::vector<std::string> known;
    for (const NodeAccount& account : node->accounts()) {
        known.push_back(account.name);
    }
    for (const auto& [alias, targets] : node->aliases()) {
        known.push_back(alias.find('@') == std::string::npos ? alias + "@" + node->domain()
                                                             : alias);
    }
    std::vector<std::string> chosen;
    const std::size_t count = 1 + (dice_.chance(0.3) ? dice_.below(4) : 0);
    for (std::size_t i = 0; i < count; ++i) {
        std::string one = dice_.chance(0.06)
                              ? "nobody" + std::to_string(dice_.below(9)) + "@" + node->domain()
                              : dice_.pick(known);
        if (std::ranges::find(chosen, one) == chosen.end()) {
            chosen.push_back(std::move(one));
        }
    }
    return chosen;
}

Sender::Draft Sender::draft(Node* node) {
    Draft draft;
    draft.handing.recipients = choose_recipients(node);
    const std::string sender = dice_.chance(0.1) ? "" : dice_.pick(options_.users);
    draft.handing.letter = write_letter({.token = world_->ledger().new_token(),
                                         .sender = sender,
                                         .to = draft.handing.recipients.front(),
                                         .at = world_->wall()},
                                        &dice_);
    if (dice_.chance(0.02)) {
        // SMTP-BEHAVIOUR.md A2: no reader and no hop would see the same in it.
        draft.handing.is_dirty = true;
        draft.handing.letter.text += "bare\rcr\r\n";
    }
    return draft;
}

// One connection for all that is left.
net::Task<void> Sender::deliver(Node* node, std::vector<Draft>* drafts) {
    net::Network& network = world_->internet().from(0, options_.address);
    net::ConnectRequest request;
    request.to = node->door(flow::Protocol::Smtp);
    request.deadline = world_->now() + minutes(1);
    Result<std::unique_ptr<net::Stream>> stream = co_await network.connect(std::move(request));
    if (!stream) {
        co_return;
    }
    Transmission session(world_, std::move(*stream), options_.domain, Dice(dice_.u64()));
    if (!co_await session.open()) {
        co_return;
    }
    for (Draft& draft : *drafts) {
        if (draft.is_done || !session.is_open()) {
            continue;
        }
        if (!draft.is_written) {
            draft.is_written = true;
            world_->ledger().wrote(draft.handing.letter);
        }
        Handing handing = draft.handing;
        const Handed handed = co_await session.hand(std::move(handing));
        record(*node, &draft, handed);
    }
    co_await session.close();
}

void Sender::record(const Node& node, Draft* draft, const Handed& handed) {
    const Letter& letter = draft->handing.letter;
    std::vector<std::string> left;
    for (const Told told : {Told::Accepted, Told::Refused, Told::Unknown}) {
        std::vector<Asked> asked;
        for (std::size_t i = 0; i < handed.told.size(); ++i) {
            if (handed.told[i] != told) {
                continue;
            }
            const bool forbids_report = letter.sender.empty() || handed.wants_no_report;
            const std::string& recipient = draft->handing.recipients[i];
            asked.push_back({.recipient = recipient,
                             .wants_failure_report = !forbids_report,
                             .forbids_failure_report = forbids_report});
            // Unknown: sent again by some and not by others (window W2 of RELIABILITY.md 1).
            if (told == Told::Refused ? handed.is_put_off || dice_.chance(0.3)
                                      : told == Told::Unknown && dice_.chance(0.5)) {
                left.push_back(recipient);
            }
        }
        if (asked.empty()) {
            continue;
        }
        const char* const said = told == Told::Accepted  ? "accepted"
                                 : told == Told::Refused ? "refused"
                                                         : "unknown";
        world_->trace().note(options_.name, letter.token + " to " + node.domain() + ": " + said +
                                                " for " + std::to_string(asked.size()));
        world_->count(std::string("letters from abroad: ") + said);
        world_->ledger().handed_over(letter.token, node.domain(), asked, told);
    }
    draft->handing.recipients = std::move(left);
    draft->is_done = draft->handing.recipients.empty();
}

}  // namespace godwit::sim
