#include "store/blob/spool.h"

#include <algorithm>
#include <deque>

#include "base/limits.h"
#include "base/probe.h"

namespace godwit::store {

bool BodyBudget::take(std::size_t octets) {
    std::size_t used = used_.load();
    do {
        if (used + octets > limits::body_memory_total_max) {
            return false;
        }
    } while (!used_.compare_exchange_weak(used, used + octets));
    return true;
}

bool BodyCharge::grow(std::size_t octets) {
    if (!budget_->take(octets)) {
        return false;
    }
    octets_ += octets;
    return true;
}

SpooledBody::SpooledBody(std::shared_ptr<SegmentFiles> files, std::uint32_t segment,
                         std::unique_ptr<File> file)
    : files_(std::move(files)), segment_(segment), file_(std::move(file)) {}

SpooledBody::~SpooledBody() {
    if (!is_kept_.load()) {
        // A file that stays behind is removed at the next start: nothing refers to it.
        crash_point<"blob.spool_given_up">();
        (void)files_->remove(segment_);
    }
}

Result<std::shared_ptr<SpooledBody>> SpooledBody::create(std::shared_ptr<SegmentFiles> files) {
    const std::uint32_t segment = files->next_own();
    std::unique_ptr<File> file = TRY(files->files().open(files->path(segment), OpenMode::Create));
    crash_point<"blob.spool_made">();
    return std::shared_ptr<SpooledBody>(
        new SpooledBody(std::move(files), segment, std::move(file)));
}

Result<> SpooledBody::append(std::string_view bytes) {
    const std::uint64_t start = segment_header_size + offset_in_record(size_);
    std::vector<std::string_view> pieces;
    std::deque<std::string> checksums;
    while (!bytes.empty()) {
        const std::uint64_t filled = size_ % limits::blob_frame_size;
        const std::string_view part =
            bytes.substr(0, static_cast<std::size_t>(limits::blob_frame_size - filled));
        bytes.remove_prefix(part.size());
        frame_crc_ =
            crc32c(part, filled == 0 ? frame_seed(size_ / limits::blob_frame_size) : frame_crc_);
        size_ += part.size();
        pieces.push_back(part);
        if (size_ % limits::blob_frame_size == 0) {
            pieces.push_back(checksums.emplace_back(frame_checksum(frame_crc_)));
        }
    }
    TRY(file_->write_at(start, pieces));
    crash_point<"blob.spool_grown">();
    return {};
}

Result<> SpooledBody::finish(const BlobId& id, CommitSeq durable, bool is_kept) {
    const RecordHeader header{.size = size_, .durable = durable, .id = id};
    const bool is_frame_open = size_ % limits::blob_frame_size != 0;
    std::string end = is_frame_open ? frame_checksum(frame_crc_) : std::string();
    const std::uint64_t at = segment_header_size + offset_in_record(size_);
    end += encode_record_tail(header);
    const std::string head =
        encode(SegmentHeader{.number = segment_, .durable = durable, .store = files_->store()}) +
        encode(header);
    const std::string_view head_view = head;
    const std::string_view end_view = end;
    TRY(file_->write_at(at, {&end_view, 1}));
    crash_point<"blob.spool_without_head">();
    TRY(file_->write_at(0, {&head_view, 1}));
    crash_point<"blob.spool_written">();
    if (is_kept) {
        TRY(file_->sync());
        crash_point<"blob.spool_synced">();
        TRY(files_->files().sync_folder(files_->folder()));
        crash_point<"blob.spool_named">();
    }
    // A plan may hold as many finished bodies as MULTIAPPEND takes messages: no descriptor each.
    file_ = nullptr;
    return {};
}

Result<std::string> SpooledBody::read_all(const BlobId& id) const {
    const RecordRange range = range_of(size_, 0, size_);
    const std::unique_ptr<File> file =
        TRY(files_->files().open(files_->path(segment_), OpenMode::Read));
    std::string raw;
    TRY(file->read_at(segment_header_size, range.size, ReadTier::Disk, raw));
    return open_range(std::move(raw), range, id, size_);
}

FileBlobWriter::FileBlobWriter(std::shared_ptr<SegmentFiles> files,
                               const std::shared_ptr<BodyBudget>& budget,
                               const std::atomic<std::uint64_t>* durable)
    : files_(std::move(files)), charge_(std::make_shared<BodyCharge>(budget)), durable_(durable) {}

Result<> FileBlobWriter::append(std::string_view bytes) {
    if (size_ + bytes.size() > limits::blob_size_max) {
        return temporary_error(ErrorCode::LimitExceeded, "body exceeds limits.h: blob_size_max");
    }
    hash_.update(bytes);
    size_ += bytes.size();
    if (spool_ == nullptr) {
        if (size_ <= files_->sizes().memory_max && charge_->grow(bytes.size())) {
            memory_.append(bytes);
            return {};
        }
        spool_ = TRY(SpooledBody::create(files_));
        TRY(spool_->append(memory_));
        memory_ = std::string();
        charge_ = nullptr;
    }
    return spool_->append(bytes);
}

Result<NewBody> FileBlobWriter::finish() {
    NewBody body;
    body.id.hash = hash_.finish();
    body.size = size_;
    if (spool_ == nullptr) {
        body.content = std::move(memory_);
        body.charge = std::move(charge_);
        return body;
    }
    // Smaller ones are copied into the open segment by the commit, which syncs them there.
    const bool is_kept = size_ >= files_->sizes().own_file_min;
    TRY(spool_->finish(body.id, CommitSeq(durable_->load()), is_kept));
    body.content = std::move(spool_);
    return body;
}

}  // namespace godwit::store
