// What the parts of fsck share: the snapshot, the findings, and a walk over a family.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "store/fsck.h"
#include "store/kv/key.h"
#include "store/kv/lost_rows.h"
#include "store/kv/record.h"
#include "store/mailbox/keys.h"

namespace godwit::store {

/// Counts one invariant.
class FsckCount {
public:
    explicit FsckCount(std::string invariant) { finding_.invariant = std::move(invariant); }
    /// `example` is called only when it does not hold.
    template <class Example>
    bool expect(bool holds, Example example) {
        ++finding_.checked;
        if (!holds) {
            ++finding_.violations;
            if (finding_.examples.size() < limits::fsck_examples_max) {
                finding_.examples.push_back(example());
            }
        }
        return holds;
    }
    [[nodiscard]] FsckFinding take() && { return std::move(finding_); }

private:
    FsckFinding finding_;
};

struct FsckWalk {
    const Kv* kv = nullptr;
    const BlobStore* blobs = nullptr;
    const Snapshot* snapshot = nullptr;
    FsckOptions options;
    std::vector<FsckFinding> findings;

    /// Calls `visit(key, value)` for each row that begins with `prefix` and can be read. Views die
    /// with the call.
    template <class Visit>
    Result<> each(std::string_view prefix, Visit visit) const {
        return each(prefix, visit, [](const LostRows&) { return Result<>(); });
    }
    /// The same, and `lose(LostRows)` for what cannot be read.
    template <class Visit, class Lose>
    Result<> each(std::string_view prefix, Visit visit, Lose lose) const {
        const std::string upper = prefix_end(prefix);
        return each_readable([&] { return snapshot->cursor(ReadTier::Disk, upper); }, prefix, visit,
                             lose);
    }
    template <class Visit>
    Result<> each(char family, Visit visit) const {
        return each(std::string_view(&family, 1), visit);
    }
    /// A row that cannot be read is none: fsck_rows() has said so.
    [[nodiscard]] Result<std::optional<std::string>> get(std::string_view key) const {
        auto row = snapshot->get(key, ReadTier::Disk);
        return row || !is_unreadable(row.error()) ? std::move(row) : std::nullopt;
    }
    [[nodiscard]] Result<bool> has(std::string_view key) const { return TRY(get(key)).has_value(); }
    void add(FsckCount&& count) { findings.push_back(std::move(count).take()); }
};

Result<> fsck_rows(FsckWalk& walk);
Result<> fsck_bodies(FsckWalk& walk);
Result<> fsck_emails(FsckWalk& walk);
Result<> fsck_mailboxes(FsckWalk& walk);
Result<> fsck_access(FsckWalk& walk);
Result<> fsck_domains(FsckWalk& walk);
Result<> fsck_queue(FsckWalk& walk);

}  // namespace godwit::store
