#include "store/backup/key_file_walk.h"

#include <algorithm>
#include <optional>

#include "base/bytes.h"

namespace godwit::store {
namespace {

constexpr std::size_t kWindow = 256 * 1024;
constexpr std::string_view kBlockWord = "BLOK";
constexpr std::string_view kIndexWord = "INDX";
constexpr std::size_t kChecksumSize = 4;
/// Key size, key, value size.
constexpr std::size_t kRowHeadMax = 10 + backup_key_size_max + 10;

/// The file's octets, read in pieces.
class Window {
public:
    Window(const File* file, std::uint64_t size) : file_(file), size_(size) {}
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// `count` octets from `at` on, fewer at the file's end. Valid until the next call.
    Result<std::string_view> at(std::uint64_t at, std::size_t count) {
        count =
            static_cast<std::size_t>(std::min<std::uint64_t>(count, at < size_ ? size_ - at : 0));
        if (at < from_ || at + count > from_ + octets_.size()) {
            octets_.clear();
            from_ = at;
            TRY(file_->read_at(at, std::max(count, kWindow), ReadTier::Disk, octets_));
            if (octets_.size() < count) {
                return internal_error(ErrorCode::Corrupt, "the key file is cut short");
            }
        }
        return std::string_view(octets_).substr(static_cast<std::size_t>(at - from_), count);
    }

private:
    const File* file_;
    std::uint64_t size_;
    std::string octets_;
    std::uint64_t from_ = 0;
};

/// What a head says, if it is one.
struct Head {
    std::uint32_t number = 0;
    std::uint64_t size = 0;  ///< Of the whole block.
};

class Walker {
public:
    Walker(const File* file, std::uint64_t size)
        : file_(file), window_(file, size), effort_left_(key_walk_effort * size) {}
    Result<KeyFileWalk> run();

private:
    Result<std::optional<Head>> head_at(std::uint64_t at);
    Result<bool> is_boundary(std::uint64_t at, std::uint64_t lowest_number);
    Result<bool> take_sound(std::uint64_t at, const Head& head);
    Result<std::uint64_t> end_of_damaged(std::uint64_t at, std::optional<Head> head, BlockEnd* end);
    Result<std::uint64_t> next_sound(std::uint64_t from, std::uint64_t damaged);
    Result<> take_rest(std::uint64_t at, std::uint64_t until, BlockEnd end);
    Result<> keep(FoundBlock block);

