// What people, their clients and the caretaker do to a store, drawn from a seed: groups of plans,
// each foretold in a ledger before it is submitted, housekeeping between them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "power/ledger.h"
#include "store/commit/plan.h"

namespace godwit::power {

/// Hands that the workload turns. Never goes back.
class DayClock final : public Clock {
public:
    [[nodiscard]] WallTime wall() const override { return from_unix_seconds(1'700'000'000) + now_; }
    [[nodiscard]] MonoTime mono() const override { return MonoTime(now_); }
    void advance(Duration by) { now_ += by; }

private:
    Duration now_{1'000'000};
};

/// How large bodies are made, so that each way to keep one is gone often.
struct BodyRange {
    std::size_t small_max = 2000;
    std::size_t middle_max = 30'000;
    std::size_t large_max = 90'000;
};

class Workload {
public:
    /// `fault` is told what no crash excuses. All outlive it.
    Workload(std::uint64_t seed, DayClock* clock, std::function<void(std::string)> fault);

    /// The store that is open now; what was acknowledged stays.
    void begin(store::Store* store);
    enum class Outcome : std::uint8_t {
        Committed,
        Quiet,  ///< Nothing was to be done.
        Dead,   ///< The store took nothing and takes nothing more.
    };
    /// Submits a few plans and commits them as one group. Housekeeping may ride in it.
    Outcome group();
    /// What the group under way would have made became durable or did not.
    void settle(bool was_durable);
    /// Compares with the store that is open; nullopt when it could not be read.
    std::optional<std::vector<std::string>> compare() { return power::compare(*store_, ledger_); }

    [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
    [[nodiscard]] const Ledger& ledger() const { return ledger_; }

private:
    struct Expected {
        std::unique_ptr<store::Plan> plan;
        std::vector<std::function<void(Ledger&, const store::StepResult&)>> checks;  // One a step.
    };
    struct Spot {
        std::string name;
        Person* person = nullptr;
        std::string box_name;
        Box* box = nullptr;
    };
    using Check = std::function<void(Ledger&, const store::StepResult&)>;

    void add(Expected& to, store::PlanStep step, Check check = {});
    std::optional<Expected> any_plan();
    std::optional<Expected> deliver();
    std::optional<Expected> change_flags();
    std::optional<Expected> expunge();
    std::optional<Expected> copy(bool move);
    std::optional<Expected> queue_up();
    std::optional<Expected> attempt();
    std::optional<Expected> deliver_queued();
    std::optional<Expected> remove_queued();
    std::optional<Expected> change_mailboxes();
    std::optional<Expected> change_people();
    std::optional<Expected> clean();
    void append_to(Expected& to, const Spot& spot, const store::NewBody& body, MailId mail,
                   std::uint64_t once);
    std::optional<store::NewBody> body();
    Spot any_spot(bool is_inbox);
    std::vector<Uid> some_uids(const Box& box);
    std::optional<MailId> any_queued();
    store::QueueDelivery delivery(std::uint32_t number, std::uint32_t attempts);
    void tend();
    void acknowledge(const std::vector<Expected>& plans,
                     const std::vector<store::CommitResult>& results);
    void note_numbers();

    SeededRandom random_;
    DayClock* clock_;
    std::function<void(std::string)> fault_;
    store::Store* store_ = nullptr;
    Ledger ledger_;   // What was acknowledged.
    Ledger planned_;  // And what the group under way is to make of it.
    std::vector<std::string> bodies_;
    std::uint64_t acknowledged_ = 0;
    std::uint32_t next_person_ = 0;
    bool is_directory_changing_ = false;
};

}  // namespace godwit::power
