#include "flow/outbound/peer_quirks.h"

namespace godwit::flow {

void PeerQuirks::note(const net::Endpoint& at, PeerQuirk quirk, MonoTime now) {
    known_.with([&](Recent<std::string, Known>& known) {
        const Known* before = known.find(at.to_string());
        Known after{.quirks = static_cast<std::uint8_t>(quirk), .until = now + peer_quirks_memory};
        if (before != nullptr && now < before->until) {
            after.quirks |= before->quirks;
        }
        known.set(at.to_string(), after);
    });
}

PeerManners PeerQuirks::of(const net::Endpoint& at, MonoTime now) {
    return known_.with([&](Recent<std::string, Known>& known) {
        PeerManners manners;
        const Known* found = known.find(at.to_string());
        if (found == nullptr || now >= found->until) {
            return manners;
        }
        const auto has = [found](PeerQuirk quirk) {
            return (found->quirks & static_cast<std::uint8_t>(quirk)) != 0;
        };
        manners.may_pipeline = !has(PeerQuirk::HangsInGroups);
        manners.is_behind_fixup = has(PeerQuirk::Fixup);
        return manners;
    });
}

}  // namespace godwit::flow
