#include "sim/peers/census.h"

#include <algorithm>

namespace godwit::sim {

std::size_t Census::open(MonoTime at) {
    const std::size_t number = sessions_.size();
    sessions_.push_back({.opened = at, .next = number + 1});
    return number;
}

// The most sessions at once are there at the beginning of one of them.
unsigned Census::prove(std::size_t session, MonoTime said_at) {
    Session& self = sessions_[session];
    self.is_proven = true;
    unsigned most = self.others + 1;
    while (self.next < sessions_.size() && sessions_[self.next].opened <= said_at) {
        Session& other = sessions_[self.next++];
        ++other.others;
        most = std::max(most, other.others + (other.is_proven ? 1U : 0U));
    }
    return most;
}

}  // namespace godwit::sim
