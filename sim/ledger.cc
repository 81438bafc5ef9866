#include "sim/ledger.h"

#include <algorithm>
#include <cstdio>

#include "base/ascii.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "sim/world.h"

namespace godwit::sim {

namespace {

constexpr std::size_t kTokenDigits = 6;

// "t" and six digits at the front of `text`; empty: none.
std::string_view token_at(std::string_view text) {
    if (text.size() < kTokenDigits + 1 || text.front() != 't') {
        return {};
    }
    const std::string_view digits = text.substr(1, kTokenDigits);
    return std::ranges::all_of(digits, is_digit) ? text.substr(0, kTokenDigits + 1)
                                                 : std::string_view();
}

bool is_trace_line(std::string_view text) {
    return starts_with_ignore_case(text, "Received:") ||
           starts_with_ignore_case(text, "Return-Path:") ||
           starts_with_ignore_case(text, "Delivered-To:");
}

// Of the field at the front, with its folded lines.
std::size_t first_field_size(std::string_view text) {
    std::size_t end = text.find('\n');
    // A folded line goes on with a blank.
    while (end != std::string_view::npos && end + 1 < text.size() && is_wsp(text[end + 1])) {
        end = text.find('\n', end + 1);
    }
    return end == std::string_view::npos ? text.size() : end + 1;
}

std::string word_after_by(std::string_view field) {
    for (const std::string_view blank : {" by ", "\tby "}) {
        const std::size_t at = field.find(blank);
        if (at != std::string_view::npos) {
            const std::string_view rest = field.substr(at + blank.size());
            return to_lower(rest.substr(0, rest.find_first_of(" ;\r\n")));
        }
    }
    return {};
}

std::string_view word(Told told) {
    switch (told) {
        case Told::Accepted: return "accepted";
        case Told::Refused: return "refused";
        case Told::Unknown: return "unknown";
    }
    return "unknown";
}

}  // namespace

std::string Ledger::new_token() {
    char text[16];
    std::snprintf(text, sizeof text, "t%06llu", static_cast<unsigned long long>(next_token_++));
    return text;
}

void Ledger::wrote(Letter letter) {
    const std::string token = letter.token;
    letter.sender = address_key(letter.sender);
    Row row;
    row.letter = std::move(letter);
    if (!letters_.emplace(token, std::move(row)).second) {
        broken("world", token + " was written twice");
    }
}

void Ledger::handed_over(const std::string& token, const std::string& node,
                         const std::vector<Asked>& recipients, Told told) {
    const auto found = letters_.find(token);
    if (found == letters_.end()) {
        broken("world", token + " was handed over and never written");
        return;
    }
    HandOver hand_over{.node = node, .recipients = recipients, .told = told, .at = {}};
    std::string names;
    for (Asked& asked : hand_over.recipients) {
        asked.recipient = address_key(asked.recipient);
        names += (names.empty() ? "" : ",") + asked.recipient;
    }
    if (world_ != nullptr) {
        hand_over.at = world_->now();
        world_->count("letters " + std::string(word(told)));
        world_->trace().note(
            "ledger", token + " for " + names + " at " + node + ": " + std::string(word(told)));
    }
    found->second.hand_overs.push_back(std::move(hand_over));
}

void Ledger::appended(const std::string& token, const std::string& account, Told told) {
    const auto found = letters_.find(token);
    if (found == letters_.end()) {
        broken("world", token + " was appended and never written");
        return;
    }
    found->second.appends[account] = told;
    if (world_ != nullptr) {
        world_->count("appends " + std::string(word(told)));
        world_->trace().note("ledger",
                             token + " appended by " + account + ": " + std::string(word(told)));
    }
}

void Ledger::removed(const std::string& token, const std::string& account) {
    const auto found = letters_.find(token);
    if (found == letters_.end()) {
        broken("I1", account + " has had " + token + ", which nobody wrote");
        return;
    }
    ++found->second.removals[account];
}

std::size_t Ledger::taken_abroad(const std::string& token, Taken taken) {
    taken.token = token;
    taken.recipient = address_key(taken.recipient);
    const std::size_t number = takings_.size();
    const auto found = letters_.find(token);
    if (found == letters_.end()) {
        broken("I1", taken.peer + " was brought \"" + token + "\", which nobody wrote, by " +
                         taken.node + " for " + taken.recipient);
    } else {
        found->second.takings.push_back(number);
    }
    if (world_ != nullptr) {
        world_->count("letters taken by peers");
        world_->trace().note("ledger",
                             token + " taken for " + taken.recipient + " from " + taken.node);
    }
    takings_.push_back(std::move(taken));
    return number;
}

void Ledger::reply_was_read(std::size_t taking) {
    takings_.at(taking).was_reply_read = true;
}

void Ledger::reported(const std::string& token, const std::string& recipient,
                      const std::string& reader, const std::string& action,
                      const std::string& report) {
    const auto found = letters_.find(token);
    if (found == letters_.end()) {
        broken("I4", reader + " has a report about \"" + token + "\", which nobody wrote");
        return;
    }
    found->second.reports.push_back({.recipient = address_key(recipient),
                                     .action = action,
                                     .reader = address_key(reader),
                                     .report = report});
    if (world_ != nullptr) {
        world_->count("reports " + action);
    }
}

void Ledger::deleted(const std::string& token) {
    const auto found = letters_.find(token);
    if (found == letters_.end()) {
        broken("I1", "a queue has \"" + token + "\", which nobody wrote");
        return;
    }
    found->second.is_deleted = true;
    if (world_ != nullptr) {
        world_->count("letters deleted by operators");
        world_->trace().note("ledger", token + " is taken out of a queue by order");
    }
}

void Ledger::crashed(const std::string& hostname, MonoTime at) {
    crashes_.emplace_back(hostname, at);
}

void Ledger::broken(const std::string& invariant, const std::string& what) {
    findings_.push_back(invariant + ": " + what);
    if (world_ != nullptr) {
        world_->trace().note("BROKEN", findings_.back());
    }
}

void Ledger::check() {
    for (const auto& [token, row] : letters_) {
        for (const Reported& report : row.reports) {
            // RFC 3461 6: a report goes to the reverse-path, and none to the null one.
            const std::string& sender = row.letter.sender;
            const std::string plain =
                sender.substr(0, sender.find('+')) + (sender.contains('+') && sender.contains('@')
                                                          ? sender.substr(sender.find('@'))
                                                          : "");
            if (sender.empty()) {
                broken("I4", token + " has the null sender, and " + report.reader +
                                 " was told what became of it");
            } else if (report.reader != sender && report.reader != plain) {
                broken("I4", token + " is from " + sender + ", and " + report.reader +
                                 " was told what became of it");
            }
        }
    }
}

const Ledger::Row* Ledger::find(const std::string& token) const {
    const auto found = letters_.find(token);
    return found == letters_.end() ? nullptr : &found->second;
}

bool Ledger::has_crashed(const std::string& hostname, MonoTime from, MonoTime until) const {
    return std::ranges::any_of(crashes_, [&](const std::pair<std::string, MonoTime>& crash) {
        return crash.first == hostname && crash.second >= from && crash.second <= until;
    });
}

std::string find_token(std::string_view text) {
    constexpr std::string_view kSubject = "Subject: ";
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t found = text.find_first_of("<S", at);
        if (found == std::string_view::npos) {
            break;
        }
        at = found + 1;
        std::string_view rest = text.substr(found);
        if (rest.front() == '<') {
            const std::string_view token = token_at(rest.substr(1));
            if (!token.empty() && rest.substr(1 + token.size()).starts_with("@sim.test>")) {
                return std::string(token);
            }
        } else if (rest.starts_with(kSubject) && (found == 0 || text[found - 1] == '\n')) {
            const std::string_view token = token_at(rest.substr(kSubject.size()));
            if (!token.empty()) {
                return std::string(token);
            }
        }
    }
    return {};
}

std::string_view without_trace(std::string_view text) {
    while (is_trace_line(text)) {
        text.remove_prefix(first_field_size(text));
    }
    return text;
}

std::string message_hash(std::string_view text) {
    return hex_encode(sha256_bytes(without_trace(text)));
}

std::vector<std::string> hops_of(std::string_view text) {
    std::vector<std::string> hops;
    for (; is_trace_line(text); text.remove_prefix(first_field_size(text))) {
        if (starts_with_ignore_case(text, "Received:")) {
            hops.push_back(word_after_by(text.substr(0, first_field_size(text))));
        }
    }
    return hops;
}

std::string address_key(std::string_view address) {
    return to_lower(address);
}

}  // namespace godwit::sim
