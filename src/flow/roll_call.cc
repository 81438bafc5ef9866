#include "flow/roll_call.h"

namespace godwit::flow {

Attendance::Attendance(RollCall* roll_call, net::Stream* stream)
    : roll_call_(roll_call), stream_(stream) {
    arrive();
}

bool Attendance::is_closing() const {
    return roll_call_->lists_.at(net::Shard::here().index()).is_closing;
}

void Attendance::arrive() {
    roll_call_->lists_.at(net::Shard::here().index()).sessions.push_back(*this);
}

void RollCall::close_here() {
    PerShard& mine = lists_.at(net::Shard::here().index());
    mine.is_closing = true;
    mine.sessions.each([](const Attendance& session) { session.stream_->interrupt(); });
}

bool RollCall::is_empty_here() const {
    return lists_.at(net::Shard::here().index()).sessions.is_empty();
}

}  // namespace godwit::flow
