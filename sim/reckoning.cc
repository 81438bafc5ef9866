#include "sim/reckoning.h"

#include <algorithm>
#include <ranges>

namespace godwit::sim {

namespace {

// A node whose commit failed in a way it cannot know the outcome of says 451 and ends this soon.
constexpr Duration kEndTime = std::chrono::seconds(5);
/// Between a reply that was sent and its being read by a peer that is slow.
constexpr Duration kHeardLatest = std::chrono::minutes(1);

// One end of one letter, over all its hand-overs.
struct Account {
    End::Kind kind = End::Kind::Nobody;
    std::string where;
    unsigned required = 0;  // Copies or reports there must be.
    unsigned allowed = 0;   // Copies there may be.
    bool is_direct = true;  // Only the node that accepted it had it in hand.
    bool is_here = true;    // A mailbox of the node that accepted it, always.
    bool wants_report = false;
    bool is_all_wanting = true;
    std::set<std::string> path;               // All addresses on the ways there.
    std::set<std::vector<std::string>> ways;  // Hostnames, the last hop first.
};

class Letterwise {
public:
    Letterwise(const Ledger& ledger, const Evidence& evidence, const Ledger::Row& row)
        : ledger_(ledger), evidence_(evidence), row_(row), token_(row.letter.token) {}

    void count_held(const Held& held) {
        ++copies_[held.account];
        came_.push_back({.where = held.account, .hops = held.hops});
    }

    std::vector<std::string> run() {
        for (const HandOver& hand_over : row_.hand_overs) {
            const std::string& hostname = evidence_.nodes.at(hand_over.node).hostname;
            // W3. Its 451 may be heard when the node is gone already, by a slow peer much later.
            if (hand_over.told != Told::Refused ||
                ledger_.has_crashed(hostname, hand_over.at - kHeardLatest,
                                    hand_over.at + kEndTime)) {
                add(hand_over);
            }
        }
        for (const auto& [account, count] : row_.removals) {
            if (!row_.appends.contains(account)) {
                copies_[account] += count;
            }
        }
        for (const std::size_t number : row_.takings) {
            const Taken& taken = ledger_.takings().at(number);
            ++copies_[taken.recipient];
            if (taken.body_sha256 != message_hash(row_.letter.text)) {
                broken("I9", "changed on its way to " + taken.recipient);
            }
            came_.push_back({.where = taken.recipient, .hops = taken.hops});
        }
        count_reports();
        for (const auto& [where, account] : accounts_) {
            judge(account);
        }
        judge_strays();
        judge_hops();
        judge_reports();
        return std::move(findings_);
    }

private:
    // A copy, and who put their lines on it.
    struct Came {
        std::string where;
        std::vector<std::string> hops;
    };

    void broken(const std::string& invariant, const std::string& what) {
        std::string history;
        for (const HandOver& hand_over : row_.hand_overs) {
            history += history.empty() ? " [" : "; ";
            for (const Asked& asked : hand_over.recipients) {
                history += asked.recipient + (asked.forbids_failure_report ? " (quiet) "
                                              : asked.wants_failure_report ? " "
                                                                           : " (out of reach) ");
            }
            history += "at " + hand_over.node + ": ";
            history += hand_over.told == Told::Accepted  ? "accepted"
                       : hand_over.told == Told::Refused ? "refused"
                                                         : "unknown";
        }
        findings_.push_back(invariant + ": " + token_ + " from <" + row_.letter.sender +
                            ">: " + what + (history.empty() ? "" : history + "]"));
    }

