// Knows which delivery is due when, and says which are tried now: by site, earliest first, in
// bounds. SMTP-BEHAVIOUR.md M2-M5, M9; STORE.md "Queue". Pure: time, bounds and rows are arguments.
// Each site stands once in the agenda of its lane by the time of its next look, so that a change
// costs the logarithm of the sites and of the window, however many wait. Of each site a bounded
// window of what is due soon is kept; its horizon parts what is kept from what must still be read.
// Sites take turns: one that has had a worker stands behind those that have waited since, and where
// others wait a worker gives its place away after a while. Else a backlog that is due longer would
// keep all others waiting until it is through.
// Within a site senders take turns: the one that has had least goes first, and large mail counts
// for more than small, so that one sender's burst does not keep another's single message waiting;
// of all that is due higher priority (MT-PRIORITY) goes first. Every eighth turn is that of what is
// due longest, whosever it is, so that nothing waits for ever. Hence the bound (M9): a message
// whose sender has nothing else due at the site, and which no higher priority stands before, is
// handed out after at most S * 8 / 7 + 1 others, S being the senders that have mail due there.
// Lanes keep the slow from standing in the way of the quick (RELIABILITY.md 6, "Slow peers"). What
// counts is how long a site keeps a worker until it has answered, whatever the answer: a site that
// puts mail off at once (greylisting) is quick. One that is not known to be quick never gets the
// last quarter of the workers, and those known to be slow get a quarter together, one worker each.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/recent.h"
#include "store/mailbox/change.h"
#include "store/queue/queue.h"

namespace godwit::flow {

/// What is due later than this is left on disk: the first two retries of new mail fall within it.
inline constexpr std::chrono::minutes outbound_foresight(10);
/// Due deliveries of all sites of a shard kept in memory, about 250 octets each. Past it, only
/// sites at work keep any, outbound_window_crowded each.
inline constexpr std::size_t outbound_kept_max = 50'000;
inline constexpr std::size_t outbound_window_crowded = 64;
/// Concurrent deliveries to a site that nothing is known of yet: two, so that one that hangs does
/// not stop the other. An attempt that was answered in good time lifts it to
/// limits.deliveries_per_site.
inline constexpr std::uint32_t outbound_new_site_workers_max = 2;
/// An attempt that was answered in this time shows a quick site: a healthy server answers all
/// commands in a few seconds.
inline constexpr std::chrono::seconds outbound_quick_delivery(5);
/// An attempt that took longer and got no answer shows a slow site; so does one that took much
/// longer, answered or not. A message of 50 MiB takes a minute over a common line; DNS that is
/// silent (dns_lookup_timeout) is slow.
inline constexpr std::chrono::seconds outbound_slow_attempt(10);
inline constexpr std::chrono::seconds outbound_slow_delivery(60);
/// One turn in so many is that of what is due longest.
inline constexpr std::uint32_t outbound_oldest_turn = 8;
/// What a sender's turn with one message counts beside 1: its size in these.
inline constexpr std::uint64_t outbound_turn_octets = 256 * 1024;
/// Kept of a site though they lie behind its window: mail just come from senders that have nothing
/// else there. Else a backlog longer than the window would hide them.
inline constexpr std::size_t outbound_guests_max = 64;
/// Deliveries of one worker in a row while other sites wait: few enough for their patience, many
/// enough to pay for the connection. Where a site is not known to be quick it is one.
inline constexpr std::uint32_t outbound_turn_max = 20;

/// What the order within a site depends on.
struct DueTraits {
    std::uint64_t sender = 0;  ///< A number for the sender; 0: not known, which is one sender too.
    std::uint64_t size = 0;    ///< Octets.
    std::int8_t priority = 0;  ///< MT-PRIORITY, -9..9.
};

/// The sites of one shard. One thread.
class DueBoard {
public:
    /// What is known of a message; empty: nothing ever.
    using TraitsOf = std::function<DueTraits(MailId)>;
    explicit DueBoard(TraitsOf traits_of = {}) : traits_of_(std::move(traits_of)) {}

