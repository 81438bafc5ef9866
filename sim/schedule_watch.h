// Holds a node's queue to its own schedule: no attempt before the time that was last committed for
// it, no time further away than the schedule reaches. RELIABILITY.md I6.
// It follows the commits; what an operator orders is a time like any other. A world whose clocks
// jump is not watched.
#pragma once

#include <map>
#include <utility>

#include "base/clock.h"
#include "base/ids.h"
#include "store/mailbox/change.h"
#include "store/store.h"

namespace godwit::sim {

class Node;
class World;

class ScheduleWatch {
public:
    /// Both outlive it.
    ScheduleWatch(World* world, Node* node) : world_(world), node_(node) {}
    /// The store was opened: what waits in it is learnt, and from now on each commit looked at. The
    /// store dies before this does.
    Result<> begin(store::Store* store);

private:
    struct Known {
        WallTime due{};
        std::uint32_t attempts = 0;
        bool is_held = false;
    };
    void look(const store::QueueChange& change);
    void look(const store::QueueChange::Item& item, const store::Snapshot& snapshot);
    void broken(const store::QueueChange::Item& item, const Known& known, const std::string& what);

    World* world_;
    Node* node_;
    store::Store* store_ = nullptr;
    std::map<std::pair<MailId, std::uint32_t>, Known> known_;
};

}  // namespace godwit::sim