    void add(const HandOver& hand_over) {
        // One transaction puts one copy into a mailbox and subaddress, however many lead there, and
        // one entry for an address into the queue.
        std::map<std::string, std::set<std::string>> ways;
        for (const Asked& asked : hand_over.recipients) {
            for (const End& end : ends_of(evidence_.nodes, hand_over.node, asked.recipient)) {
                const bool is_here = end.kind == End::Kind::Mailbox && end.nodes.size() == 1;
                Account& account = accounts_[end.where];
                account.kind = end.kind;
                account.where = end.where;
                account.is_direct = account.is_direct && end.nodes.size() == 1;
                account.is_here = account.is_here && is_here;
                account.wants_report = account.wants_report || asked.wants_failure_report;
                account.is_all_wanting = account.is_all_wanting && asked.wants_failure_report;
                account.path.insert(end.path.begin(), end.path.end());
                account.ways.insert(hostnames(end));
                std::string way = is_here ? "+" + end.detail : "";
                for (const std::string& address : end.path) {
                    way += is_here || end.nodes.size() == 1 ? "" : " " + address;
                    reportable_[address].insert(&hand_over);
                    ++ways_through_[address];
                    is_quiet_.try_emplace(address, true);
                    is_quiet_[address] = is_quiet_[address] && asked.forbids_failure_report;
                }
                note_further(end);
                ways[(is_here ? "here " : "") + end.where].insert(std::move(way));
            }
        }
        for (const auto& [key, distinct] : ways) {
            const bool is_here = key.starts_with("here ");
            Account& account = accounts_[is_here ? key.substr(5) : key];
            const auto count = static_cast<unsigned>(distinct.size());
            account.allowed += count;
            if (hand_over.told == Told::Accepted) {
                account.required += is_here ? count : 1;
            }
        }
    }

    std::vector<std::string> hostnames(const End& end) const {
        std::vector<std::string> names;
        for (const std::string& node : std::views::reverse(end.nodes)) {
            names.push_back(evidence_.nodes.at(node).hostname);
        }
        return names;
    }

    // The accepting node has the first address outside of it in its queue; what comes behind is
    // for the next to report.
    void note_further(const End& end) {
        const auto first_outside = std::ranges::find_if(end.path, [&](const std::string& address) {
            return domain_of(address) != end.nodes.front();
        });
        if (first_outside != end.path.end()) {
            further_on_.insert(std::next(first_outside), end.path.end());
        }
    }

    void count_reports() {
        std::set<std::string> seen;
        for (const Reported& report : row_.reports) {
            const std::string id = report.report + " " + report.recipient + " " + report.action;
            if (!report.report.empty() && !seen.insert(id).second) {
                continue;
            }
            ++reports_[report.action][report.recipient];
        }
    }

    unsigned reports(const std::string& action, const Account& account) {
        unsigned count = 0;
        for (const auto& [recipient, times] : reports_[action]) {
            count += account.path.contains(recipient) ? times : 0;
        }
        return count;
    }

    // W1: takings after which the letter may rightly have come again.
    unsigned excused(const Account& account) {
        unsigned count = 0;
        for (const std::size_t number : row_.takings) {
            const Taken& taken = ledger_.takings().at(number);
            if (taken.recipient != account.where) {
                continue;
            }
            bool is_excused = !taken.was_reply_read;
            for (const auto& [domain, directory] : evidence_.nodes) {
                is_excused = is_excused || (taken.node == directory.hostname &&
                                            ledger_.has_crashed(directory.hostname, taken.at,
                                                                taken.at + kMemoryTime));
            }
            count += is_excused ? 1 : 0;
        }
        return count;
    }

    bool is_held_back(const Account& account) {
        return std::ranges::any_of(account.path, [this](const std::string& address) {
            return evidence_.on_hold.contains({token_, address});
        });
    }

    // May a report about it have got lost on its way? Not into a mailbox of the node that wrote it.
    bool may_report_be_lost(const Account& account) {
        const std::string home = domain_of(row_.letter.sender);
        const bool is_at_home = std::ranges::all_of(
            row_.hand_overs, [&](const HandOver& hand_over) { return hand_over.node == home; });
        const bool may_be = evidence_.nodes.contains(home) ? evidence_.may_reports_be_lost
                                                           : evidence_.may_reports_abroad_be_lost;
        return may_be && !(account.is_direct && is_at_home);
    }

