#include "sim/audit.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/limits.h"
#include "mail/message/header.h"
#include "mail/message/parser.h"
#include "mail/text/parameter.h"
#include "sim/ledger.h"
#include "sim/node.h"
#include "sim/peers/content.h"
#include "sim/peers/encoding.h"
#include "sim/peers/peer.h"
#include "sim/people/person.h"
#include "sim/reckoning.h"
#include "sim/world.h"
#include "store/directory/directory.h"
#include "store/mailbox/mailbox.h"
#include "store/queue/queue.h"

namespace godwit::sim {

namespace {

constexpr auto kDisk = store::ReadTier::Disk;
// A lifetime below this may end before a fault does.
constexpr Duration kShortLifetime = std::chrono::days(1);

// "rfc822; ann@node1.test" without its type. RFC 3464 2.3.2.
std::string typed_value(std::string_view field) {
    const std::size_t semicolon = field.find(';');
    return std::string(
        trim(semicolon == std::string_view::npos ? field : field.substr(semicolon + 1)));
}

// RFC 3464 2.1: the first group of fields is of the message, each other of a recipient.
std::vector<Report::Part> read_status(std::string_view status) {
    std::vector<Report::Part> parts;
    while (!status.empty()) {
        const mail::HeaderIndex group = mail::split_header(status);
        const auto recipient = group.value(status, "Final-Recipient");
        const auto action = group.value(status, "Action");
        if (recipient && action) {
            parts.push_back({.action = to_lower(*action), .recipient = typed_value(*recipient)});
        }
        if (group.size == 0) {
            break;
        }
        status.remove_prefix(std::min(group.size, status.size()));
    }
    return parts;
}

Result<std::string> read_whole(store::Store& store, const store::MessageRecord& record) {
    const std::string body = TRY(store.blobs().read(record.blob, 0, record.blob_size, kDisk));
    if (body.size() != record.blob_size) {
        return internal_error(ErrorCode::Corrupt, "a body is shorter than its record says");
    }
    return record.prefix + body;
}

// A node that was told with HELO only that mail is for it may have been given seven bits (C5).
bool is_reencoded(const std::string& text, const std::string& sent) {
    const std::optional<std::string> came = decoded(without_trace(text));
    return !facts_of(text).has_eight_bit && came && came == decoded(sent);
}

Held held_of(World& world, const std::string& text) {
    Held held;
    held.report = read_report(text);
    if (!held.report) {
        held.token = find_token(text);
        held.hash = message_hash(text);
        held.hops = hops_of(text);
        const Ledger::Row* row = world.ledger().find(held.token);
        if (row != nullptr && held.hops.size() > 1 && held.hash != message_hash(row->letter.text) &&
            is_reencoded(text, row->letter.text)) {
            world.count("nodes: re-encoded");
            held.hash = message_hash(row->letter.text);
        }
    }
    return held;
}

Result<> read_mailbox(World& world, Node& node, const store::Account& account,
                      const store::MailboxState& mailbox, std::vector<Held>* all) {
    const auto snapshot = node.store().snapshot();
    Uid from(1);
    for (;;) {
        const auto rows = TRY(store::read_rows(*snapshot, kDisk, account.id, mailbox.id, from,
                                               limits::scan_rows_max));
        for (const store::MessageRow& row : rows) {
            const auto record = TRY(store::read_record(*snapshot, kDisk, account.id, row.email));
            if (!record) {
                return internal_error(ErrorCode::Corrupt,
                                      "message " + std::to_string(row.uid.value()) + " of " +
                                          account.name + " " + mailbox.name + " has no record");
            }
            Held held = held_of(world, TRY(read_whole(node.store(), *record)));
            held.node = node.domain();
            held.account = address_key(account.name);
            held.mailbox = mailbox.name;
            all->push_back(std::move(held));
        }
        if (rows.size() < limits::scan_rows_max) {
            return {};
        }
        from = Uid(rows.back().uid.value() + 1);
    }
}

Result<> read_node(World& world, Node& node, std::vector<Held>* all) {
    const auto snapshot = node.store().snapshot();
    for (const store::Account& account : TRY(store::list_accounts(*snapshot, kDisk))) {
        for (const store::MailboxState& mailbox :
             TRY(store::list_mailboxes(*snapshot, kDisk, account.id))) {
            if (mailbox.is_selectable) {
                TRY(read_mailbox(world, node, account, mailbox, all));
            }
        }
    }
    return {};
}

std::string describe(const store::QueueMessage& message, const store::QueueDelivery& delivery,
                     const store::QueueRecipient& recipient) {
    return to_string(message.mail) + " from <" + message.sender + "> to <" + recipient.address +
           ">, " + std::to_string(delivery.attempts) + " attempts, last: " + recipient.last_reply;
}

// What is left in the queue must be there by order; I11, I14, L1.
Result<> look_at_queue(World& world, Node& node, Evidence* evidence) {
    const auto snapshot = node.store().snapshot();
    MailId after;
    for (;;) {
        const auto messages =
            TRY(store::list_queue(*snapshot, kDisk, after, limits::scan_rows_max));
        for (const store::QueueMessage& message : messages) {
            after = message.mail;
            const std::string text =
                TRY(node.store().blobs().read(message.blob, 0, message.blob_size, kDisk));
            const std::string token = find_token(text);
            for (const store::QueueDelivery& delivery :
                 TRY(store::read_deliveries(*snapshot, kDisk, message.mail))) {
                for (const store::QueueRecipient& recipient : delivery.recipients) {
                    if (recipient.state != store::RecipientState::Waiting) {
                        continue;
                    }
                    const std::string what = describe(message, delivery, recipient);
                    if (!delivery.is_held) {
                        world.ledger().broken(
                            "L1", node.domain() + " still has " + token + " in its queue: " + what);
                    }
                    evidence->on_hold.emplace(token, address_key(recipient.address));
                }
            }
        }
        if (messages.size() < limits::scan_rows_max) {
            return {};
        }
    }
}

// May every attempt fail until a letter's time is over, and nobody is to blame?
bool is_rough(const Swarm& swarm) {
    const bool is_down_for_long =
        (swarm.crash_every > Duration{} || swarm.crash_at_point > 0 || swarm.commit_fails > 0) &&
        swarm.down_for > std::chrono::minutes(20);
    const double fails = swarm.dns_timeout + swarm.dns_fails + swarm.connect_refused +
                         swarm.connect_hangs + 10 * swarm.reset;
    return swarm.dns_lies > 0 || swarm.dns_outage_every > Duration{} ||
           swarm.clock_jump_every > Duration{} || is_down_for_long || fails > 0.1 ||
           swarm.retry_lifetime < kShortLifetime;
}

Evidence gather(World& world) {
    Evidence evidence;
    for (const auto& node : world.nodes()) {
        Directory directory;
        directory.hostname = node->hostname();
        for (const NodeAccount& account : node->accounts()) {
            directory.accounts.push_back(address_key(account.name));
        }
        for (const auto& [alias, targets] : node->aliases()) {
            directory.aliases[address_key(alias)] = targets;
        }
        evidence.nodes[node->domain()] = std::move(directory);
    }
    const Swarm& swarm = world.swarm();
    // A node that stops does not wait for ever for the answer of one whose disk is slow: W1.
    const bool may_stop_unanswered =
        swarm.orderly_stop_every > Duration{} && swarm.sync_most >= limits::shutdown_grace / 2;
    evidence.may_relays_repeat = may_stop_unanswered || swarm.reset > 0 || swarm.stall > 0 ||
                                 swarm.crash_every > Duration{} || swarm.crash_at_point > 0 ||
                                 swarm.commit_fails > 0 || swarm.file_fails > 0;
    evidence.may_reports_be_lost = is_rough(swarm);
    evidence.may_reports_abroad_be_lost = is_rough(swarm) || swarm.peer_trait > 0;
    evidence.may_bounce = evidence.may_reports_abroad_be_lost;
    for (const auto& peer : world.peers()) {
        evidence.users_abroad.insert(peer->users().begin(), peer->users().end());
    }
    return evidence;
}

void audit_people(World& world) {
    for (const auto& person : world.people()) {
        if (!person->has_converged()) {
            world.ledger().broken("L2", person->account().name +
                                            " has not seen all its mailboxes agree with its "
                                            "memory: " +
                                            person->state());
        }
    }
}

}  // namespace

std::optional<Report> read_report(std::string_view text) {
    const mail::ParsedMessage parsed = mail::parse_message(text);
    const mail::Part& root = parsed.parts.front();
    if (!root.is("multipart", "report")) {
        return std::nullopt;
    }
    Report report;
    report.message_id = parsed.index.value(parsed.header, "Message-ID").value_or("");
    for (const mail::Part& part : parsed.parts) {
        if (part.is("message", "delivery-status") || part.is("message", "global-delivery-status")) {
            report.parts = read_status(text.substr(part.body_offset, part.body_size));
        } else if (part.parent == 0 && report.about.empty() &&
                   (part.is("message", "rfc822") || part.is("message", "global") ||
                    part.is("text", "rfc822-headers") || part.is("message", "global-headers"))) {
            report.about = find_token(text.substr(part.body_offset, part.body_size));
        }
    }
    return report;
}

std::vector<Held> read_mailboxes(World& world) {
    std::vector<Held> all;
    for (const auto& node : world.nodes()) {
        const Result<> read = read_node(world, *node, &all);
        if (!read) {
            world.ledger().broken("I19", node->domain() + ": " + read.error().text);
        }
    }
    return all;
}

void audit(World& world) {
    Ledger& ledger = world.ledger();
    Evidence evidence = gather(world);
    for (const auto& node : world.nodes()) {
        if (!node->is_up()) {
            ledger.broken("L4", node->domain() + " is not up at the end");
            return;
        }
        for (const std::string& wrong : node->inspect()) {
            ledger.broken("fsck", node->domain() + ": " + wrong);
        }
        const Result<> looked = look_at_queue(world, *node, &evidence);
        if (!looked) {
            ledger.broken("I1",
                          node->domain() + ": its queue cannot be read: " + looked.error().text);
        }
    }
    audit_people(world);
    evidence.held = read_mailboxes(world);
    for (const Held& held : evidence.held) {
        if (!held.report || held.mailbox != "INBOX") {
            continue;
        }
        for (const Report::Part& part : held.report->parts) {
            ledger.reported(held.report->about, part.recipient, held.account, part.action,
                            held.report->message_id);
        }
    }
    for (const std::string& finding : reckon(ledger, evidence)) {
        const std::size_t colon = finding.find(": ");
        ledger.broken(finding.substr(0, colon), finding.substr(colon + 2));
    }
    world.count("messages held at the end", evidence.held.size());
}

}  // namespace godwit::sim
