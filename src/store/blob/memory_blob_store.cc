// Bodies of any size in the rows of the key store: tests and the simulator, where one crash model
// (the engine's) is enough.
#include "base/crypto.h"
#include "base/limits.h"
#include "store/blob/blob.h"
#include "store/kv/key.h"

namespace godwit::store {
namespace {

class MemoryWriter final : public BlobWriter {
public:
    [[nodiscard]] Result<> append(std::string_view bytes) override {
        if (body_.size() + bytes.size() > limits::blob_size_max) {
            return temporary_error(ErrorCode::LimitExceeded,
                                   "body exceeds limits.h: blob_size_max");
        }
        body_.append(bytes);
        return {};
    }
    [[nodiscard]] bool is_spooling() const override { return false; }
    [[nodiscard]] std::uint64_t size() const override { return body_.size(); }
    [[nodiscard]] Result<NewBody> finish() override {
        NewBody body;
        body.id.hash = sha256(body_);
        body.size = body_.size();
        body.content = std::move(body_);
        return body;
    }

private:
    std::string body_;
};

class MemoryBlobStore final : public BlobStore {
public:
    explicit MemoryBlobStore(Kv* kv) : kv_(kv) {}

    [[nodiscard]] std::unique_ptr<BlobWriter> writer() override {
        return std::make_unique<MemoryWriter>();
    }
    [[nodiscard]] Result<std::string> read(const BlobId& id, std::uint64_t offset,
                                           std::uint64_t length, ReadTier tier) const override {
        BlobLocation location = TRY(locate(id, tier));
        std::string& bytes = std::get<std::string>(location.place);
        if (offset == 0 && length >= bytes.size() && sha256(bytes) != id.hash) {
            return internal_error(ErrorCode::Corrupt, "body does not have the hash " + id.to_hex());
        }
        if (offset >= bytes.size()) {
            return std::string();
        }
        return bytes.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(length));
    }
    [[nodiscard]] Result<std::uint64_t> size(const BlobId& id, ReadTier tier) const override {
        return TRY(locate(id, tier)).size;
    }
    [[nodiscard]] Result<Staged> stage(NewBody body, Batch& batch) override {
        auto* bytes = std::get_if<std::string>(&body.content);
        check(bytes != nullptr, "a spooled body in a store in memory");
        const bool is_known = TRY(kv_->get(blob_location_key(body.id), ReadTier::Disk)).has_value();
        batch.put(blob_location_key(body.id),
                  encode(BlobLocation{.size = body.size, .place = std::move(*bytes)}));
        return is_known ? Staged::Known : Staged::New;
    }
    [[nodiscard]] Result<> mend(NewBody body, Batch& batch) override {
        if (TRY(kv_->get(blob_location_key(body.id), ReadTier::Disk))) {
            TRY(stage(std::move(body), batch));
        }
        return {};
    }
    [[nodiscard]] Result<> stage_removal(const BlobId& id, Batch& batch) override {
        batch.erase(blob_location_key(id));
        return {};
    }
    [[nodiscard]] Result<bool> sync(Batch& /*batch*/) override { return false; }
    void committed(CommitSeq /*seq*/) override {}
    [[nodiscard]] Result<TendStep> tend(MonoTime /*now*/, std::uint64_t /*bytes_max*/) override {
        return TendStep{};
    }
    [[nodiscard]] SegmentHold hold_segments() override { return {}; }

private:
    [[nodiscard]] Result<BlobLocation> locate(const BlobId& id, ReadTier tier) const {
        const auto value = TRY(kv_->get(blob_location_key(id), tier));
        if (!value) {
            return internal_error(ErrorCode::NotFound, "no body " + id.to_hex());
        }
        return decode_blob_location(*value);
    }
    Kv* kv_;
};

}  // namespace

std::unique_ptr<BlobStore> make_memory_blob_store(Kv* kv) {
    return std::make_unique<MemoryBlobStore>(kv);
}

}  // namespace godwit::store
