// A backup's file of keys: all rows of one snapshot in blocks, with an index at the end.
// Law: docs/storage.md "Backups". One thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "store/backup/format.h"
#include "store/backup/key_file_walk.h"
#include "store/blob/file.h"

namespace godwit::store {

/// Appends to a file, and hashes what it writes.
class HashedWriter {
public:
    explicit HashedWriter(std::unique_ptr<File> file) : file_(std::move(file)) {}
    Result<> append(std::string_view octets);
    /// What was written is on disk.
    Result<> sync() { return file_->sync(); }
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// Call once, after the last append().
    Sha256Digest finish() { return hash_.finish(); }

private:
    std::unique_ptr<File> file_;
    Sha256Stream hash_;
    std::uint64_t size_ = 0;
};

class KeyFileWriter {
public:
    /// `file` is empty and open for writing.
    static Result<KeyFileWriter> begin(std::unique_ptr<File> file, const KeyFileHeader& header);
    /// Keys rise. LimitExceeded for a row that no block can hold.
    Result<> add(std::string_view key, std::string_view value);
    Result<> sync() { return out_.sync(); }
    /// Writes what is left, the index and the trailer, and syncs. Call once.
    Result<Sha256Digest> finish();
    [[nodiscard]] std::uint64_t size() const { return out_.size(); }
    [[nodiscard]] std::uint64_t rows() const { return rows_; }

private:
    explicit KeyFileWriter(std::unique_ptr<File> file) : out_(std::move(file)) {}
    Result<> end_block();

    HashedWriter out_;
    BlockBuilder block_;
    std::vector<BlockPlace> index_;
    std::uint64_t rows_ = 0;
};

/// Reads whole blocks; the last one read stays in memory.
class KeyFileReader {
public:
    enum class OnDamage : std::uint8_t { Refuse, PassOver };
    /// Reads header, trailer and index. Corrupt, Unsupported, Io. With PassOver a damaged index is
    /// made again from the blocks (key_file_walk.h), and of damaged blocks the rows are given that
    /// hold.
    static Result<KeyFileReader> open(std::unique_ptr<File> file,
                                      OnDamage on_damage = OnDamage::Refuse);
    /// What was passed over so far and what that costs, by its place in the file.
    [[nodiscard]] const std::map<std::uint64_t, std::string>& damage() const { return damage_; }

    [[nodiscard]] const KeyFileHeader& header() const { return header_; }
    [[nodiscard]] std::size_t blocks() const { return index_.size(); }
    [[nodiscard]] std::uint64_t rows() const { return trailer_.rows; }
    [[nodiscard]] const std::string& first_key(std::size_t block) const {
        return index_[block].first_key;
    }
    /// Views are valid until the next call.
    Result<const std::vector<BackupRowView>*> block(std::size_t number);
    Result<std::optional<std::string>> get(std::string_view key);

    struct Row {
        std::string key;
        std::string value;
    };
    /// Rows with `from` <= key < `until` (empty: no bound), at most `count`.
    Result<std::vector<Row>> read(std::string_view from, std::string_view until, std::size_t count);
    /// The same for all that begin with `prefix`.
    Result<std::vector<Row>> read_prefix(std::string_view prefix, std::size_t count);

private:
    KeyFileReader() = default;
    Result<> load_index();
    Result<> load_block(std::size_t number);
    Result<> walk_blocks(const Error& why);
    [[nodiscard]] std::uint32_t number_of(std::size_t block) const;
    [[nodiscard]] BlockEnd end_of(std::size_t block) const;
    /// The block that holds `key` if any does.
    [[nodiscard]] std::size_t block_of(std::string_view key) const;

    std::unique_ptr<File> file_;
    OnDamage on_damage_ = OnDamage::Refuse;
    std::map<std::uint64_t, std::string> damage_;
    KeyFileHeader header_;
    KeyFileTrailer trailer_;
    std::vector<BlockPlace> index_;
    std::vector<FoundBlock> walked_;  ///< Beside index_, where that was made from the blocks.
    std::optional<std::size_t> loaded_;
    std::string octets_;
    std::vector<BackupRowView> rows_;  // Into octets_.
};

}  // namespace godwit::store