    void judge(const Account& account) {
        const unsigned copies = copies_.contains(account.where) ? copies_[account.where] : 0;
        const unsigned failed = reports("failed", account);
        judge_loss(account, copies, failed);
        judge_excess(account, copies);
        // I7. A way over another node may have been reported whole while part of it went well.
        const unsigned windows = excused(account);
        if (account.allowed == 1 && account.is_direct && copies > 0 && failed > 0 && windows == 0) {
            broken("I7", "both delivered to " + account.where + " and reported as failed");
        }
        if (failed > 0 && is_welcome(account)) {
            broken("L1", "reported as failed for " + account.where + ", and nothing refuses it");
        }
        if (account.kind == End::Kind::Nobody && copies > 0) {
            broken("I1", "delivered to " + account.where + ", which nobody has");
        }
    }

    // Nothing in the world gives a reason to refuse it.
    bool is_welcome(const Account& account) {
        const bool is_there =
            account.kind == End::Kind::Mailbox || evidence_.users_abroad.contains(account.where);
        // What is reported of a way to nobody is not about this end.
        return is_there && !evidence_.may_bounce &&
               std::ranges::none_of(accounts_, [&](const auto& entry) {
                   return entry.second.kind == End::Kind::Nobody &&
                          std::ranges::any_of(entry.second.path, [&](const std::string& address) {
                              return account.path.contains(address);
                          });
               });
    }

    void judge_loss(const Account& account, unsigned copies, unsigned failed) {
        const bool is_excused = is_held_back(account) || (row_.is_deleted && !account.is_here);
        if (copies + failed >= account.required || is_excused) {
            return;
        }
        const std::string seen = std::to_string(copies) + " copies and " + std::to_string(failed) +
                                 " reports for " + std::to_string(account.required) +
                                 " acceptances";
        if (account.is_here) {
            broken("P1", "not in the mailbox of " + account.where + ": " + seen);
            return;
        }
        const bool must_report = !row_.letter.sender.empty() && account.is_all_wanting;
        if (copies == 0 && must_report && !may_report_be_lost(account)) {
            broken("P1", "neither delivered to " + account.where + " nor reported: " + seen);
        } else if (copies == 0 && account.kind == End::Kind::Mailbox &&
                   !evidence_.may_relays_repeat && !evidence_.may_reports_be_lost) {
            broken("P1", "lost between nodes on its way to " + account.where + ": " + seen);
        }
    }

    void judge_excess(const Account& account, unsigned copies) {
        if (copies <= account.allowed) {
            return;
        }
        if (!account.is_direct && evidence_.may_relays_repeat) {
            return;
        }
        const unsigned windows = account.is_here ? 0 : excused(account);
        if (copies > account.allowed + windows) {
            broken(account.is_here ? "P3" : "I8",
                   std::to_string(copies) + " copies at " + account.where + ", " +
                       std::to_string(account.allowed) + " accounted for" +
                       (windows > 0 ? ", " + std::to_string(windows) + " more excused" : ""));
        }
    }

    void judge_strays() {
        for (const auto& [where, count] : copies_) {
            if (!accounts_.contains(where) && !row_.appends.contains(where)) {
                broken("I1", std::to_string(count) + " copies came to " + where +
                                 ", for whom it was never accepted");
            }
        }
    }

    // Each node that a copy went through has put one line on top of those before it, and nobody
    // else any: the lines read from below are the nodes of a way that leads there.
    void judge_hops() {
        for (const Came& came : came_) {
            const bool is_append = came.hops.empty() && row_.appends.contains(came.where);
            const auto account = accounts_.find(came.where);
            // For whom it never was is said above.
            if (is_append || account == accounts_.end() ||
                account->second.ways.contains(came.hops)) {
                continue;
            }
            std::string lines;
            for (const std::string& hop : came.hops) {
                lines += (lines.empty() ? "" : ", ") + hop;
            }
            broken("I10", "came to " + came.where + " with the Received lines of (" + lines +
                              "), which is no way there");
        }
    }

