// Which deliveries are being attempted now: so that no two attempts at one delivery run at once,
// and so that an operator sees what is in flight and no order overtakes it. SMTP-BEHAVIOUR.md M4.
// At most limits.deliveries_total entries. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "net/io/locked.h"

namespace godwit::flow {

struct UnderWayEntry {
    std::string site;
    WallTime since{};
    bool is_awaited = false;
};

class UnderWay {
public:
    /// False: an attempt at this delivery runs already; nothing is changed.
    bool begin(MailId mail, std::uint32_t number, UnderWayEntry entry);
    /// True when somebody waits for this end.
    bool end(MailId mail, std::uint32_t number);
    /// False when it is not being attempted; else its end() will be true.
    bool await_end(MailId mail, std::uint32_t number);
    /// Nullopt when it is not being attempted.
    std::optional<UnderWayEntry> find(MailId mail, std::uint32_t number);
    /// How many attempts run for each site that has any.
    std::map<std::string, std::uint32_t> by_site();

private:
    using Key = std::pair<MailId, std::uint32_t>;
    net::Locked<std::map<Key, UnderWayEntry>> entries_;
};

}  // namespace godwit::flow
