#include "sim/slow_pool.h"

#include "sim/node.h"
#include "sim/world.h"

namespace godwit::sim {

SlowPool::SlowPool(World* world, Node* node)
    : world_(world), node_(node), dice_(world->dice(node->domain() + ".pool")) {}

SlowPool::~SlowPool() {
    stop();
}

Result<> SlowPool::submit(net::Work job) {
    if (is_stopped_) {
        return temporary_error(ErrorCode::Unavailable, "the pool is stopped");
    }
    jobs_.push_back({.work = std::move(job), .timer = {}});
    const auto at = std::prev(jobs_.end());
    const Duration most = world_->is_calm() ? Duration{} : world_->swarm().read_most;
    at->timer = world_->outside().call_after(dice_.between(Duration{}, most), [this, at] {
        const World::Acting acting(world_, node_);
        net::Work work = std::move(at->work);
        jobs_.erase(at);
        work();
    });
    return {};
}

void SlowPool::stop() {
    is_stopped_ = true;
    // The death of a job tells those who wait.
    std::list<Job> dropped;
    dropped.swap(jobs_);
}

}  // namespace godwit::sim
