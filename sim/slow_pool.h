// The offload pool of a node: each job is done a while later, one after the other or not, on the
// world's one thread.
#pragma once

#include <list>

#include "net/io/offload.h"
#include "sim/dice.h"

namespace godwit::sim {

class Node;
class World;

class SlowPool final : public net::OffloadPool {
public:
    SlowPool(World* world, Node* node);
    ~SlowPool() override;
    SlowPool(const SlowPool&) = delete;
    SlowPool& operator=(const SlowPool&) = delete;

    Result<> submit(net::Work job) override;
    void stop() override;
    [[nodiscard]] std::size_t waiting() const override { return jobs_.size(); }

private:
    struct Job {
        net::Work work;
        net::Timer timer;
    };
    World* world_;
    Node* node_;
    Dice dice_;
    std::list<Job> jobs_;
    bool is_stopped_ = false;
};

}  // namespace godwit::sim
