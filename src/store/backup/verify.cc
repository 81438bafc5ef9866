#include "store/backup/verify.h"

#include <algorithm>

#include "base/bytes.h"
#include "store/kv/key.h"
#include "store/kv/meta.h"
#include "store/kv/record.h"
#include "store/mailbox/schema.h"
#include "store/queue/queue.h"

namespace godwit::store {
namespace {

class Check {
public:
    explicit Check(std::string name) { finding_.check = std::move(name); }
    /// `example` is called only when it does not hold.
    template <class Example>
    void expect(bool holds, Example example) {
        ++finding_.checked;
        if (holds) {
            return;
        }
        ++finding_.faults;
        if (finding_.examples.size() < backup_examples_max) {
            finding_.examples.push_back(example());
        }
    }
    [[nodiscard]] BackupFinding take() && { return std::move(finding_); }

private:
    BackupFinding finding_;
};

std::string name_of(std::string_view key) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text = "row " + std::string(key.substr(0, 1)) + " ";
    for (const char c : key.substr(std::min<std::size_t>(key.size(), 1))) {
        const auto octet = static_cast<std::uint8_t>(c);
        text += kDigits[octet >> 4U];
        text += kDigits[octet & 0xFU];
    }
    return text;
}

/// A multiset by its sums: two are equal when count and both sums are, whatever the order.
struct LinkSum {
    std::uint64_t count = 0;
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    void add(std::string_view link) {
        const std::string digest = sha256_bytes(link);
        ByteReader in(digest);
        ++count;
        first += in.u64();
        second += in.u64();
    }
    bool operator==(const LinkSum&) const = default;
};

class Verifier {
public:
    Verifier(const BackupFolder* folder, const BackupManifest* manifest, std::string generation)
        : folder_(folder),
          manifest_(manifest),
          generation_(std::move(generation)),
          segments_(folder, manifest) {}

    Result<> run();
    std::vector<BackupFinding> take() &&;

private:
    Result<> check_files();
    Result<> check_rows(KeyFileReader& reader);
    Result<> count_rows_left(const std::string& path);
    Result<> check_row(const BackupRowView& row);
    void check_owner(const BackupRowView& row);
    void check_body(const BackupRowView& row);

    const BackupFolder* folder_;
    const BackupManifest* manifest_;
    std::string generation_;
    BackupSegments segments_;
    Check key_file_{"the file of keys has its size and SHA-256"};
    Check part_files_{"every part of a segment has its size and SHA-256"};
    Check blocks_{"every block of the file of keys holds, and keys rise"};
    Check totals_{"the file of keys has the rows that the manifest counts"};
    Check seals_{"every row's checksum holds"};
    Check bodies_{"every body is there and has its hash"};
    Check linked_{"every link leads to a body"};
    Check owned_{"every message has its body's link, and every link its message"};
    LinkSum owners_;
    LinkSum links_;
    std::uint64_t rows_ = 0;
    std::string last_key_;
    // Families are read in the order of their letters: links (R) before bodies (X). Both are by
    // hash, so a second reader of the links keeps step with the bodies.
    std::optional<KeyFileReader> link_reader_;
    std::vector<KeyFileReader::Row> link_page_;
    std::size_t link_at_ = 0;
    std::string link_from_;

