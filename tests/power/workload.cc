#include "power/workload.h"

#include <algorithm>
#include <utility>

#include "store/directory/directory.h"
#include "store/mailbox/mailbox.h"

namespace godwit::power {

using store::ReadTier;

Workload::Workload(std::uint64_t seed, DayClock* clock, std::function<void(std::string)> fault)
    : random_(seed), clock_(clock), fault_(std::move(fault)) {}

void Workload::begin(store::Store* store) {
    store_ = store;
    planned_ = ledger_;
}

void Workload::settle(bool was_durable) {
    if (was_durable) {
        ledger_ = planned_;
    }
    planned_ = ledger_;
}

Workload::Outcome Workload::group() {
    planned_ = ledger_;
    is_directory_changing_ = false;
    std::vector<Expected> plans;
    // Housekeeping comes before the group, or behind it: then what it copies may be gone.
    const std::uint64_t when = random_.below(8);
    if (when == 0) {
        tend();
    }
    for (std::uint64_t count = 1 + random_.below(4); count != 0; --count) {
        if (auto plan = any_plan()) {
            plans.push_back(std::move(*plan));
        }
    }
    std::vector<store::CommitResult> results;
    results.reserve(plans.size());
    for (Expected& each : plans) {
        store_->committer().submit(std::move(each.plan), [&results](store::CommitResult result) {
            results.push_back(std::move(result));
        });
    }
    if (when == 1) {
        tend();
    }
    const bool was_any = store_->committer().run_once();
    clock_->advance(std::chrono::milliseconds(1 + random_.below(5000)));
    if (!was_any) {
        return Outcome::Quiet;
    }
    if (results.size() != plans.size()) {
        fault_("a plan got no answer");
        return Outcome::Dead;
    }
    const auto refused = std::ranges::find_if(results, [](const auto& r) { return !r; });
    if (refused == results.end()) {
        acknowledge(plans, results);
        return Outcome::Committed;
    }
    if (std::ranges::any_of(results, [](const auto& r) { return r.has_value(); })) {
        fault_("a group was acknowledged in part: " + refused->error().error.text);
    } else if (refused->error().error.code != ErrorCode::Closed) {
        fault_("a plan was refused: " + refused->error().error.text);
    }
    return Outcome::Dead;
}

void Workload::acknowledge(const std::vector<Expected>& plans,
                           const std::vector<store::CommitResult>& results) {
    for (std::size_t i = 0; i < plans.size(); ++i) {
        for (std::size_t step = 0; step < plans[i].checks.size(); ++step) {
            if (plans[i].checks[step]) {
                plans[i].checks[step](planned_, results[i]->results.at(step));
            }
        }
    }
    ledger_ = planned_;
    acknowledged_ += plans.size();
    note_numbers();
}

// Numbers that the store drew: what was told once must hold for ever.
void Workload::note_numbers() {
    const auto snapshot = store_->snapshot();
    for (auto& [name, person] : ledger_.people) {
        if (person.id == AccountId{}) {
            const auto account = find_account(*snapshot, ReadTier::Disk, name, "");
            if (account && *account) {
                if ((*account)->id.value() <= ledger_.last_account) {
                    fault_(name + " has a number that was given before");
                }
                person.id = (*account)->id;
                ledger_.last_account = person.id.value();
            }
        }
        const auto head = read_head(*snapshot, ReadTier::Disk, person.id);
        if (head && *head) {
            person.mod_seq = std::max(person.mod_seq, (*head)->mod_seq);
        }
        for (auto& [box_name, box] : person.boxes) {
            if (box.id != MailboxId{}) {
                continue;
            }
            const auto state = find_mailbox(*snapshot, ReadTier::Disk, person.id, box_name);
            if (state && *state) {
                box.id = (*state)->id;
                box.validity = (*state)->uid_validity;
                person.last_mailbox = std::max(person.last_mailbox, box.id.value());
                person.last_validity = std::max(person.last_validity, box.validity.value());
            }
        }
    }
}

void Workload::tend() {
    clock_->advance(std::chrono::minutes(random_.below(12)));
    for (std::uint64_t steps = 1 + random_.below(3); steps != 0; --steps) {
        const auto more = store_->tend();
        if (!more || !*more) {
            break;
        }
    }
    // A day's ids, so that the next block of them is reserved.
    for (std::uint64_t ids = random_.below(6) == 0 ? random_.below(4000) : 0; ids != 0; --ids) {
        (void)store_->next_mail_id();  // Nobody is told of it.
    }
}

}  // namespace godwit::power
