// A body on its way in: held in memory within a budget, else in a file of its own.
// Law: STORE.md "The commit path" (Bodies); limits::body_memory_*.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/crypto.h"
#include "store/blob/blob.h"
#include "store/blob/segment.h"
#include "store/blob/segment_files.h"

namespace godwit::store {

/// Octets of all bodies in memory that no commit has taken yet. Thread-safe.
class BodyBudget {
public:
    [[nodiscard]] bool take(std::size_t octets);
    void give(std::size_t octets) { used_.fetch_sub(octets); }
    [[nodiscard]] std::size_t used() const { return used_.load(); }

private:
    std::atomic<std::size_t> used_ = 0;
};

class BodyCharge {
public:
    // Charges travel in plans, which may outlive the store they were made by.
    explicit BodyCharge(std::shared_ptr<BodyBudget> budget) : budget_(std::move(budget)) {}
    ~BodyCharge() { budget_->give(octets_); }
    BodyCharge(const BodyCharge&) = delete;
    BodyCharge& operator=(const BodyCharge&) = delete;
    [[nodiscard]] bool grow(std::size_t octets);

private:
    std::shared_ptr<BodyBudget> budget_;
    std::size_t octets_ = 0;
};

/// A one-record segment file. Written by one writer; then read and taken by the commit thread.
class SpooledBody {
public:
    static Result<std::shared_ptr<SpooledBody>> create(std::shared_ptr<SegmentFiles> files);
    ~SpooledBody();
    SpooledBody(const SpooledBody&) = delete;
    SpooledBody& operator=(const SpooledBody&) = delete;

    [[nodiscard]] Result<> append(std::string_view bytes);
    /// Writes headers and tail; `is_kept` syncs file and folder, as the file will stay.
    [[nodiscard]] Result<> finish(const BlobId& id, CommitSeq durable, bool is_kept);
    [[nodiscard]] Result<std::string> read_all(const BlobId& id) const;
    [[nodiscard]] SegmentPlace place() const { return {segment_, segment_header_size}; }
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// A commit refers to the file: it is not deleted with this object.
    void keep() { is_kept_.store(true); }

private:
    SpooledBody(std::shared_ptr<SegmentFiles> files, std::uint32_t segment,
                std::unique_ptr<File> file);
    // Shared with the blob store: a body in a plan may outlive it.
    std::shared_ptr<SegmentFiles> files_;
    std::uint32_t segment_;
    std::unique_ptr<File> file_;  ///< Open until finish().
    std::uint64_t size_ = 0;
    std::uint32_t frame_crc_ = 0;
    std::atomic<bool> is_kept_ = false;
};

class FileBlobWriter final : public BlobWriter {
public:
    FileBlobWriter(std::shared_ptr<SegmentFiles> files, const std::shared_ptr<BodyBudget>& budget,
                   const std::atomic<std::uint64_t>* durable);
    [[nodiscard]] Result<> append(std::string_view bytes) override;
    [[nodiscard]] bool is_spooling() const override { return spool_ != nullptr; }
    [[nodiscard]] std::uint64_t size() const override { return size_; }
    [[nodiscard]] Result<NewBody> finish() override;

private:
    std::shared_ptr<SegmentFiles> files_;
    std::shared_ptr<BodyCharge> charge_;
    const std::atomic<std::uint64_t>* durable_;  // Of the store, which outlives its writers.
    std::string memory_;
    std::shared_ptr<SpooledBody> spool_;
    Sha256Stream hash_;
    std::uint64_t size_ = 0;
};

}  // namespace godwit::store
