// For tests of the due board: a disk that is a plain map, the board, and who works on what.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "flow/outbound/due_board.h"

namespace godwit::flow {

inline WallTime at(std::int64_t seconds) {
    return from_unix_seconds(seconds);
}

/// The rows on disk, the board, and who works on what.
class Desk {
public:
    explicit Desk(std::uint32_t workers_max = 200, std::uint32_t site_workers_max = 10) {
        bounds_.workers_max = workers_max;
        bounds_.site_workers_max = [this, site_workers_max](const std::string&) {
            ++looks;
            return site_workers_max;
        };
    }
    /// A row on disk that nobody has told the board of.
    void put_row(const std::string& site, std::uint64_t mail, std::int64_t due) {
        rows_[site].insert({at(due), mail});
        due_of_[mail] = at(due);
    }
    void put(const std::string& site, std::uint64_t mail, std::int64_t due) {
        remove_row(site, mail);
        put_row(site, mail, due);
        board.learn({.mail = MailId(mail), .delivery = 1, .site = site, .due = at(due)}, now_);
    }
    void remove(const std::string& site, std::uint64_t mail) {
        remove_row(site, mail);
        board.learn({.mail = MailId(mail), .delivery = 1, .site = site, .due = {}, .is_gone = true},
                    now_);
    }
    /// As the start does.
    void learn_site(const std::string& site) {
        const auto& [due, mail] = *rows_[site].begin();
        board.learn_site({site, due, MailId(mail), 1});
    }
    /// So that it may have all the workers of its bounds.
    void prove(const std::string& site) {
        put(site, 999'999, 0);
        plan(0);
        end_one(0);
        tried.clear();
    }
    /// Plans until nothing more is ordered; refills read the rows as they stand.
    void plan(std::int64_t now) {
        now_ = at(now);
        for (;;) {
            DueBoard::Orders orders = board.plan(at(now), bounds_);
            ordered_refills += orders.refills.size();
            std::ranges::move(orders.workers, std::back_inserter(working));
            for (const store::DueRange& range : orders.refills) {
                board.refilled(range, read(range));
            }
            if (orders.refills.empty()) {
                return;
            }
        }
    }
    /// One working delivery ends; its worker goes on with the next one or ends. False: none works.
    /// `again_at`: nobody could be reached, and it is due again then.
    bool end_one(std::int64_t now, std::optional<std::int64_t> again_at = std::nullopt,
                 std::uint32_t given = 1) {
        if (working.empty()) {
            return false;
        }
        const store::DueDelivery taken = working.front();
        working.pop_front();
        tried.push_back(taken);
        if (again_at) {
            put(taken.site, taken.mail.value(), *again_at);
        } else {
            remove(taken.site, taken.mail.value());
        }
        board.done(taken, {.is_answered = !again_at, .now = at(now)});
        if (auto next = board.take(taken.site, at(now), given)) {
            working.push_front(*std::move(next));
        } else {
            board.worker_ended(taken.site);
        }
        plan(now);
        return true;
    }
    std::vector<store::DueDelivery> read(const store::DueRange& range) const {
        std::vector<store::DueDelivery> out;
        const auto found = rows_.find(range.site);
        if (found == rows_.end()) {
            return out;
        }
        for (const auto& [due, mail] : found->second) {
            const store::DueDelivery row{range.site, due, MailId(mail), 1};
            if (out.size() == range.count || (!out.empty() && out.back().due >= range.until)) {
                break;
            }
            if (row.place() >= range.from) {
                out.push_back(row);
            }
        }
        return out;
    }
    std::size_t rows(const std::string& site) const {
        const auto found = rows_.find(site);
        return found == rows_.end() ? 0 : found->second.size();
    }

    std::map<std::uint64_t, DueTraits> traits;
    DueBoard board{[this](MailId mail) {
        const auto found = traits.find(mail.value());
        return found == traits.end() ? DueTraits{} : found->second;
    }};
    std::deque<store::DueDelivery> working;
    std::vector<store::DueDelivery> tried;
    std::size_t looks = 0;
    std::size_t ordered_refills = 0;

private:
    void remove_row(const std::string& site, std::uint64_t mail) {
        if (const auto due = due_of_.find(mail); due != due_of_.end()) {
            rows_[site].erase({due->second, mail});
            due_of_.erase(due);
        }
    }
    DueBoard::Bounds bounds_;
    WallTime now_{};
    std::map<std::string, std::set<std::pair<WallTime, std::uint64_t>>> rows_;
    std::map<std::uint64_t, WallTime> due_of_;
};

}  // namespace godwit::flow
