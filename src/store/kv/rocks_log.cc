// The format: blocks of 32 KiB; in them fragments of checksum(4) length(2) type(1), little-endian;
// a record is one full fragment, or a first one, middle ones and a last one. Its payload is a
// batch: sequence(8) count(4), then rows.
#include "store/kv/rocks_log.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "store/kv/meta.h"

namespace godwit::store {
namespace {

constexpr std::size_t kBlock = 32768;
constexpr std::size_t kHeader = 7;
constexpr std::size_t kBatchHeader = 12;
// A record behind damage is one of the next commits, not a number that happens to be there.
constexpr std::uint64_t kSequencesAhead = std::uint64_t{1} << 40U;

enum class Part : std::uint8_t { Full = 1, First = 2, Middle = 3, Last = 4 };

std::uint64_t little(std::string_view octets, std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = count; i != 0; --i) {
        value = value << 8U | static_cast<std::uint8_t>(octets[i - 1]);
    }
    return value;
}

struct Fragment {
    Part part = Part::Full;
    std::string_view payload;  // Into the log.
};

/// The fragment whose header is at `at`; its checksum is not looked at.
std::optional<Fragment> shape_at(std::string_view log, std::size_t at) {
    const std::size_t end = std::min(log.size(), (at / kBlock + 1) * kBlock);
    if (end - at < kHeader) {
        return std::nullopt;
    }
    const std::uint64_t length = little(log.substr(at + 4), 2);
    const auto type = static_cast<std::uint8_t>(log[at + 6]);
    if (type < 1 || type > 4 || length > end - at - kHeader) {
        return std::nullopt;
    }
    return Fragment{static_cast<Part>(type), log.substr(at + kHeader, length)};
}

bool checksum_holds(std::string_view log, std::size_t at, const Fragment& fragment) {
    const std::uint32_t sum = crc32c(log.substr(at + 6, 1 + fragment.payload.size()));
    const std::uint32_t masked = ((sum >> 15U) | (sum << 17U)) + 0xA282EAD8U;
    return masked == little(log.substr(at), 4);
}

// Calls `visit(key, value)` for the rows of a batch; an erased one has an empty value.
template <class Visit>
void each_row(std::string_view batch, Visit visit) {
    constexpr std::uint8_t kErase = 0;
    constexpr std::uint8_t kPut = 1;
    ByteReader in(batch.substr(kBatchHeader));
    while (in.ok() && in.remaining() != 0) {
        const std::uint8_t tag = in.u8();
        if (tag != kErase && tag != kPut) {
            return;  // Nothing that we write.
        }
        const std::string_view key = in.raw(in.varint_at_most(in.remaining()));
        const std::string_view value =
            tag == kPut ? in.raw(in.varint_at_most(in.remaining())) : std::string_view();
        if (!in.ok()) {
            return;
        }
        visit(key, value);
    }
}

// The number in the row `key` of a batch: the first of them that was put.
std::optional<std::uint64_t> commit_of(std::string_view batch, std::string_view key) {
    std::optional<std::uint64_t> found;
    bool is_over = false;
    each_row(batch, [&](std::string_view row, std::string_view value) {
        if (is_over || row != key || value.empty()) {
            return;
        }
        is_over = true;
        if (const auto seq = decode_commit_seq(value)) {
            found = seq->value();
        }
    });
    return found;
}

using Visitor = std::function<void(std::string_view key)>;

class LogWalk {
public:
    LogWalk(std::string_view log, std::string_view commit_key, const Visitor* visit)
        : log_(log), key_(commit_key), visit_(visit) {}

    EngineLog run() {
        std::size_t at = 0;
        while (at < log_.size()) {
            const std::size_t left = kBlock - at % kBlock;
            if (left < kHeader) {
                at += left;
                continue;
            }
            const auto fragment = shape_at(log_, at);
            if (!fragment || !checksum_holds(log_, at, *fragment) || !take(*fragment)) {
                found_.is_torn = true;
                look_behind(at + 1);
                return found_;
            }
            at += kHeader + fragment->payload.size();
        }
        found_.is_torn = is_open_;
        return found_;
    }

private:
    /// False when it does not follow what came before.
    bool take(const Fragment& fragment) {
        if (fragment.part == Part::Full || fragment.part == Part::First) {
            record_.clear();
        } else if (!is_open_) {
            return false;
        }
        record_ += fragment.payload;
        is_open_ = fragment.part == Part::First || fragment.part == Part::Middle;
        return is_open_ || take_record();
    }

    bool take_record() {
        if (record_.size() < kBatchHeader) {
            return false;
        }
        const std::uint64_t sequence = little(record_, 8);
        if (next_ && sequence != *next_) {
            found_.is_damaged_before_end = sequence > *next_;
            return false;
        }
        next_ = sequence + little(std::string_view(record_).substr(8), 4);
        if (visit_ != nullptr) {
            each_row(record_, [this](std::string_view key, std::string_view) { (*visit_)(key); });
        }
        if (const auto commit = commit_of(record_, key_)) {
            found_.first_commit = found_.first_commit == 0 ? *commit : found_.first_commit;
            found_.last_commit = *commit;
        }
        return true;
    }

    // Was a record begun anywhere behind the damage?
    void look_behind(std::size_t from) {
        for (std::size_t at = from; at + kHeader + kBatchHeader <= log_.size(); ++at) {
            const auto fragment = shape_at(log_, at);
            if (!fragment || fragment->part > Part::First ||
                fragment->payload.size() < kBatchHeader) {
                continue;
            }
            const std::uint64_t sequence = little(fragment->payload, 8);
            const std::uint64_t torn = next_.value_or(0);
            if (sequence > torn && sequence - torn < kSequencesAhead &&
                checksum_holds(log_, at, *fragment)) {
                found_.is_damaged_before_end = true;
                return;
            }
        }
    }

    std::string_view log_;
    std::string_view key_;
    const Visitor* visit_;
    EngineLog found_;
    std::optional<std::uint64_t> next_;  // Sequence of the record that should come.
    std::string record_;
    bool is_open_ = false;
};

}  // namespace

std::uint64_t whole_engine_records(std::string_view octets) {
    std::uint64_t whole = 0;
    bool is_open = false;
    for (std::size_t at = 0; at < octets.size();) {
        const std::size_t left = kBlock - at % kBlock;
        if (left < kHeader) {
            at += left;
            continue;
        }
        const auto fragment = shape_at(octets, at);
        const bool is_first =
            fragment && (fragment->part == Part::Full || fragment->part == Part::First);
        if (!fragment || is_first == is_open || !checksum_holds(octets, at, *fragment)) {
            return whole;
        }
        at += kHeader + fragment->payload.size();
        is_open = fragment->part == Part::First || fragment->part == Part::Middle;
        whole = is_open ? whole : at;
    }
    return is_open ? whole : octets.size();
}

EngineLog read_engine_log(std::string_view octets, std::string_view commit_key) {
    return LogWalk(octets, commit_key, nullptr).run();
}

void for_each_log_key(std::string_view octets, const Visitor& visit) {
    LogWalk(octets, std::string_view(), &visit).run();
}

}  // namespace godwit::store
