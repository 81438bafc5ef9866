// How many sessions of one client were open at the same time, as far as a server can prove it: what
// it accepts may have been given up at the other end long ago, so that only a word in answer to a
// word shows that both were there. RELIABILITY.md 7, I12.
#pragma once

#include <cstddef>
#include <vector>

#include "base/clock.h"

namespace godwit::sim {

class Census {
public:
    /// A session began, not before the one opened last; its number.
    std::size_t open(MonoTime at);
    /// The session answered what was said to it at `said_at`: it was open from its beginning until
    /// then. Gives the most sessions that are proven to have been open at one moment that this one
    /// was part of.
    unsigned prove(std::size_t session, MonoTime said_at);

private:
    struct Session {
        MonoTime opened{};
        bool is_proven = false;
        unsigned others = 0;   // Proven to be open when this one began.
        std::size_t next = 0;  // The first session that this one was not counted at yet.
    };
    std::vector<Session> sessions_;
};

}  // namespace godwit::sim