    Result<> pass_links(std::string_view body);
    Result<const std::string*> next_link();
};

Result<> Verifier::check_files() {
    const std::string path = folder_->keys_path(generation_);
    const auto keys = hash_file(folder_->files(), path, manifest_->key_file_size);
    key_file_.expect(keys && *keys == manifest_->key_file_sha256, [&] {
        return keys ? path + " has another SHA-256 than the manifest says" : keys.error().text;
    });
    for (const BackupPart& part : manifest_->parts) {
        const std::string file = folder_->part_path(part);
        const auto hash = hash_file(folder_->files(), file, part.to - part.from);
        part_files_.expect(hash && *hash == part.sha256, [&] {
            return hash ? file + " has another SHA-256 than the manifest says" : hash.error().text;
        });
    }
    return {};
}

Result<> Verifier::run() {
    TRY(check_files());
    const std::string path = folder_->keys_path(generation_);
    auto file = folder_->files().open(path, OpenMode::Read);
    auto reader = file ? KeyFileReader::open(*std::move(file))
                       : Result<KeyFileReader>(std::unexpected(file.error()));
    blocks_.expect(reader.has_value(), [&] { return path + ": " + reader.error().text; });
    if (!reader) {
        return count_rows_left(path);
    }
    link_reader_.emplace(
        TRY(KeyFileReader::open(TRY(folder_->files().open(path, OpenMode::Read)))));
    link_from_ = std::string(1, family::link);
    totals_.expect(
        reader->header().store == manifest_->store && reader->header().commit == manifest_->commit,
        [&] { return path + " is of another backup than its manifest"; });
    return check_rows(*reader);
}

// Without its index the file is at fault, and so is what a restore would miss.
Result<> Verifier::count_rows_left(const std::string& path) {
    auto file = folder_->files().open(path, OpenMode::Read);
    auto reader = file ? KeyFileReader::open(*std::move(file), KeyFileReader::OnDamage::PassOver)
                       : Result<KeyFileReader>(std::unexpected(file.error()));
    if (reader) {
        for (std::size_t number = 0; number < reader->blocks(); ++number) {
            rows_ += TRY(reader->block(number))->size();
        }
    }
    totals_.expect(rows_ == manifest_->rows, [&] {
        return "a restore finds " + std::to_string(rows_) + " of " +
               std::to_string(manifest_->rows) + " rows";
    });
    return {};
}

Result<> Verifier::check_rows(KeyFileReader& reader) {
    for (std::size_t number = 0; number < reader.blocks(); ++number) {
        const auto block = reader.block(number);
        const bool is_good = block && (*block)->front().key > last_key_;
        blocks_.expect(is_good, [&] {
            return folder_->keys_path(generation_) + ": " +
                   (block ? "block " + std::to_string(number) + " is out of order"
                          : block.error().text);
        });
        if (!is_good) {
            continue;
        }
        for (const BackupRowView& row : **block) {
            TRY(check_row(row));
        }
        last_key_ = std::string((*block)->back().key);
    }
    while (TRY(next_link()) != nullptr) {
        linked_.expect(false, [&] { return name_of(link_page_[link_at_].key); });
        ++link_at_;
    }
    totals_.expect(rows_ == manifest_->rows && reader.rows() == rows_, [&] {
        return std::to_string(rows_) + " rows instead of " + std::to_string(manifest_->rows);
    });
    owned_.expect(owners_ == links_, [&] {
        return std::to_string(owners_.count) + " messages, " + std::to_string(links_.count) +
               " links";
    });
    return {};
}

Result<> Verifier::check_row(const BackupRowView& row) {
    ++rows_;
    const bool is_sealed = open_record(row.value).has_value();
    seals_.expect(is_sealed, [&] { return name_of(row.key); });
    switch (row.key.front()) {
        case static_cast<char>(Family::Email):
        case static_cast<char>(Family::QueueMessage): check_owner(row); break;
        case family::link: links_.add(row.key); break;
        case family::blob_location:
            TRY(pass_links(row.key.substr(1)));
            check_body(row);
            break;
        default: break;
    }
    return {};
}

// The link that the message must have, as a key.
void Verifier::check_owner(const BackupRowView& row) {
    if (row.key.front() == static_cast<char>(Family::QueueMessage)) {
        const auto message = decode_queue_message(row.value);
        owned_.expect(message.has_value(), [&] { return name_of(row.key); });
        if (message) {
            owners_.add(link_key(message->blob, MailId(key_tail_u64(row.key))));
        }
        return;
    }
    const auto head = decode_email_head(row.value);
    const bool is_sound = head && row.key.size() == 1 + 4 + 4;
    owned_.expect(is_sound, [&] { return name_of(row.key); });
    if (is_sound) {
        ByteReader in(row.key.substr(1));
        const AccountId account(in.u32());
        owners_.add(link_key(head->blob, account, EmailId(in.u32())));
    }
}

void Verifier::check_body(const BackupRowView& row) {
    const auto location = decode_blob_location(row.value);
    if (!location || row.key.size() != blob_location_key_size) {
        bodies_.expect(false, [&] { return name_of(row.key); });
        return;
    }
    const BlobId id = BlobId::from_bytes(row.key.substr(1));
    const auto read =
        segments_.read_body(id, *location, [](std::string_view) { return Result<>(); });
    bodies_.expect(read.has_value(), [&] { return id.to_hex() + ": " + read.error().text; });
}

Result<const std::string*> Verifier::next_link() {
    constexpr std::size_t kPage = 512;
    if (link_at_ == link_page_.size()) {
        if (!link_page_.empty()) {
            link_from_ = link_page_.back().key + '\0';
        }
        // A damaged block was counted above; the links behind it are passed over.
        link_page_ = link_reader_->read(link_from_, prefix_end(std::string(1, family::link)), kPage)
                         .value_or(std::vector<KeyFileReader::Row>{});
        link_at_ = 0;
    }
    return link_at_ < link_page_.size() ? &link_page_[link_at_].key : nullptr;
}

// Links to bodies up to and with this one; those to bodies that were passed have none.
Result<> Verifier::pass_links(std::string_view body) {
    constexpr std::size_t kHashSize = 32;
    for (const std::string* key = TRY(next_link()); key != nullptr; key = TRY(next_link())) {
        const std::string_view hash = std::string_view(*key).substr(1, kHashSize);
        if (hash > body) {
            break;
        }
        linked_.expect(hash == body, [&] { return name_of(*key); });
        ++link_at_;
    }
    return {};
}

std::vector<BackupFinding> Verifier::take() && {
    std::vector<BackupFinding> findings;
    for (Check* check :
         {&key_file_, &part_files_, &blocks_, &totals_, &seals_, &bodies_, &linked_, &owned_}) {
        findings.push_back(std::move(*check).take());
    }
    return findings;
}

}  // namespace

bool BackupReport::is_good() const {
    return std::ranges::all_of(findings,
                               [](const BackupFinding& found) { return found.faults == 0; });
}

Result<BackupReport> verify_backup(FileSystem* files, const std::string& folder,
                                   const std::optional<std::string>& generation) {
    const BackupFolder opened = TRY(BackupFolder::open(files, folder));
    BackupReport report;
    report.generation = TRY(opened.pick(generation));
    report.manifest = TRY(opened.load(report.generation));
    Verifier verifier(&opened, &report.manifest, report.generation);
    TRY(verifier.run());
    report.findings = std::move(verifier).take();
    report.manifest.parts.clear();
    return report;
}

}  // namespace godwit::store
