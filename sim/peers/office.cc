#include "sim/peers/office.h"

#include <algorithm>

#include "base/ascii.h"
#include "sim/peers/content.h"
#include "sim/peers/encoding.h"
#include "sim/peers/report.h"
#include "sim/world.h"

namespace godwit::sim {

using std::chrono::hours;
using std::chrono::minutes;

Office::Office(World* world, std::string domain, std::vector<std::string> users, Traits traits)
    : world_(world), domain_(std::move(domain)), users_(std::move(users)), traits_(traits) {}

void Office::note(const std::string& what) const {
    world_->trace().note(domain_, what);
}

void Office::complain(const std::string& node, const std::string& what) const {
    world_->ledger().broken("wire", node + " to " + domain_ + ": " + what);
}

bool Office::is_user(const std::string& address) const {
    return equals_ignore_case(address, "postmaster@" + domain_) ||
           std::ranges::any_of(users_, [&address](const std::string& user) {
               return equals_ignore_case(user, address);
           });
}

std::optional<Answer> Office::objection(const Envelope& envelope, const std::string& recipient,
                                        Dice* dice) {
    if (traits_.has(Trait::RefusesAll)) {
        return Answer{550, "5.7.1", "we take no mail from you"};
    }
    if (!is_user(recipient)) {
        return Answer{550, "5.1.1", "no such user here"};
    }
    if (world_->is_calm()) {
        return std::nullopt;
    }
    if (envelope.recipients.size() >= traits_.recipients_max) {
        // RFC 5321 4.5.3.1.10; some say 552, as RFC 821 did.
        return Answer{dice->chance(0.3) ? 552U : 452U, "4.5.3", "too many recipients"};
    }
    if (auto answer = greylisted(envelope, recipient, dice)) {
        return answer;
    }
    return over_quota(recipient, dice);
}

std::optional<Answer> Office::greylisted(const Envelope& envelope, const std::string& recipient,
                                         Dice* dice) {
    if (!traits_.has(Trait::Greylist)) {
        return std::nullopt;
    }
    const std::string key = envelope.node + " " + envelope.sender + " " + recipient;
    const MonoTime now = world_->now();
    const auto [entry, is_new] = welcome_at_.try_emplace(key, now);
    if (is_new) {
        entry->second = now + dice->between(minutes(1), hours(1));
    }
    if (now >= entry->second) {
        return std::nullopt;
    }
    world_->count("peers: greylisted");
    return Answer{451, "4.7.1", "greylisted, try again later"};
}

std::optional<Answer> Office::over_quota(const std::string& recipient, Dice* dice) {
    if (!traits_.has(Trait::OverQuota)) {
        return std::nullopt;
    }
    const MonoTime now = world_->now();
    MonoTime& until = full_until_[recipient];
    if (now >= until && dice->chance(0.1)) {
        until = now + dice->about(hours(3));
        note(recipient + " is over quota");
    }
    if (now >= until) {
        return std::nullopt;
    }
    return Answer{452, "4.2.2", "mailbox is full"};
}

Office::Receipt Office::take(const Envelope& envelope, const std::string& text) {
    Receipt receipt;
    look_at_hops(envelope, text);
    if (envelope.sender.empty() && take_report(envelope, text, &receipt)) {
        return receipt;
    }
    const std::string token = find_token(text);
    if (token.empty()) {
        complain(envelope.node, "a message that nobody wrote");
        return receipt;
    }
    const std::string hash = hash_of(envelope, token, text);
    for (const std::string& recipient : envelope.recipients) {
        note("takes " + token + " for " + recipient + " from " + envelope.node);
        receipt.takings.push_back(world_->ledger().taken_abroad(token, {.peer = domain_,
                                                                        .recipient = recipient,
                                                                        .node = envelope.node,
                                                                        .body_sha256 = hash,
                                                                        .at = world_->now(),
                                                                        .hops = hops_of(text)}));
    }
    world_->count("peers: taken", envelope.recipients.size());
    return receipt;
}

// Whoever takes 7 bits may be given quoted-printable or base64 of what was sent, and nothing else;
// so may what went from node to node, perhaps by HELO (C5).
std::string Office::hash_of(const Envelope& envelope, const std::string& token,
                            const std::string& text) const {
    const Ledger::Row* row = world_->ledger().find(token);
    const bool may_differ = (envelope.is_seven_bit || hops_of(text).size() > 1) && row != nullptr &&
                            !facts_of(text).has_eight_bit;
    if (may_differ) {
        const std::optional<std::string> came = decoded(without_trace(text));
        if (came && came == decoded(row->letter.text)) {
            world_->count("peers: re-encoded");
            return message_hash(row->letter.text);
        }
    }
    return message_hash(text);
}

// A report that comes again is not a second report: its 250 may have been lost, or the node that
// read it have ended before it could remember (W1).
bool Office::take_report(const Envelope& envelope, const std::string& text, Receipt* receipt) {
    const std::optional<Notification> report = read_notification(text);
    if (!report) {
        return false;
    }
    const std::string token = find_token(report->returned);
    if (token.empty() || report->message_id.empty() || report->parts.empty()) {
        complain(envelope.node, "a report that says nothing");
        return true;
    }
    for (const std::string& reader : envelope.recipients) {
        const std::string key = reader + " " + report->message_id;
        receipt->reports.push_back(key);
        const auto [known, is_new] =
            reports_.try_emplace(key, Told{.node = envelope.node, .at = world_->now()});
        if (!is_new) {
            world_->count("peers: reports taken twice");
            const Told& before = known->second;
            if (before.was_read &&
                !world_->ledger().has_crashed(before.node, before.at, before.at + kMemoryTime)) {
                world_->ledger().broken("I8", domain_ + " got the report " + report->message_id +
                                                  " again, though its 250 had been read");
            }
            continue;
        }
        for (const Notification::Part& part : report->parts) {
            note("is told that " + token + " for " + part.recipient + " is " + part.action);
            world_->ledger().reported(token, part.recipient, reader, part.action,
                                      report->message_id);
        }
        world_->count("peers: reports");
    }
    return true;
}

// RELIABILITY.md I10: each hop adds its line, and a loop ends.
void Office::look_at_hops(const Envelope& envelope, const std::string& text) const {
    constexpr std::size_t kHopsMax = 50;
    std::size_t hops = 0;
    const std::size_t end = text.find("\r\n\r\n");
    for (const std::string_view line : split(std::string_view(text).substr(0, end), '\n')) {
        hops += starts_with_ignore_case(line, "Received:") ? 1 : 0;
    }
    // A report of the node's own begins its journey there.
    if ((hops == 0 && !envelope.sender.empty()) || hops > kHopsMax) {
        world_->ledger().broken(
            "I10", envelope.node + " to " + domain_ + ": " + std::to_string(hops) + " hops");
    }
}

void Office::was_read(const Receipt& receipt) {
    for (const std::size_t taking : receipt.takings) {
        world_->ledger().reply_was_read(taking);
    }
    for (const std::string& report : receipt.reports) {
        reports_[report].was_read = true;
    }
}

}  // namespace godwit::sim
