// Where operators' standing orders meet the work: the suspensions that hold now, what is under way,
// and the deliveries that were given up. The orders are rows of the store; this is what the process
// knows of them. Any thread unless said.
#pragma once

#include <memory>
#include <utility>

#include "base/result.h"
#include "flow/outbound/suspension.h"
#include "flow/outbound/under_way.h"
#include "flow/services.h"
#include "net/io/locked.h"
#include "net/io/swap_cell.h"
#include "net/io/task.h"

namespace godwit::flow {

class OperatorDesk {
public:
    /// Outlived by `services`, whose scheduler may be null.
    explicit OperatorDesk(const Services* services);
    OperatorDesk(const OperatorDesk&) = delete;
    OperatorDesk& operator=(const OperatorDesk&) = delete;

    /// Reads the suspensions. Blocking; before the scheduler starts.
    Result<> start();
    /// An operator changed orders or suspensions, and the commit is durable: they hold when this
    /// returns; deliveries given up are settled soon after. Blocking: not on a shard that serves.
    Result<> take_up();
    /// What is left to do by itself: orders that waited for an attempt, or that were given while no
    /// server ran; suspensions that are over. By the caretaker, on its shard.
    net::Task<Result<>> tend();

    /// Never null. Keep it for one decision.
    [[nodiscard]] std::shared_ptr<const SuspensionTable> suspensions() const {
        return table_.load();
    }
    [[nodiscard]] UnderWay& under_way() { return under_way_; }
    /// An attempt has ended that an order waits for.
    void attempt_ended() { begin_to_carry_out(); }

private:
    void begin_to_carry_out();
    net::Task<void> carry_out();

    const Services* services_;
    net::SwapCell<SuspensionTable> table_;
    UnderWay under_way_;
    /// Orders are carried out by one task at a time; what comes meanwhile makes it go round again.
    struct Errand {
        bool is_running = false;
        bool again = false;
    };
    net::Locked<Errand> errand_;
};

/// Names a delivery as under way as long as it lives, if nobody else does. `desk` may be null: then
/// it is alone.
class UnderWayGuard {
public:
    UnderWayGuard(OperatorDesk* desk, MailId mail, std::uint32_t number, UnderWayEntry entry)
        : desk_(desk),
          mail_(mail),
          number_(number),
          is_alone_(desk == nullptr || desk->under_way().begin(mail, number, std::move(entry))) {}
    ~UnderWayGuard() {
        if (desk_ != nullptr && is_alone_ && desk_->under_way().end(mail_, number_)) {
            desk_->attempt_ended();
        }
    }
    UnderWayGuard(const UnderWayGuard&) = delete;
    UnderWayGuard& operator=(const UnderWayGuard&) = delete;
    [[nodiscard]] bool is_alone() const { return is_alone_; }

private:
    OperatorDesk* desk_;
    MailId mail_;
    std::uint32_t number_;
    bool is_alone_;
};

}  // namespace godwit::flow