    void judge_reports() {
        const std::string home = domain_of(row_.letter.sender);
        for (const auto& [action, by_recipient] : reports_) {
            for (const auto& [recipient, count] : by_recipient) {
                if (!reportable_.contains(recipient)) {
                    broken("I4", "a report (" + action + ") about " + recipient +
                                     ", for whom it was never accepted");
                    continue;
                }
                if (action == "failed") {
                    judge_failure_reports(recipient, count, home);
                } else if (action == "relayed") {
                    judge_claim(recipient);
                }
            }
        }
    }

    void judge_failure_reports(const std::string& recipient, unsigned count,
                               const std::string& home) {
        // A node that was told of it with HELO alone heard nothing of NOTIFY (C5).
        if (is_quiet_[recipient] && !further_on_.contains(recipient)) {
            broken("I4", "a failure report about " + recipient + ", which nobody asked for");
        }
        const std::set<const HandOver*>& hand_overs = reportable_[recipient];
        const bool is_at_home = std::ranges::all_of(
            hand_overs, [&](const HandOver* hand_over) { return hand_over->node == home; });
        // Whoever is further on may have had the letter more than once.
        const bool is_strict =
            !evidence_.may_relays_repeat || (is_at_home && !further_on_.contains(recipient));
        // Two aliases on two nodes may lead to one address, and each node reports its own failure.
        if (is_strict && count > ways_through_[recipient]) {
            broken("I4", std::to_string(count) + " failure reports about " + recipient + " for " +
                             std::to_string(ways_through_[recipient]) + " ways there");
        }
    }

    // I3: "relayed" says that a next hop took it.
    void judge_claim(const std::string& recipient) {
        if (evidence_.nodes.contains(domain_of(recipient))) {
            return;
        }
        if (!copies_.contains(recipient)) {
            broken("I3", "reported as passed on to " + recipient + ", who never took it");
        }
    }

    const Ledger& ledger_;
    const Evidence& evidence_;
    const Ledger::Row& row_;
    std::string token_;
    std::map<std::string, Account> accounts_;  // By end.
    std::map<std::string, unsigned> copies_;   // By account or address abroad.
    std::map<std::string, std::map<std::string, unsigned>> reports_;  // By action and recipient.
    std::map<std::string, std::set<const HandOver*>> reportable_;     // By address on a way.
    std::map<std::string, unsigned> ways_through_;                    // The same.
    std::map<std::string, bool> is_quiet_;  // Nobody on whose way it is wants to hear of failure.
    std::set<std::string> further_on_;      // Addresses that another node had in its queue.
    std::vector<Came> came_;
    std::vector<std::string> findings_;
};

// Whether what is held can be there at all, and is whole.
std::vector<std::string> judge_held(const Ledger& ledger, const Evidence& evidence) {
    std::vector<std::string> findings;
    for (const Held& held : evidence.held) {
        const std::string place = held.account + " " + held.mailbox;
        if (held.report) {
            continue;
        }
        const Ledger::Row* row = ledger.find(held.token);
        if (row == nullptr) {
            findings.push_back("I1: " + place + " holds \"" + held.token +
                               "\", which nobody wrote");
        } else if (held.hash != message_hash(row->letter.text)) {
            findings.push_back("I9: " + held.token + " was changed on its way to " + place);
        }
    }
    return findings;
}

}  // namespace

std::vector<std::string> reckon(const Ledger& ledger, const Evidence& evidence) {
    std::vector<std::string> findings = judge_held(ledger, evidence);
    std::map<std::string, std::vector<const Held*>> by_token;
    for (const Held& held : evidence.held) {
        // Mail arrives in INBOX; what is elsewhere its owner has put there.
        if (!held.report && held.mailbox == "INBOX") {
            by_token[held.token].push_back(&held);
        }
    }
    for (const auto& [token, row] : ledger.letters()) {
        Letterwise letter(ledger, evidence, row);
        for (const Held* held : by_token[token]) {
            letter.count_held(*held);
        }
        std::vector<std::string> wrong = letter.run();
        findings.insert(findings.end(), wrong.begin(), wrong.end());
    }
    return findings;
}

}  // namespace godwit::sim
