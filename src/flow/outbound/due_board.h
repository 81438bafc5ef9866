// Knows which delivery is due when, and says which are tried now: by site, earliest first, in
// bounds. SMTP-BEHAVIOUR.md M2-M5, M9; STORE.md "Queue". Pure: time, bounds and rows are arguments.
// Each site stands once in an agenda by the time of its next look, so that a change costs the
// logarithm of the sites and of the window, however many wait. Of each site a bounded window is
// kept; its horizon parts what is kept from what must still be read.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "store/mailbox/change.h"
#include "store/queue/queue.h"

namespace godwit::flow {

/// The sites of one shard. One thread.
class DueBoard {
public:
    /// What is to be done now.
    struct Orders {
        std::vector<store::DueDelivery> workers;  ///< A new worker each, with its first delivery.
        std::vector<store::DueRange> refills;  ///< To be read, then refilled() or refill_failed().
    };
    struct Bounds {
        std::uint32_t workers_max = 0;  ///< Of all sites together.
        /// Of one site; asked once for each site that is looked at.
        std::function<std::uint32_t(const std::string& site)> site_workers_max;
    };

    /// A commit made, moved, held or ended a delivery.
    void learn(const store::QueueChange::Item& item);
    /// There are rows of this site on disk.
    void learn_site(const std::string& site);

    /// Whatever may begin by `now`. Looks only at sites whose time has come.
    Orders plan(WallTime now, const Bounds& bounds);
    /// When plan() would have something to do, seen from now; max when never. It may lie in the
    /// past after plan(): then all workers are busy, and the end of one is the time.
    [[nodiscard]] WallTime next_look() const;

    /// The next delivery for a worker of `site`; nullopt: end it.
    std::optional<store::DueDelivery> take(const std::string& site, WallTime now);
    /// What came of a delivery that was given out. Settled: its commit has been learned by now, if
    /// it has a new time; else it waits as before.
    void done(const store::DueDelivery& taken, bool is_settled);
    /// Nothing of this site before `until`.
    void pause(const std::string& site, WallTime until);
    void worker_ended(const std::string& site);

    /// The rows of a refill, earliest first; fewer than were asked for: there are no more.
    void refilled(const store::DueRange& asked, const std::vector<store::DueDelivery>& found);
    void refill_failed(const std::string& site, WallTime again_at);

    [[nodiscard]] std::uint32_t workers() const { return workers_; }
    [[nodiscard]] std::size_t sites() const { return sites_.size(); }
    /// How many of this site are kept and in nobody's hand, due or not; at most
    /// outbound_window_max.
    [[nodiscard]] std::size_t waiting(const std::string& site) const;

private:
    using Entry = std::pair<MailId, std::uint32_t>;
    struct EntryHash {
        std::size_t operator()(const Entry& entry) const {
            return std::hash<MailId>()(entry.first) ^ entry.second;
        }
    };
    struct EntryState {
        std::optional<WallTime> due;  ///< Empty: gone or held while in hand.
        bool is_in_hand = false;
    };
    using AgendaKey = std::pair<WallTime, std::uint64_t>;
    struct Site {
        std::string name;
        std::uint64_t serial = 0;  ///< Order among sites of one time.
        std::unordered_map<Entry, EntryState, EntryHash> entries;
        std::set<std::tuple<WallTime, MailId, std::uint32_t>> waiting;  ///< Not in hand; bounded.
        std::uint32_t workers = 0;
        std::uint32_t workers_max =
            std::numeric_limits<std::uint32_t>::max();  ///< At the last look.
        bool has_more_on_disk = false;
        /// With more on disk: all rows due before this are in `entries`.
        WallTime horizon = WallTime::max();
        bool is_refilling = false;
        /// The window ran over during the refill: what is due after this may be missing from both.
        WallTime spilled_after = WallTime::max();
        WallTime paused_until{};
        std::optional<WallTime> look_at;  ///< Its place in the agenda.
    };

    Site& site(const std::string& name);
    Site* find(const std::string& name);
    static void keep(Site& at, const Entry& entry, WallTime due);
    static void drop_last(Site& at);
    static bool wants_refill(const Site& at);
    static bool has_room(const Site& at) { return at.workers < at.workers_max; }
    static std::optional<store::DueDelivery> take_from(Site& at, WallTime now);
    [[nodiscard]] static std::optional<WallTime> wanted_look(const Site& at);
    /// Puts the site where it belongs in the agenda, or forgets it when it is empty. `at` may be
    /// dead afterwards.
    void settle(Site& at);

    std::unordered_map<std::string, std::unique_ptr<Site>> sites_;
    std::map<AgendaKey, Site*> agenda_;
    std::uint64_t next_serial_ = 0;
    std::uint32_t workers_ = 0;
};

}  // namespace godwit::flow
