#include "flow/outbound/in_hand.h"

#include "base/bytes.h"
#include "base/log.h"

namespace godwit::flow {

namespace {

constexpr std::string_view kMagic = "GODWHAND";
// Header: magic, checksum of the machine's name, run, checksum. Slots: mail, number, checksum.
constexpr std::size_t kHeaderSize = 8 + 4 + 8 + 4;
constexpr std::size_t kSlotSize = 8 + 4 + 4;
// Above the number of the delivery, of which a message has limits::recipients at the most.
constexpr std::uint32_t kMayBeSent = 1U << 31U;
constexpr std::uint32_t kBlameless = 1U << 30U;

std::string with_checksum(ByteWriter&& writer) {
    const std::uint32_t sum = crc32c(writer.view());
    writer.u32(sum);
    return std::move(writer).take();
}

bool checksum_holds(std::string_view octets) {
    return ByteReader(octets.substr(octets.size() - 4)).u32() ==
           crc32c(octets.substr(0, octets.size() - 4));
}

std::string encode_header(std::string_view machine, std::uint64_t run) {
    ByteWriter out;
    out.raw(kMagic).u32(crc32c(machine)).u64(run);
    return with_checksum(std::move(out));
}

std::string encode_slot(const InHandEntry& entry) {
    ByteWriter out;
    const std::uint32_t marks =
        (entry.may_be_sent ? kMayBeSent : 0U) | (entry.is_blameless ? kBlameless : 0U);
    out.u64(entry.mail.value()).u32(entry.number | marks);
    return with_checksum(std::move(out));
}

}  // namespace

InHandLeft InHand::read_left(store::FileSystem& files, const std::string& path,
                             std::string_view machine) {
    InHandLeft left;
    const auto file = files.open(path, store::OpenMode::Read);
    std::string octets;
    if (!file ||
        !(*file)->read_at(0, kHeaderSize + in_hand_max * kSlotSize, store::ReadTier::Disk,
                          octets) ||
        octets.size() < kHeaderSize) {
        return left;
    }
    const std::string_view all = octets;
    ByteReader header(all.substr(0, kHeaderSize));
    const bool is_register = header.raw(kMagic.size()) == kMagic;
    const bool is_ours = header.u32() == crc32c(machine);
    if (!is_register || !checksum_holds(all.substr(0, kHeaderSize))) {
        return left;
    }
    left.run = header.u64();
    for (std::size_t at = kHeaderSize; at + kSlotSize <= all.size(); at += kSlotSize) {
        const std::string_view slot = all.substr(at, kSlotSize);
        ByteReader in(slot);
        const MailId mail(in.u64());
        if (mail.value() == 0 || !checksum_holds(slot)) {
            continue;
        }
        const std::uint32_t number = in.u32();
        const InHandEntry entry{.mail = mail,
                                .number = number & ~(kMayBeSent | kBlameless),
                                .may_be_sent = (number & kMayBeSent) != 0,
                                .is_blameless = (number & kBlameless) != 0 || !is_ours};
        if (entry.may_be_sent || !entry.is_blameless) {
            left.entries.push_back(entry);
        }
    }
    return left;
}

InHand::InHand(store::FileSystem* files, std::string path, std::unique_ptr<store::File> file)
    : files_(files), path_(std::move(path)), file_(std::move(file)) {
    slots_.with([](Slots& slots) { slots.used.resize(in_hand_max); });
}

Result<std::unique_ptr<InHand>> InHand::create(store::FileSystem* files, std::string path,
                                               std::string_view machine, std::uint64_t run) {
    TRY(files->unlink(path));
    auto file = TRY(files->open(path, store::OpenMode::Create));
    const std::string header = encode_header(machine, run);
    const std::string_view view = header;
    TRY(file->write_at(0, {&view, 1}));
    return std::unique_ptr<InHand>(new InHand(files, std::move(path), std::move(file)));
}

InHand::~InHand() {
    if (slots_.with([](const Slots& slots) { return slots.is_any_left; })) {
        return;
    }
    if (const auto gone = files_->unlink(path_); !gone) {
        log::warn("queue.register_stays", {{"error", gone.error().text}});
    }
}

bool InHand::write(std::size_t slot, const InHandEntry& entry) {
    const std::string octets =
        entry.mail.value() != 0 ? encode_slot(entry) : std::string(kSlotSize, '\0');
    const std::string_view view = octets;
    const auto written = file_->write_at(kHeaderSize + slot * kSlotSize, {&view, 1});
    if (!written) {
        log::warn("queue.register_failed", {{"error", written.error().text}});
    }
    return written.has_value();
}

std::optional<std::size_t> InHand::take(InHandEntry entry) {
    const auto slot = slots_.with([](Slots& slots) -> std::optional<std::size_t> {
        for (std::size_t i = 0; i < in_hand_max; ++i) {
            const std::size_t at = (slots.next + i) % in_hand_max;
            if (!slots.used[at]) {
                slots.used[at] = true;
                // Low numbers first keep the file small; freed ones are found at once.
                slots.next = at + 1;
                return at;
            }
        }
        return std::nullopt;
    });
    if (slot && !write(*slot, entry)) {
        slots_.with([&](Slots& slots) { slots.used[*slot] = false; });
        return std::nullopt;
    }
    return slot;
}

void InHand::let_go(std::size_t slot) {
    write(slot, {});
    slots_.with([slot](Slots& slots) {
        slots.used[slot] = false;
        slots.next = std::min(slots.next, slot);
    });
}

void InHand::leave(std::size_t slot, InHandEntry entry) {
    entry.is_blameless = true;
    write(slot, entry);
    slots_.with([](Slots& slots) { slots.is_any_left = true; });
}

bool InHand::begin_suspect() {
    return slots_.with([](Slots& slots) { return !std::exchange(slots.has_suspect, true); });
}

void InHand::end_suspect() {
    slots_.with([](Slots& slots) { slots.has_suspect = false; });
}

InHandGuard::~InHandGuard() {
    if (slot_ && entry_.may_be_sent) {
        in_hand_->leave(*slot_, entry_);
    } else if (slot_) {
        in_hand_->let_go(*slot_);
    }
    if (is_suspect_) {
        in_hand_->end_suspect();
    }
}

void InHandGuard::set_may_be_sent(bool may_be_sent) {
    if (slot_ && entry_.may_be_sent != may_be_sent) {
        entry_.may_be_sent = may_be_sent;
        in_hand_->change(*slot_, entry_);
    }
}

}  // namespace godwit::flow
