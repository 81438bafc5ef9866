// Reads bodies of a store that may not open: by place, and by searching the segments.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "store/blob/blob.h"
#include "store/blob/file.h"
#include "store/blob/segment.h"

namespace godwit::store {

class BodyReader {
public:
    /// `files` may be null: no segments.
    BodyReader(FileSystem* files, std::string folder) : files_(files), folder_(std::move(folder)) {}

    /// The whole body, its hash compared. Corrupt, NotFound, Io.
    Result<std::string> read(const BlobId& id, const BlobLocation& location);
    /// Its header stands at its place.
    Result<> look(const BlobId& id, const BlobLocation& location);
    /// Octets of a segment's file; NotFound.
    Result<std::uint64_t> size_of(std::uint32_t segment);

    /// Whole records of bodies in `wanted`, wherever they are: passes over what is damaged between
    /// them. Calls found(id, location); each is verified.
    template <class Found>
    Result<> search(const std::unordered_set<BlobId>& wanted, Found found) {
        for (const std::uint32_t segment : TRY(segments())) {
            for (const auto& [header, offset] : TRY(records(segment))) {
                if (!wanted.contains(header.id)) {
                    continue;
                }
                const BlobLocation location{
                    .size = header.size,
                    .place = SegmentPlace{.segment = segment, .offset = offset}};
                if (read(header.id, location)) {
                    TRY(found(header.id, location));
                }
            }
        }
        return {};
    }
    Result<std::vector<std::uint32_t>> segments();
    /// Headers that hold, in order, with the offsets of their records.
    Result<std::vector<std::pair<RecordHeader, std::uint64_t>>> records(std::uint32_t segment);
    /// What the file's own header says; nullopt when it does not hold.
    Result<std::optional<SegmentHeader>> header_of(std::uint32_t segment);

private:
    Result<const File*> open(std::uint32_t segment);

    FileSystem* files_;
    std::string folder_;
    std::uint32_t opened_ = 0;  // The one file that is kept open.
    std::unique_ptr<File> file_;
};

}  // namespace godwit::store