    const File* file_;
    Window window_;
    std::uint64_t effort_left_;
    KeyFileWalk walk_;
    std::uint64_t next_number_ = 0;
    std::string last_sound_key_;
    std::size_t index_size_ = 0;
};

Result<std::optional<Head>> Walker::head_at(std::uint64_t at) {
    ByteReader in(TRY(window_.at(at, block_head_size)));
    const bool is_block = in.raw(kBlockWord.size()) == kBlockWord;
    const std::uint32_t number = in.u32();
    in.u32();
    const std::uint64_t payload = in.u32();
    if (!is_block || !in.ok() || payload > backup_block_size_max) {
        return std::nullopt;
    }
    return Head{.number = number, .size = block_head_size + payload + kChecksumSize};
}

/// Does a later block begin here, or the index?
Result<bool> Walker::is_boundary(std::uint64_t at, std::uint64_t lowest_number) {
    if (TRY(window_.at(at, kIndexWord.size())) == kIndexWord) {
        return true;
    }
    const auto head = TRY(head_at(at));
    return head && head->number >= lowest_number;
}

Result<> Walker::keep(FoundBlock block) {
    index_size_ += block.first_key.size() + sizeof(std::uint64_t);
    if (index_size_ > backup_index_size_max) {
        return internal_error(ErrorCode::Corrupt, "the key file has more blocks than any index");
    }
    walk_.blocks.push_back(std::move(block));
    return {};
}

/// True when a block begins at `at` that holds, and it is kept.
Result<bool> Walker::take_sound(std::uint64_t at, const Head& head) {
    if (head.number < next_number_ || head.size > window_.size() - at) {
        return false;
    }
    std::string octets;
    TRY(file_->read_at(at, static_cast<std::size_t>(head.size), ReadTier::Disk, octets));
    const auto rows = decode_block(octets, head.number);
    if (!rows || rows->empty() || rows->front().key <= last_sound_key_) {
        return false;
    }
    // What is left of a damaged one goes where this one contradicts it: its key is wrong.
    while (!walk_.blocks.empty() && !walk_.blocks.back().is_sound &&
           walk_.blocks.back().first_key >= rows->front().key) {
        walk_.lost.emplace(walk_.blocks.back().offset, "keys do not rise");
        walk_.blocks.pop_back();
    }
    last_sound_key_ = std::string(rows->back().key);
    walk_.rows += rows->size();
    TRY(keep({.offset = at,
              .size = head.size,
              .number = head.number,
              .end = BlockEnd::Whole,
              .is_sound = true,
              .first_key = std::string(rows->front().key)}));
    next_number_ = std::uint64_t{head.number} + 1;
    return true;
}

/// Where the damaged block at `at` ends: by its head, else by its rows, else where the next sound
/// block begins. `head` is what stands there, if it is of the block that must come.
Result<std::uint64_t> Walker::end_of_damaged(std::uint64_t at, std::optional<Head> head,
                                             BlockEnd* end) {
    const std::uint64_t size = window_.size();
    if (head && head->size <= size - at && TRY(is_boundary(at + head->size, next_number_ + 1))) {
        return at + head->size;
    }
    std::uint64_t row = at + block_head_size;
    std::uint64_t last = at + 1;
    std::string last_key;
    while (row < size) {
        // Values are passed over by their sizes: a message may hold what looks like a block.
        if (row > at + block_head_size && TRY(is_boundary(row + kChecksumSize, next_number_ + 1))) {
            return row + kChecksumSize;
        }
        ByteReader in(TRY(window_.at(row, kRowHeadMax)));
        const std::uint64_t all = in.remaining();
        const std::string_view key = in.bytes();
        const std::uint64_t value = in.varint();
        const std::uint64_t next = row + (all - in.remaining()) + value;
        const bool is_over = !in.ok() ? row + kRowHeadMax >= size : next > size;
        if (is_over && head && head->size > size - at) {
            *end = BlockEnd::Cut;
            return size;
        }
        if (!in.ok() || is_over || value > backup_block_size_max || key.empty() ||
            key.size() > backup_key_size_max || key <= last_key) {
            break;
        }
        last_key = std::string(key);
        last = row;
        row = next;
    }
    if (row >= size && head && head->size > size - at) {
        *end = BlockEnd::Cut;
        return size;
    }
    return next_sound(std::max(last, at + 1), at);
}

/// The next offset where a whole block stands or the index begins; the file's end if there is none.
Result<std::uint64_t> Walker::next_sound(std::uint64_t from, std::uint64_t damaged) {
    const std::uint64_t size = window_.size();
    while (from + kBlockWord.size() <= size) {
        const std::string_view piece = TRY(window_.at(from, kWindow));
        const std::size_t found = std::min(piece.find(kBlockWord), piece.find(kIndexWord));
        if (found == std::string_view::npos) {
            // A word may lie across the end of the piece.
            from += std::max<std::size_t>(piece.size() - kBlockWord.size() + 1, 1);
            continue;
        }
        const std::uint64_t at = from + found;
        const bool is_index = piece.substr(found).starts_with(kIndexWord);
        const auto head = TRY(head_at(at));
        // As many blocks as fit between can be lost.
        const bool is_likely = head && head->size <= size - at && head->number >= next_number_ &&
                               head->number <= next_number_ + (at - damaged) / block_head_size;
        if (is_likely && head->size <= effort_left_) {
            effort_left_ -= head->size;
            std::string octets;
            TRY(file_->read_at(at, static_cast<std::size_t>(head->size), ReadTier::Disk, octets));
            const auto rows = decode_block(octets, head->number);
            if (rows && !rows->empty() && rows->front().key > last_sound_key_) {
                return at;
            }
        }
        if (is_index &&
            decode_block_index_head(TRY(window_.at(at, block_index_head_size)), size - at)) {
            return at;
        }
        from = at + 1;
    }
    return size;
}

Result<> Walker::take_rest(std::uint64_t at, std::uint64_t until, BlockEnd end) {
    std::string octets;
    const auto size = static_cast<std::size_t>(
        std::min<std::uint64_t>(until - at, backup_block_size_max + backup_block_size));
    TRY(file_->read_at(at, size, ReadTier::Disk, octets));
    auto rows = rest_of_block(octets, static_cast<std::uint32_t>(next_number_), end);
    const std::string_view before =
        walk_.blocks.empty() ? std::string_view() : walk_.blocks.back().first_key;
    std::erase_if(rows, [&](const BackupRowView& row) {
        return row.key <= last_sound_key_ || row.key <= before;
    });
    if (rows.empty()) {
        walk_.lost.emplace(
            at, "octets " + std::to_string(at) + " to " + std::to_string(until) + " give no row");
        return {};
    }
    return keep({.offset = at,
                 .size = size,
                 .number = static_cast<std::uint32_t>(next_number_),
                 .end = end,
                 .is_sound = false,
                 .first_key = std::string(rows.front().key)});
}

Result<KeyFileWalk> Walker::run() {
    std::uint64_t at = key_file_header_size;
    while (at + block_head_size <= window_.size()) {
        if (TRY(window_.at(at, kIndexWord.size())) == kIndexWord) {
            break;
        }
        auto head = TRY(head_at(at));
        if (head && TRY(take_sound(at, *head))) {
            at += head->size;
            continue;
        }
        if (head && head->number != next_number_) {
            head.reset();
        }
        auto end = BlockEnd::Whole;
        const std::uint64_t until = TRY(end_of_damaged(at, head, &end));
        TRY(take_rest(at, until, end));
        ++next_number_;
        at = until;
    }
    return std::move(walk_);
}

}  // namespace

Result<KeyFileWalk> walk_key_file(const File& file) {
    Walker walker(&file, TRY(file.size()));
    return walker.run();
}

}  // namespace godwit::store
