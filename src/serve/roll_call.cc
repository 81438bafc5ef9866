#include "serve/roll_call.h"

namespace godwit::serve {

RollCall& RollCall::here() {
    // One list a thread: a shard is one thread, and a TestLoop plays all its shards on one.
    thread_local RollCall list;
    return list;
}

void RollCall::close() {
    is_closing_ = true;
    sessions_.each([](const Attendance& session) { session.stream_->interrupt(); });
}

Attendance::Attendance(net::Stream* stream) : stream_(stream) { RollCall::here().sessions_.push_back(*this); }

bool Attendance::is_closing() const { return RollCall::here().is_closing(); }

void Attendance::moved() { RollCall::here().sessions_.push_back(*this); }

}  // namespace godwit::serve