    /// Whether a site may have one more worker now.
    struct Entry {
        enum class Kind : std::uint8_t { Open, Wait, Until } kind = Kind::Open;
        WallTime until{};  ///< Of Until. Wait: until wake().
    };
    /// What is to be done now.
    struct Orders {
        std::vector<store::DueDelivery> workers;  ///< A new worker each, with its first delivery.
        std::vector<store::DueRange> refills;  ///< To be read, then refilled() or refill_failed().
    };
    struct Bounds {
        std::uint32_t workers_max = 0;  ///< Of all sites together.
        /// Of one site; asked once for each site that is looked at.
        std::function<std::uint32_t(const std::string& site)> site_workers_max;
        /// Asked before a worker begins; empty: always Open.
        std::function<Entry(const std::string& site)> entry{};
    };
    /// How the attempt at a delivery ended.
    struct Ending {
        /// Its commit has been learned by now, if it has a new time; else it waits as before.
        bool is_settled = true;
        /// The peer took it or said why not. Otherwise it could not be reached, fell silent, or the
        /// fault was ours.
        bool is_answered = false;
        WallTime now{};
        Duration took{};
    };

    /// A commit made, moved, held or ended a delivery.
    void learn(const store::QueueChange::Item& item, WallTime now);
    /// There are rows of this site on disk; this is the first of them.
    void learn_site(const store::DueDelivery& first);

    /// Whatever may begin by `now`. Looks only at sites whose time has come.
    Orders plan(WallTime now, const Bounds& bounds);
    /// When plan() would have something to do, but for what waits for a worker's end: the first
    /// look later than `after`, the time of the last plan; max when never.
    [[nodiscard]] WallTime next_look(WallTime after = WallTime::min()) const;

    /// The next delivery for a worker of `site` that has had `given` so far; nullopt: end it.
    /// `others_wait`: for the connection that this worker has.
    std::optional<store::DueDelivery> take(const std::string& site, WallTime now,
                                           std::uint32_t given, bool others_wait = false);
    /// A delivery that was given out is in nobody's hand any more. True when its site may have more
    /// workers now than before.
    bool done(const store::DueDelivery& taken, const Ending& ending);
    /// Nothing of this site before `until`.
    void pause(const std::string& site, WallTime until);
    /// No further worker for this site before wake().
    void wait_for_room(const std::string& site);
    void wake(const std::string& site);
    void worker_ended(const std::string& site);

    /// The rows of a refill as store::due_deliveries gives them.
    void refilled(const store::DueRange& asked, const std::vector<store::DueDelivery>& found);
    void refill_failed(const std::string& site, WallTime again_at);

    [[nodiscard]] std::uint32_t workers() const { return workers_; }
    [[nodiscard]] std::size_t sites() const { return sites_.size(); }
    /// How many are kept and in nobody's hand: of this site (at most outbound_window_max), of all.
    [[nodiscard]] std::size_t waiting(const std::string& site) const;
    [[nodiscard]] std::size_t waiting() const { return waiting_; }

private:
    using RowId = std::pair<MailId, std::uint32_t>;
    struct RowHash {
        std::size_t operator()(const RowId& entry) const {
            return std::hash<MailId>()(entry.first) ^ entry.second;
        }
    };
    struct EntryState {
        std::optional<WallTime> due;  ///< Empty: gone or held while in hand.
        bool is_in_hand = false;
        DueTraits traits{};
    };
    /// Mail of one priority of one sender that is in nobody's hand.
    struct Turn {
        std::set<store::DuePlace> places;
        double had = 0;  ///< Messages and their size, counted up from those before it.
    };
    using TurnKey = std::pair<int, std::uint64_t>;  ///< Minus the priority, sender.
    /// Better ones first. Steady: answers, and takes its time.
    enum class Lane : std::uint8_t { Quick, Steady, New, Slow };
    static constexpr std::size_t kLanes = 4;
    using AgendaKey = std::pair<WallTime, std::uint64_t>;
    struct Site {
        std::string name;
        std::uint64_t serial = 0;  ///< Order among sites of one time.
        std::unordered_map<RowId, EntryState, RowHash> entries;
        std::set<store::DuePlace> waiting;  ///< Not in hand; bounded; before the horizon.
        std::set<store::DuePlace> guests;   ///< Not in hand; bounded; behind the horizon.
        std::map<TurnKey, Turn> turns;      ///< All of both.
        std::uint32_t turns_given = 0;
        bool waits_for_room = false;
        Lane lane = Lane::New;
        std::uint32_t workers = 0;
        std::uint32_t workers_max =
            std::numeric_limits<std::uint32_t>::max();  ///< At the last look.
        bool has_more_on_disk = false;
        /// With more on disk: all rows before this place are in `entries`.
        store::DuePlace horizon{.due = WallTime::max()};
        bool is_refilling = false;
        bool is_reserved = false;  ///< A worker will begin when the refill has come.
        /// What came during the refill and was not kept: from here on it may be missing from both.
        store::DuePlace spilled_from{.due = WallTime::max()};
        WallTime paused_until{};
        WallTime served_at{};             ///< Its last turn.
        std::optional<WallTime> work_at;  ///< Its place in the agenda of its lane.
        std::optional<WallTime> read_at;  ///< Its place among those at work whose window runs low.
    };

