// The keys that issuers publish, as long as they hold: which are taken, and who fetches newer ones.
// RFC 7517; OpenID Connect Discovery 1.0. Pure: time is an argument.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "wire/oauth/jwk.h"

namespace godwit::flow {

/// Published keys are taken as they are for so long; issuers announce new ones days before.
inline constexpr std::chrono::minutes keys_refresh_after{60};
/// And for so long when no newer ones can be had.
inline constexpr std::chrono::hours keys_stale_max{24};
/// A token with an unknown key, or a failure, leads to another fetch no sooner: tokens are made up
/// for nothing.
inline constexpr std::chrono::seconds keys_fetch_pause{60};
/// Sets kept: emptied when there are more, of configurations that are no more.
inline constexpr std::size_t key_sets_max = 32;

/// Sets of keys by a name. One thread at a time.
class KeyShelf {
public:
    using Keys = std::shared_ptr<const std::vector<oauth::Jwk>>;
    enum class Next : std::uint8_t {
        Take,   ///< `keys`.
        Wait,   ///< Somebody fetches: ask again in a while.
        Fetch,  ///< The caller fetches, and says end() or abandon(). `keys`: should it fail.
        GiveUp  ///< There are none, and it is too early to try again.
    };
    struct Step {
        Next next = Next::GiveUp;
        Keys keys{};
    };

    /// For whoever wants the set `name`; `wants_newer`: a key was not among those that are kept.
    Step next(const std::string& name, bool wants_newer, MonoTime now);
    /// A fetch has ended; null: without any.
    void end(const std::string& name, Keys keys, MonoTime now);
    /// A fetch has ended in the middle.
    void abandon(const std::string& name) { sets_[name].is_fetching = false; }

private:
    struct Set {
        Keys keys;
        MonoTime fetched_at{};
        std::optional<MonoTime> tried_at;
        bool is_fetching = false;
    };
    std::map<std::string, Set> sets_;
};

}  // namespace godwit::flow
