#include "flow/sound_body.h"

#include <algorithm>

#include "base/recent.h"
#include "net/io/locked.h"
#include "net/io/offload.h"
#include "store/store.h"

namespace godwit::flow {

namespace {

constexpr std::uint64_t kStep = 64 * 1024;

/// Bodies of one server that are whole from an offset on: one process holds several servers in
/// tests alone.
class SoundBodies {
public:
    bool knows(const Services* services, const BlobId& blob, std::uint64_t offset) {
        const std::uint64_t* const from = known_.find(blob);
        return services == services_ && from != nullptr && *from <= offset;
    }
    void add(const Services* services, const BlobId& blob, std::uint64_t offset) {
        if (services != services_) {
            known_.clear();
            services_ = services;
        }
        known_.set(blob, offset);
    }
    void erase(const BlobId& blob) { known_.erase(blob); }

private:
    const Services* services_ = nullptr;
    Recent<BlobId, std::uint64_t> known_{kRecentBound};
};

net::Locked<SoundBodies>& sound_bodies() {
    static net::Locked<SoundBodies> bodies;
    return bodies;
}

Result<> read_through(store::Store& store, const BlobId& blob, std::uint64_t offset,
                      std::uint64_t length) {
    while (length > 0) {
        const std::uint64_t wanted = std::min(length, kStep);
        const std::string piece =
            TRY(store.blobs().read(blob, offset, wanted, store::ReadTier::Disk));
        if (piece.size() != wanted) {
            return internal_error(ErrorCode::Corrupt,
                                  "a stored body is shorter than its record says");
        }
        offset += wanted;
        length -= wanted;
    }
    return {};
}

}  // namespace

net::Task<Result<>> check_body(const Services* services, BlobId blob, std::uint64_t offset,
                               std::uint64_t length) {
    const bool is_known = sound_bodies().with(
        [&](SoundBodies& bodies) { return bodies.knows(services, blob, offset); });
    if (is_known || length == 0) {
        co_return Result<>();
    }
    store::Store* const store = services->store;
    const std::uint64_t size = CO_TRY(
        co_await net::offload(services->offload, [store, blob, offset, length]() -> Result<std::uint64_t> {
            TRY(read_through(*store, blob, offset, length));
            return store->blobs().size(blob, store::ReadTier::Disk);
        }));
    if (offset + length >= size) {
        sound_bodies().with([&](SoundBodies& bodies) { bodies.add(services, blob, offset); });
    }
    co_return Result<>();
}

void forget_sound_body(const BlobId& blob) {
    sound_bodies().with([&](SoundBodies& bodies) { bodies.erase(blob); });
}

}  // namespace godwit::flow
