// The deliveries that the process has in hand, in a file: what stands there when a process begins
// was in hand when the last one crashed. Written without sync: pages that a process has written
// outlive it, and the end of the whole machine, which takes them along, was no message's fault.
// docs/decisions/0020. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "net/io/locked.h"
#include "store/blob/file.h"

namespace godwit::flow {

/// Deliveries that the register names at once; more are tried all the same, only not named. Above
/// any sensible deliveries_total, at 16 octets each.
inline constexpr std::size_t in_hand_max = 4096;
/// Crashes with a delivery in hand after which it is not tried again by itself: the first may be
/// anybody's fault, at the second it was the only one that had been in hand at the first.
inline constexpr std::uint32_t quarantine_crashes = 2;
/// One suspect at a time; the others come again after this, and up to as much again.
inline constexpr std::chrono::seconds suspect_pause(10);

struct InHandEntry {
    MailId mail;
    std::uint32_t number = 0;  ///< Of the delivery.
    /// The final dot was said or about to be, and what became of it is not on disk: the receiver
    /// may have the message (RELIABILITY.md W1, RFC 1047).
    bool may_be_sent = false;
    /// The attempt was cut off by an orderly end, or by the end of the machine: no crash counts.
    bool is_blameless = false;
    bool operator==(const InHandEntry&) const = default;
};

/// What a process left that ended without a word, or in the middle of attempts.
struct InHandLeft {
    std::uint64_t run = 0;  ///< Of which process: one crash is counted once.
    std::vector<InHandEntry> entries;
};

class InHand {
public:
    /// `machine` names this start of the machine; of what another start left only that counts which
    /// may have been sent, and blames nobody. Nothing when there is no file, or one that does not
    /// hold.
    static InHandLeft read_left(store::FileSystem& files, const std::string& path,
                                std::string_view machine);
    /// A fresh, empty register in place of the old one. `files` outlives it.
    static Result<std::unique_ptr<InHand>> create(store::FileSystem* files, std::string path,
                                                  std::string_view machine, std::uint64_t run);
    /// An orderly end: the file goes, unless it names what may have been sent.
    ~InHand();
    InHand(const InHand&) = delete;
    InHand& operator=(const InHand&) = delete;

    /// nullopt when it is full or cannot be written; the attempt goes on.
    std::optional<std::size_t> take(InHandEntry entry);
    void let_go(std::size_t slot);
    /// `entry` is what stands there from now on.
    void change(std::size_t slot, const InHandEntry& entry) { write(slot, entry); }
    /// The attempt was cut off behind its dot: the entry stays for the next process.
    void leave(std::size_t slot, InHandEntry entry);
    /// False: another suspect is in hand.
    bool begin_suspect();
    void end_suspect();

private:
    struct Slots {
        std::vector<bool> used;
        std::size_t next = 0;
        bool has_suspect = false;
        bool is_any_left = false;
    };
    InHand(store::FileSystem* files, std::string path, std::unique_ptr<store::File> file);
    bool write(std::size_t slot, const InHandEntry& entry);

    store::FileSystem* files_;
    std::string path_;
    std::unique_ptr<store::File> file_;
    net::Locked<Slots> slots_;
};

/// Names a delivery in the register as long as it lives. Made by one coroutine, ends with it.
class InHandGuard {
public:
    /// `is_suspect`: begin_suspect() was true; its end comes with this.
    InHandGuard(InHand* in_hand, InHandEntry entry, bool is_suspect)
        : in_hand_(in_hand), entry_(entry), slot_(in_hand->take(entry)), is_suspect_(is_suspect) {}
    ~InHandGuard();
    InHandGuard(const InHandGuard&) = delete;
    InHandGuard& operator=(const InHandGuard&) = delete;

    /// True before the final dot is said; false when the receiver refused, or when the outcome is
    /// on disk.
    void set_may_be_sent(bool may_be_sent);

private:
    InHand* in_hand_;
    InHandEntry entry_;
    std::optional<std::size_t> slot_;
    bool is_suspect_;
};

}  // namespace godwit::flow
