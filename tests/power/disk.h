// A disk that lies: files in memory with a page cache that a power cut takes away, and operations
// that fail on order. Both the engine of the keys and the files of the bodies work on one such
// disk, so that what is reordered is reordered across all of them. Law: RELIABILITY.md 5, stage 2
// and 3.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"

namespace godwit::power {

enum class Op : std::uint8_t { Look, Read, Write, Sync, Create, Rename, Unlink, SyncFolder };
inline constexpr std::size_t kOps = 8;
constexpr std::uint32_t bit(Op op) {
    return 1U << static_cast<std::uint32_t>(op);
}
inline constexpr std::uint32_t kAnyOp = (1U << kOps) - 1;
std::string_view name_of(Op op);

/// EIO and ENOSPC.
enum class Trouble : std::uint8_t { Io, Full };

/// The `at`-th operation of one of these kinds fails, from 1; all later ones too when sticky. A
/// sync that fails has lost what it was to keep: no later sync brings it back.
struct Fault {
    std::uint32_t kinds = kAnyOp;
    std::uint64_t at = 1;
    Trouble trouble = Trouble::Io;
    bool is_sticky = false;
};

/// What is left of unsynced writes and names.
enum class Cut : std::uint8_t {
    Kill,     ///< All: the process died, the machine lives.
    Drop,     ///< Nothing.
    Prefix,   ///< A random prefix, per file; a prefix of the changes to folders.
    Sectors,  ///< Any set of 512-octet pieces, per write; holes are zero or garbage.
    Pages,    ///< The same in pieces of 4 KiB.
    Reorder,  ///< Each write whole or not, each name or not, whatever came first.
    Names,    ///< All contents; any set of the names.
};
inline constexpr std::size_t kCuts = 7;
std::string_view name_of(Cut cut);

/// An error that an operation gives after cut().
inline constexpr std::string_view kPowerIsOff = "the power is off";

class Disk {
public:
    struct Node;
    using File = std::shared_ptr<Node>;

    explicit Disk(std::uint64_t seed);
    ~Disk();
    Disk(const Disk&) = delete;
    Disk& operator=(const Disk&) = delete;

    // The operations, each counted. Thread-safe.
    Result<File> open(const std::string& path);
    enum class Taken : std::uint8_t { Refuse, Empty };
    /// Empty: as O_TRUNC, the same file without its octets.
    Result<File> create(const std::string& path, Taken taken);
    Result<> write(const File& file, std::uint64_t offset,
                   std::span<const std::string_view> pieces);
    Result<> truncate(const File& file, std::uint64_t size);
    Result<> read(const File& file, std::uint64_t offset, std::size_t length, std::string& out);
    Result<> sync(const File& file);
    Result<std::uint64_t> size(const File& file);
    /// NotFound when the name is not there.
    Result<> unlink(const std::string& path);
    Result<> rename(const std::string& source, const std::string& target);
    Result<> link(const std::string& source, const std::string& target);
    /// True when it was not there. The folder above must be.
    Result<bool> make_folder(const std::string& path);
    Result<> remove_folder(const std::string& path);
    Result<> sync_folder(const std::string& path);
    Result<std::vector<std::string>> list(const std::string& folder);
    enum class Kind : std::uint8_t { None, File, Folder };
    Result<Kind> look(const std::string& path);
    /// One holder a name; not counted.
    bool hold(const std::string& path);
    void let_go(const std::string& path);

    // Orders.
    void set_fault(std::optional<Fault> fault);
    /// Nothing fails on order, and nothing counts towards it, while it is: the test itself looks.
    void hold_faults(bool is_held);
    /// How often the fault struck.
    [[nodiscard]] std::uint64_t faults_struck() const;
    /// The power goes at the `operations`-th operation of these kinds from now, which does not
    /// happen (a write may have begun).
    void cut_after(std::uint64_t operations, std::uint32_t kinds = kAnyOp);
    void cut();
    [[nodiscard]] bool is_off() const;
    /// What the power was cut at: "sync /data/kv/000004.log"; empty when it was at rest.
    [[nodiscard]] std::string cut_at() const;
    [[nodiscard]] std::optional<Op> cut_op() const;
    [[nodiscard]] std::uint64_t operations() const;

    /// A disk as this one is found after a cut. This one stays as it is, and off.
    [[nodiscard]] std::shared_ptr<Disk> survive(Cut cut, std::uint64_t seed) const;

    // For tests that damage what was promised.
    [[nodiscard]] std::string content(const std::string& path) const;
    void set_content(const std::string& path, std::string content);
    [[nodiscard]] std::vector<std::string> paths() const;
    void forget(const std::string& path);

private:
    struct NameChange;
    Result<> step(Op op, const std::string& path);
    void change_name(NameChange change);
    static void apply(const NameChange& change, std::map<std::string, File>& names);
    [[nodiscard]] std::string left_of(const Node& node, Cut cut, Random& random) const;
    [[nodiscard]] std::map<std::string, File> names_left(Cut cut, Random& random) const;

    mutable std::mutex mutex_;
    SeededRandom random_;
    std::map<std::string, File> names_;
    std::map<std::string, File> durable_names_;
    std::vector<NameChange> unsynced_names_;
    std::set<std::string> held_;
    std::uint64_t operations_ = 0;
    std::uint64_t cut_after_ = 0;  // 0: no order.
    std::uint32_t cut_kinds_ = 0;
    bool is_off_ = false;
    std::string cut_at_;
    std::optional<Op> cut_op_;
    std::optional<Fault> fault_;
    std::uint64_t fault_seen_ = 0;
    std::uint64_t fault_struck_ = 0;
    bool are_faults_held_ = false;
};

}  // namespace godwit::power
