// Servers that hang on what others do: the next attempt speaks as plainly to them as they
// need. SMTP-BEHAVIOUR.md C18, E14.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/recent.h"
#include "net/io/endpoint.h"
#include "net/io/locked.h"

namespace godwit::flow {

/// How long it is remembered of an address; then the full protocol is tried again.
inline constexpr std::chrono::hours peer_quirks_memory(4);
/// Addresses remembered, some 100 octets each.
inline constexpr std::size_t peer_quirks_max = 10'000;

/// C18: before the last dot. As Postfix's smtp_pix_workaround_delay_time.
inline constexpr std::chrono::seconds fixup_pause(10);

enum class PeerQuirk : std::uint8_t {
    HangsInGroups = 1,  ///< E14: no answer to a group of commands: one at a time.
    Fixup = 2,  ///< C18: a firewall rewrites the session: HELO, and the last dot after a pause.
};

struct PeerManners {
    bool may_pipeline = true;
    bool is_behind_fixup = false;
    bool operator==(const PeerManners&) const = default;
};

/// Any thread. Forgotten at a restart.
class PeerQuirks {
public:
    void note(const net::Endpoint& at, PeerQuirk quirk, MonoTime now);
    [[nodiscard]] PeerManners of(const net::Endpoint& at, MonoTime now);

private:
    struct Known {
        std::uint8_t quirks = 0;
        MonoTime until{};
    };
    net::Locked<Recent<std::string, Known>> known_{peer_quirks_max};
};

}  // namespace godwit::flow
