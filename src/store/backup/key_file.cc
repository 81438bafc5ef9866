#include "store/backup/key_file.h"

#include <algorithm>

#include "store/kv/key.h"

namespace godwit::store {
namespace {

Result<std::string> read_exactly(const File& file, std::uint64_t offset, std::uint64_t size) {
    std::string octets;
    TRY(file.read_at(offset, static_cast<std::size_t>(size), ReadTier::Disk, octets));
    if (octets.size() != size) {
        return internal_error(ErrorCode::Corrupt, "the key file is cut short");
    }
    return octets;
}

}  // namespace

Result<> HashedWriter::append(std::string_view octets) {
    TRY(file_->write_at(size_, {&octets, 1}));
    hash_.update(octets);
    size_ += octets.size();
    return {};
}

Result<KeyFileWriter> KeyFileWriter::begin(std::unique_ptr<File> file,
                                           const KeyFileHeader& header) {
    KeyFileWriter writer(std::move(file));
    TRY(writer.out_.append(encode(header)));
    return writer;
}

Result<> KeyFileWriter::add(std::string_view key, std::string_view value) {
    if (key.empty() || key.size() > backup_key_size_max ||
        value.size() > backup_block_size_max - 2 * backup_key_size_max) {
        return internal_error(ErrorCode::LimitExceeded,
                              "a row of " + std::to_string(key.size() + value.size()) +
                                  " octets exceeds backup_block_size_max");
    }
    if (!block_.is_empty() && block_.size() + key.size() + value.size() > backup_block_size) {
        TRY(end_block());
    }
    block_.add(key, value);
    ++rows_;
    return {};
}

Result<> KeyFileWriter::end_block() {
    const auto number = static_cast<std::uint32_t>(index_.size());
    index_.push_back({.offset = out_.size(), .first_key = block_.first_key()});
    return out_.append(block_.take(number));
}

Result<Sha256Digest> KeyFileWriter::finish() {
    if (!block_.is_empty()) {
        TRY(end_block());
    }
    const KeyFileTrailer trailer{.index_offset = out_.size(),
                                 .rows = rows_,
                                 .blocks = static_cast<std::uint32_t>(index_.size())};
    TRY(out_.append(encode(index_)));
    TRY(out_.append(encode(trailer)));
    TRY(out_.sync());
    return out_.finish();
}

Result<KeyFileReader> KeyFileReader::open(std::unique_ptr<File> file) {
    KeyFileReader reader;
    reader.file_ = std::move(file);
    const std::uint64_t size = TRY(reader.file_->size());
    if (size < key_file_header_size + key_file_trailer_size) {
        return internal_error(ErrorCode::Corrupt, "the key file is cut short");
    }
    reader.header_ =
        TRY(decode_key_file_header(TRY(read_exactly(*reader.file_, 0, key_file_header_size))));
    const std::uint64_t index_end = size - key_file_trailer_size;
    reader.trailer_ = TRY(decode_key_file_trailer(
        TRY(read_exactly(*reader.file_, index_end, key_file_trailer_size))));
    const std::uint64_t at = reader.trailer_.index_offset;
    if (at < key_file_header_size || at > index_end || index_end - at > backup_index_size_max) {
        return internal_error(ErrorCode::Corrupt, "the key file's index is not in the file");
    }
    reader.index_ = TRY(decode_block_index(TRY(read_exactly(*reader.file_, at, index_end - at))));
    const bool is_sound =
        reader.index_.size() == reader.trailer_.blocks &&
        (reader.index_.empty() ? at == key_file_header_size
                               : reader.index_.front().offset == key_file_header_size &&
                                     reader.index_.back().offset < at);
    if (!is_sound) {
        return internal_error(ErrorCode::Corrupt, "the key file's index is of another file");
    }
    return reader;
}

Result<const std::vector<BackupRowView>*> KeyFileReader::block(std::size_t number) {
    if (loaded_ == number) {
        return &rows_;
    }
    loaded_.reset();
    const std::uint64_t from = index_[number].offset;
    const std::uint64_t to =
        number + 1 < index_.size() ? index_[number + 1].offset : trailer_.index_offset;
    if (to - from > backup_block_size_max + backup_block_size) {
        return internal_error(ErrorCode::Corrupt,
                              "block " + std::to_string(number) + " is larger than any block");
    }
    octets_ = TRY(read_exactly(*file_, from, to - from));
    rows_ = TRY(decode_block(octets_, static_cast<std::uint32_t>(number)));
    if (rows_.empty() || rows_.front().key != index_[number].first_key ||
        (number + 1 < index_.size() && rows_.back().key >= index_[number + 1].first_key)) {
        return internal_error(ErrorCode::Corrupt, "block " + std::to_string(number) +
                                                      " is not the one that the index names");
    }
    loaded_ = number;
    return &rows_;
}

std::size_t KeyFileReader::block_of(std::string_view key) const {
    const auto after = std::ranges::upper_bound(
        index_, key, {}, [](const BlockPlace& place) { return std::string_view(place.first_key); });
    return after == index_.begin() ? 0 : static_cast<std::size_t>(after - index_.begin()) - 1;
}

Result<std::optional<std::string>> KeyFileReader::get(std::string_view key) {
    if (index_.empty()) {
        return std::nullopt;
    }
    const std::vector<BackupRowView>& rows = *TRY(block(block_of(key)));
    const auto found = std::ranges::lower_bound(rows, key, {}, &BackupRowView::key);
    if (found == rows.end() || found->key != key) {
        return std::nullopt;
    }
    return std::string(found->value);
}

Result<std::vector<KeyFileReader::Row>> KeyFileReader::read(std::string_view from,
                                                            std::string_view until,
                                                            std::size_t count) {
    std::vector<Row> found;
    for (std::size_t number = block_of(from); number < index_.size(); ++number) {
        for (const BackupRowView& row : *TRY(block(number))) {
            if (row.key < from) {
                continue;
            }
            if (found.size() == count || (!until.empty() && row.key >= until)) {
                return found;
            }
            found.push_back({.key = std::string(row.key), .value = std::string(row.value)});
        }
    }
    return found;
}

Result<std::vector<KeyFileReader::Row>> KeyFileReader::read_prefix(std::string_view prefix,
                                                                   std::size_t count) {
    return read(prefix, prefix_end(prefix), count);
}

}  // namespace godwit::store
