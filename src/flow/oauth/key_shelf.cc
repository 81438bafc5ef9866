#include "flow/oauth/key_shelf.h"

#include <utility>

namespace godwit::flow {

KeyShelf::Step KeyShelf::next(const std::string& name, bool wants_newer, MonoTime now) {
    if (!sets_.contains(name) && sets_.size() >= key_sets_max) {
        sets_.clear();
    }
    Set& set = sets_[name];
    const bool is_usable = set.keys && now - set.fetched_at < keys_stale_max;
    const bool is_fresh = set.keys && now - set.fetched_at < keys_refresh_after;
    if (is_fresh && !wants_newer) {
        return {Next::Take, set.keys};
    }
    if (set.is_fetching) {
        return is_usable && !wants_newer ? Step{Next::Take, set.keys} : Step{Next::Wait};
    }
    if (set.tried_at && now - *set.tried_at < keys_fetch_pause) {
        return is_usable ? Step{Next::Take, set.keys} : Step{Next::GiveUp};
    }
    set.is_fetching = true;
    set.tried_at = now;
    return {Next::Fetch, is_usable ? set.keys : Keys()};
}

void KeyShelf::end(const std::string& name, Keys keys, MonoTime now) {
    Set& set = sets_[name];
    set.is_fetching = false;
    set.tried_at = now;
    if (keys) {
        set.keys = std::move(keys);
        set.fetched_at = now;
    }
}

}  // namespace godwit::flow
