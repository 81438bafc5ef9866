// The outlets and the dead hosts as all shards share them, and a worker's place at one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "flow/outbound/host_cache.h"
#include "flow/outbound/outlet_book.h"
#include "flow/services.h"
#include "net/io/locked.h"

namespace godwit::flow {

/// Any thread.
class Outlets {
public:
    /// `wake` is called when a user that was told Full may come: any thread, must not block.
    using Wake = std::function<void(const OutletUser& user, const OutletKey& key)>;
    Outlets(const Services* services, Wake wake) : services_(services), wake_(std::move(wake)) {}

    /// For a site whose outlet is known; Granted where it is not.
    OutletBook::Answer ask(const OutletUser& user);
    OutletBook::Answer enter(const OutletKey& key, const OutletUser& user, std::uint32_t limit,
                             bool is_forced);
    void report(const OutletKey& key, const OutletReport& report);
    void leave(const OutletKey& key);
    /// Some who were woken may have nothing to send any more: whoever is next may come.
    void nudge(const OutletKey& key);
    [[nodiscard]] bool has_line(const OutletKey& key, const OutletUser& user);
    /// The outlet that mail for this site went to.
    /// `is_only`: by no other source.
    void remember(const std::string& site, OutletKey key, std::uint32_t limit, bool is_only);
    /// An operator wants mail for these sites tried now.
    void end_pauses(const std::vector<std::string>& sites);

    [[nodiscard]] std::vector<OutletState> states();
    [[nodiscard]] std::vector<OutletState> states_of(const std::string& site);
    /// The name of the hosts that mail for the site went to last; empty: not known.
    [[nodiscard]] std::string hosts_of(const std::string& site);
    [[nodiscard]] std::vector<DeadHost> dead_hosts();
    net::Locked<HostCache>& hosts() { return hosts_; }
    [[nodiscard]] MonoTime now() const { return services_->clock->mono(); }

private:
    void tell(const std::vector<OutletUser>& woken, const OutletKey& key);

    const Services* services_;
    Wake wake_;
    net::Locked<OutletBook> book_;
    net::Locked<HostCache> hosts_;
};

/// A worker's place at an outlet, given back at its end. One coroutine.
class OutletSlot {
public:
    /// `outlets` outlives it.
    OutletSlot(Outlets* outlets, OutletUser user) : outlets_(outlets), user_(std::move(user)) {}
    ~OutletSlot() { leave(); }
    OutletSlot(const OutletSlot&) = delete;
    OutletSlot& operator=(const OutletSlot&) = delete;

    /// Has the place at this outlet afterwards, unless it is full or paused; a place at another one
    /// is given back.
    OutletBook::Answer claim(OutletKey key, std::uint32_t limit, bool is_forced);
    void report(const OutletReport& report);
    void leave();
    [[nodiscard]] bool others_wait() const { return key_ && outlets_->has_line(*key_, user_); }
    [[nodiscard]] Outlets& outlets() const { return *outlets_; }
    [[nodiscard]] const OutletUser& user() const { return user_; }

private:
    Outlets* outlets_;
    OutletUser user_;
    std::optional<OutletKey> key_;
};

}  // namespace godwit::flow
