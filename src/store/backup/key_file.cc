#include "store/backup/key_file.h"

#include <algorithm>

#include "store/kv/key.h"
#include "store/kv/record.h"

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

Result<KeyFileReader> KeyFileReader::open(std::unique_ptr<File> file, OnDamage on_damage) {
    KeyFileReader reader;
    reader.file_ = std::move(file);
    reader.on_damage_ = on_damage;
    const auto loaded = reader.load_index();
    if (loaded || on_damage == OnDamage::Refuse || !is_damage(loaded.error())) {
        TRY(loaded);
        return reader;
    }
    TRY(reader.walk_blocks(loaded.error()));
    return reader;
}

Result<> KeyFileReader::load_index() {
    const std::uint64_t size = TRY(file_->size());
    if (size < key_file_header_size + key_file_trailer_size) {
        return internal_error(ErrorCode::Corrupt, "the key file is cut short");
    }
    header_ = TRY(decode_key_file_header(TRY(read_exactly(*file_, 0, key_file_header_size))));
    const std::uint64_t index_end = size - key_file_trailer_size;
    trailer_ =
        TRY(decode_key_file_trailer(TRY(read_exactly(*file_, index_end, key_file_trailer_size))));
    const std::uint64_t at = trailer_.index_offset;
    if (at < key_file_header_size || at > index_end || index_end - at > backup_index_size_max) {
        return internal_error(ErrorCode::Corrupt, "the key file's index is not in the file");
    }
    index_ = TRY(decode_block_index(TRY(read_exactly(*file_, at, index_end - at))));
    const bool is_sound = index_.size() == trailer_.blocks &&
                          (index_.empty() ? at == key_file_header_size
                                          : index_.front().offset == key_file_header_size &&
                                                index_.back().offset < at);
    if (!is_sound) {
        return internal_error(ErrorCode::Corrupt, "the key file's index is of another file");
    }
    return {};
}

Result<> KeyFileReader::walk_blocks(const Error& why) {
    const std::uint64_t size = TRY(file_->size());
    const auto header = decode_key_file_header(
        TRY(read_exactly(*file_, 0, std::min<std::uint64_t>(size, key_file_header_size))));
    if (!header && !is_damage(header.error())) {
        return std::unexpected(header.error());
    }
    header_ = header.value_or(KeyFileHeader{});
    KeyFileWalk walk = TRY(walk_key_file(*file_));
    trailer_ = {.index_offset = size,
                .rows = walk.rows,
                .blocks = static_cast<std::uint32_t>(walk.blocks.size())};
    index_.clear();
    for (const FoundBlock& block : walk.blocks) {
        index_.push_back({.offset = block.offset, .first_key = block.first_key});
    }
    walked_ = std::move(walk.blocks);
    damage_.emplace(size, why.text + "; its blocks were found without it");
    for (auto& [offset, text] : walk.lost) {
        damage_.emplace(offset, std::move(text) + "; the rows in it are lost");
    }
    return {};
}

std::uint32_t KeyFileReader::number_of(std::size_t block) const {
    return walked_.empty() ? static_cast<std::uint32_t>(block) : walked_[block].number;
}

BlockEnd KeyFileReader::end_of(std::size_t block) const {
    return walked_.empty() ? BlockEnd::Whole : walked_[block].end;
}

Result<const std::vector<BackupRowView>*> KeyFileReader::block(std::size_t number) {
    if (loaded_ == number) {
        return &rows_;
    }
    loaded_.reset();
    if (auto loaded = load_block(number); !loaded) {
        if (on_damage_ == OnDamage::Refuse) {
            return std::unexpected(std::move(loaded).error());
        }
        damage_.emplace(index_[number].offset, loaded.error().text + "; some rows in it are lost");
        rows_ = rest_of_block(octets_, number_of(number), end_of(number));
        std::erase_if(rows_, [&](const BackupRowView& row) {
            return row.key < index_[number].first_key ||
                   (number + 1 < index_.size() && row.key >= index_[number + 1].first_key);
        });
    }
    loaded_ = number;
    return &rows_;
}

Result<> KeyFileReader::load_block(std::size_t number) {
    octets_.clear();
    const std::string name = "block " + std::to_string(number_of(number));
    const std::uint64_t from = index_[number].offset;
    const std::uint64_t to =
        number + 1 < index_.size() ? index_[number + 1].offset : trailer_.index_offset;
    const std::uint64_t size = walked_.empty() ? to - from : walked_[number].size;
    if (size > backup_block_size_max + backup_block_size) {
        return internal_error(ErrorCode::Corrupt, name + " is larger than any block");
    }
    octets_ = TRY(read_exactly(*file_, from, size));
    if (end_of(number) == BlockEnd::Cut) {
        return internal_error(ErrorCode::Corrupt, name + " is cut short");
    }
    rows_ = TRY(decode_block(octets_, number_of(number)));
    if (rows_.empty() || rows_.front().key != index_[number].first_key ||
        (number + 1 < index_.size() && rows_.back().key >= index_[number + 1].first_key)) {
        return internal_error(ErrorCode::Corrupt, name + " is not the one that the index names");
    }
    return {};
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
