#include "store/backup/format.h"

#include <algorithm>
#include <cstdio>

#include "base/ascii.h"
#include "base/bytes.h"
#include "mail/text/date.h"
#include "store/kv/record.h"

namespace godwit::store {
namespace {

constexpr std::string_view kIdentityMagic = "GODWBAK1";
constexpr std::string_view kKeysMagic = "GODWKEY1";
constexpr std::string_view kKeysEndMagic = "GODWKEND";
constexpr std::string_view kManifestMagic = "GODWMAN1";
constexpr std::uint32_t kBlockMagic = 0x424C4F4B;  // BLOK
constexpr std::uint32_t kIndexMagic = 0x494E4458;  // INDX
constexpr std::size_t kChecksumSize = 4;
constexpr std::size_t kDigestSize = 32;
constexpr std::uint32_t kOwnSegmentBit = 0x80000000U;

std::string with_checksum(ByteWriter&& writer) {
    const std::uint32_t sum = crc32c(writer.view());
    writer.u32(sum);
    return std::move(writer).take();
}

std::unexpected<Error> corrupt(std::string text) {
    return internal_error(ErrorCode::Corrupt, std::move(text));
}

/// What lies before the checksum, which must hold.
Result<std::string_view> checked(std::string_view octets, std::string_view what) {
    if (octets.size() < kChecksumSize) {
        return corrupt(std::string(what) + " is cut short");
    }
    const std::string_view body = octets.substr(0, octets.size() - kChecksumSize);
    ByteReader sum(octets.substr(body.size()));
    if (sum.u32() != crc32c(body)) {
        return corrupt("checksum of " + std::string(what) + " does not hold");
    }
    return body;
}

Result<> check_versions(std::uint32_t version, std::uint32_t lowest_reader) {
    if (lowest_reader > backup_format_version) {
        return internal_error(
            ErrorCode::Unsupported,
            "the backup was written by a newer program (format " + std::to_string(version) +
                ", readable from format " + std::to_string(lowest_reader) +
                "); this program reads up to format " + std::to_string(backup_format_version));
    }
    return {};
}

Sha256Digest read_digest(ByteReader& in) {
    Sha256Digest digest{};
    const std::string_view raw = in.raw(digest.size());
    std::copy(raw.begin(), raw.end(), digest.begin());
    return digest;
}

std::string_view view_of(const Sha256Digest& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

std::string encode(const BackupIdentity& identity) {
    ByteWriter out;
    out.raw(kIdentityMagic).u32(identity.version).u32(identity.lowest_reader).u64(identity.store);
    return with_checksum(std::move(out));
}

Result<BackupIdentity> decode_backup_identity(std::string_view octets) {
    ByteReader in(TRY(checked(octets, "the backup's identity")));
    if (in.raw(kIdentityMagic.size()) != kIdentityMagic) {
        return corrupt("the identity does not begin with GODWBAK1");
    }
    BackupIdentity identity;
    identity.version = in.u32();
    identity.lowest_reader = in.u32();
    TRY(check_versions(identity.version, identity.lowest_reader));
    identity.store = in.u64();
    TRY(in.finish("the backup's identity"));
    return identity;
}

std::string encode(const KeyFileHeader& header) {
    ByteWriter out;
    out.raw(kKeysMagic).u32(backup_format_version).u32(backup_format_lowest_reader);
    out.u64(header.store).u64(header.commit.value());
    return with_checksum(std::move(out));
}

Result<KeyFileHeader> decode_key_file_header(std::string_view octets) {
    ByteReader in(TRY(checked(octets, "the key file's header")));
    if (in.raw(kKeysMagic.size()) != kKeysMagic) {
        return corrupt("the key file does not begin with GODWKEY1");
    }
    const std::uint32_t version = in.u32();
    TRY(check_versions(version, in.u32()));
    KeyFileHeader header;
    header.store = in.u64();
    header.commit = CommitSeq(in.u64());
    TRY(in.finish("the key file's header"));
    return header;
}

void BlockBuilder::add(std::string_view key, std::string_view value) {
    if (rows_ == 0) {
        first_key_ = std::string(key);
    }
    ByteWriter row;
    row.bytes(key).varint(value.size());
    payload_.append(row.view()).append(value);
    ++rows_;
}

std::string BlockBuilder::take(std::uint32_t number) {
    ByteWriter out;
    out.u32(kBlockMagic).u32(number).u32(rows_).u32(static_cast<std::uint32_t>(payload_.size()));
    out.raw(payload_);
    payload_.clear();
    rows_ = 0;
    return with_checksum(std::move(out));
}

Result<std::vector<BackupRowView>> decode_block(std::string_view octets, std::uint32_t number) {
    const std::string what = "block " + std::to_string(number);
    ByteReader in(TRY(checked(octets, what)));
    const bool is_block = in.u32() == kBlockMagic && in.u32() == number;
    const std::uint32_t rows = in.u32();
    if (!is_block || in.u32() != in.remaining() || !in.ok()) {
        return corrupt(what + " has another block's head");
    }
    std::vector<BackupRowView> found;
    found.reserve(std::min<std::size_t>(rows, in.remaining() / 2));
    for (std::uint32_t i = 0; i < rows && in.ok(); ++i) {
        BackupRowView row;
        row.key = in.bytes();
        row.value = in.bytes();
        if (row.key.empty() || row.key.size() > backup_key_size_max ||
            (!found.empty() && row.key <= found.back().key)) {
            return corrupt("keys of " + what + " do not rise");
        }
        found.push_back(row);
    }
    TRY(in.finish(what));
    return found;
}

std::vector<BackupRowView> rest_of_block(std::string_view octets, std::uint32_t number,
                                         BlockEnd end) {
    ByteReader head(octets.substr(0, block_head_size));
    bool is_explained = head.u32() != kBlockMagic;
    is_explained = head.u32() != number || is_explained;
    const std::uint32_t rows = head.u32();
    const std::uint32_t size = head.u32();
    octets.remove_prefix(std::min(octets.size(), block_head_size));
    if (end == BlockEnd::Cut) {
        // Of the checksum, a part may be there.
        octets = octets.substr(0, size);
        is_explained = true;
    } else {
        octets.remove_suffix(std::min(octets.size(), kChecksumSize));
        is_explained = size != octets.size() || is_explained;
    }
    ByteReader in(octets);
    std::vector<BackupRowView> found;
    std::string_view last;
    std::uint32_t seen = 0;
    while (in.ok() && in.remaining() > 0) {
        BackupRowView row;
        row.key = in.bytes();
        row.value = in.bytes();
        ++seen;
        if (!in.ok() && end == BlockEnd::Cut) {
            return found;
        }
        if (!in.ok() || row.key.empty() || row.key.size() > backup_key_size_max ||
            row.key <= last) {
            // Here, or in the key before: that row goes as well.
            if (!found.empty() && found.back().key == last) {
                found.pop_back();
            }
            return found;
        }
        last = row.key;
        if (open_record(row.value)) {
            found.push_back(row);
        } else {
            is_explained = true;
        }
    }
    if (!is_explained && seen == rows) {
        found.clear();
    }
    return found;
}

std::string encode(const std::vector<BlockPlace>& index) {
    ByteWriter out;
    out.u32(kIndexMagic).u32(static_cast<std::uint32_t>(index.size()));
    for (const BlockPlace& block : index) {
        out.varint(block.offset).bytes(block.first_key);
    }
    return with_checksum(std::move(out));
}

Result<std::vector<BlockPlace>> decode_block_index(std::string_view octets) {
    ByteReader in(TRY(checked(octets, "the block index")));
    if (in.u32() != kIndexMagic) {
        return corrupt("the block index does not begin with INDX");
    }
    const std::uint32_t count = in.u32();
    std::vector<BlockPlace> index;
    index.reserve(std::min<std::size_t>(count, in.remaining() / 2));
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
        BlockPlace block;
        block.offset = in.varint();
        block.first_key = std::string(in.bytes());
        if (!index.empty() &&
            (block.offset <= index.back().offset || block.first_key <= index.back().first_key)) {
            return corrupt("blocks of the index do not rise");
        }
        index.push_back(std::move(block));
    }
    TRY(in.finish("the block index"));
    return index;
}

bool decode_block_index_head(std::string_view head, std::uint64_t size) {
    ByteReader in(head);
    const bool is_index = in.u32() == kIndexMagic;
    const std::uint64_t blocks = in.u32();
    // The first block stands behind the header, and each has an offset and a key.
    return is_index && blocks <= size / 2 && (blocks == 0 || in.varint() == key_file_header_size) &&
           in.ok();
}

std::string encode(const KeyFileTrailer& trailer) {
    ByteWriter out;
    out.raw(kKeysEndMagic).u64(trailer.index_offset).u64(trailer.rows).u32(trailer.blocks);
    return with_checksum(std::move(out));
}

Result<KeyFileTrailer> decode_key_file_trailer(std::string_view octets) {
    ByteReader in(TRY(checked(octets, "the key file's end")));
    if (in.raw(kKeysEndMagic.size()) != kKeysEndMagic) {
        return corrupt("the key file does not end with GODWKEND");
    }
    KeyFileTrailer trailer;
    trailer.index_offset = in.u64();
    trailer.rows = in.u64();
    trailer.blocks = in.u32();
    TRY(in.finish("the key file's end"));
    return trailer;
}

std::string encode(const BackupManifest& manifest) {
    ByteWriter out;
    out.raw(kManifestMagic).u32(backup_format_version).u32(backup_format_lowest_reader);
    out.u64(manifest.store).u64(manifest.commit.value());
    out.svarint(manifest.taken_at.time_since_epoch().count());
    out.varint(manifest.accounts).varint(manifest.messages).varint(manifest.rows);
    out.varint(manifest.damaged_rows).varint(manifest.key_file_size);
    out.raw(view_of(manifest.key_file_sha256)).varint(manifest.parts.size());
    for (const BackupPart& part : manifest.parts) {
        out.u32(part.segment).varint(part.from).varint(part.to - part.from);
        out.raw(view_of(part.sha256));
    }
    const std::string digest = sha256_bytes(out.view());
    out.raw(digest);
    return std::move(out).take();
}

namespace {

// Each segment begins at 0 and goes on where its last part ended.
bool follows(const std::vector<BackupPart>& before, const BackupPart& part) {
    if (before.empty() || before.back().segment < part.segment) {
        return part.from == 0;
    }
    return before.back().segment == part.segment && before.back().to == part.from;
}

}  // namespace

Result<BackupManifest> decode_backup_manifest(std::string_view octets) {
    if (octets.size() < kDigestSize) {
        return corrupt("the manifest is cut short");
    }
    const std::string_view body = octets.substr(0, octets.size() - kDigestSize);
    if (sha256_bytes(body) != octets.substr(body.size())) {
        return corrupt("the manifest does not have its SHA-256");
    }
    ByteReader in(body);
    if (in.raw(kManifestMagic.size()) != kManifestMagic) {
        return corrupt("the manifest does not begin with GODWMAN1");
    }
    const std::uint32_t version = in.u32();
    TRY(check_versions(version, in.u32()));
    BackupManifest manifest;
    manifest.store = in.u64();
    manifest.commit = CommitSeq(in.u64());
    manifest.taken_at = WallTime(Duration(in.svarint()));
    manifest.accounts = in.varint();
    manifest.messages = in.varint();
    manifest.rows = in.varint();
    manifest.damaged_rows = in.varint();
    manifest.key_file_size = in.varint();
    manifest.key_file_sha256 = read_digest(in);
    const std::uint64_t count = in.varint_at_most(backup_parts_max);
    manifest.parts.reserve(
        static_cast<std::size_t>(std::min<std::uint64_t>(count, in.remaining() / kDigestSize)));
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        BackupPart part;
        part.segment = in.u32();
        part.from = in.varint();
        const std::uint64_t size = in.varint();
        part.to = part.from + size;
        part.sha256 = read_digest(in);
        if (part.to <= part.from || !follows(manifest.parts, part)) {
            return corrupt("parts of the manifest do not follow each other");
        }
        manifest.parts.push_back(part);
    }
    TRY(in.finish("the manifest"));
    return manifest;
}

std::string generation_name(WallTime at) {
    constexpr std::int64_t kMillisecond = 1000;
    const std::int64_t millis =
        std::chrono::floor<std::chrono::milliseconds>(at.time_since_epoch()).count();
    const mail::CivilTime civil = mail::to_civil(unix_seconds(at));
    char text[64];
    const int size = std::snprintf(
        text, sizeof text, "%04lld%02u%02uT%02u%02u%02u.%03lldZ",
        static_cast<long long>(civil.year), civil.month, civil.day, civil.hour, civil.minute,
        civil.second,
        static_cast<long long>(((millis % kMillisecond) + kMillisecond) % kMillisecond));
    return {text, static_cast<std::size_t>(size)};
}

std::optional<WallTime> parse_generation_name(std::string_view name) {
    constexpr std::string_view kShape = "00000000T000000.000Z";
    if (name.size() != kShape.size()) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < name.size(); ++i) {
        const bool fits =
            kShape[i] == '0' ? name[i] >= '0' && name[i] <= '9' : name[i] == kShape[i];
        if (!fits) {
            return std::nullopt;
        }
    }
    const auto number = [&](std::size_t from, std::size_t count) {
        return parse_u32(name.substr(from, count)).value_or(0);
    };
    const mail::CivilTime civil{.year = number(0, 4),
                                .month = number(4, 2),
                                .day = number(6, 2),
                                .hour = number(9, 2),
                                .minute = number(11, 2),
                                .second = number(13, 2)};
    if (civil.month < 1 || civil.month > 12 || civil.day < 1 ||
        civil.day > mail::days_in_month(civil.year, civil.month) || civil.hour > 23 ||
        civil.minute > 59 || civil.second > 59) {
        return std::nullopt;
    }
    return from_unix_seconds(mail::from_civil(civil)) + std::chrono::milliseconds(number(16, 3));
}

std::string part_name(const BackupPart& part) {
    char text[80];
    const int size = std::snprintf(text, sizeof text, "%s-%08x.%llu-%llu",
                                   (part.segment & kOwnSegmentBit) != 0 ? "own" : "seg",
                                   part.segment, static_cast<unsigned long long>(part.from),
                                   static_cast<unsigned long long>(part.to));
    return {text, static_cast<std::size_t>(size)};
}

}  // namespace godwit::store