    Site& site(const std::string& name);
    Site* find(const std::string& name);
    static std::size_t index(Lane lane) { return static_cast<std::size_t>(lane); }
    static std::uint32_t workers_max(const Site& at);
    static std::uint32_t turn_max(const Site& at);
    static Lane lane_after(Lane before, const Ending& ending);
    static bool has_room(const Site& at) { return at.workers < workers_max(at); }
    [[nodiscard]] bool has_room(Lane lane, std::uint32_t total) const;
    [[nodiscard]] bool must_yield(const Site& at, WallTime now, std::uint32_t given);
    void clock_put_back();
    bool change_lane(Site& at, Lane lane);
    [[nodiscard]] Site* next_site(WallTime now, std::uint32_t workers_max) const;
    [[nodiscard]] std::size_t refill_rows() const;
    [[nodiscard]] std::size_t window_max(const Site& at) const;
    void engage(Site& at, std::int32_t by);
    void keep(Site& at, const store::DuePlace& place, WallTime now);
    void spill(Site& at, const store::DuePlace& from);
    void trim(Site& at);
    void forget(Site& at, const store::DuePlace& place);
    void enroll(Site& at, const store::DuePlace& place, bool is_guest, DueTraits traits);
    bool keep_as_guest(Site& at, const store::DuePlace& place, WallTime now);
    static void strike(Site& at, const store::DuePlace& place, const DueTraits& traits);
    static store::DuePlace next_place(const Site& at, WallTime now);
    [[nodiscard]] DueTraits traits_of(MailId mail) const;
    void order_refill(Site& at, WallTime now, Orders& orders);
    void release(Site& at);
    std::optional<store::DueDelivery> take_from(Site& at, WallTime now);
    [[nodiscard]] static std::optional<WallTime> first_due(const Site& at);
    [[nodiscard]] static std::optional<WallTime> wanted_work(const Site& at);
    [[nodiscard]] std::optional<WallTime> wanted_read(const Site& at) const;
    /// Puts the site where it belongs in the agendas, or forgets it when it is empty. `at` may be
    /// dead afterwards.
    void settle(Site& at);

    TraitsOf traits_of_;
    std::unordered_map<std::string, std::unique_ptr<Site>> sites_;
    std::array<std::map<AgendaKey, Site*>, kLanes> agendas_;  ///< By lane.
    std::map<AgendaKey, Site*> reads_;
    std::array<std::uint32_t, kLanes>
        engaged_{};  ///< By lane: workers, and refills that one waits for.
    Recent<std::string, Lane> known_{kRecentBound};
    std::uint64_t next_serial_ = 0;
    std::uint32_t workers_ = 0;
    std::size_t waiting_ = 0;
    WallTime planned_at_{};  ///< The last plan() and its bound.
    std::uint32_t planned_workers_ = 0;
};

}  // namespace godwit::flow
