// What the parts of a repair share: reading, bounded batches, the report.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "store/kv/key.h"
#include "store/kv/record.h"
#include "store/mailbox/keys.h"
#include "store/mailbox/schema.h"
#include "store/repair/bodies.h"
#include "store/repair/repair.h"

namespace godwit::store {

class RepairWork {
public:
    /// All must outlive it.
    RepairWork(Kv* kv, const RepairOptions* options, RepairReport* report)
        : kv_(kv), options_(options), report_(report) {}

    [[nodiscard]] const RepairOptions& options() const { return *options_; }
    [[nodiscard]] Kv& kv() { return *kv_; }

    /// Calls `visit(key, value)` for each row that begins with `prefix`, as they were when the walk
    /// began. Views die with the call.
    template <class Visit>
    Result<> each(std::string_view prefix, Visit visit) {
        TRY(flush());
        const auto snapshot = kv_->snapshot();
        const auto cursor = snapshot->cursor(ReadTier::Disk, prefix_end(prefix));
        for (cursor->seek(prefix); cursor->is_valid(); cursor->next()) {
            TRY(visit(cursor->key(), cursor->value()));
        }
        return cursor->status();
    }
    template <class Visit>
    Result<> each(Family family, Visit visit) {
        const char first = static_cast<char>(family);
        return each(std::string_view(&first, 1), visit);
    }
    /// The newest value, also of what was put and is not flushed.
    Result<std::optional<std::string>> get(const std::string& key);
    Result<bool> has(const std::string& key) { return TRY(get(key)).has_value(); }

    /// Nothing when the row is like that already; else counted under `what` and written with the
    /// next batch.
    Result<> put(std::string key, std::string value, std::string_view what);
    Result<> erase(std::string key, std::string_view what);
    Result<> flush();

    void lose(Loss loss);
    void leave_orphan(const BlobId& blob);

private:
    Result<> make_room();

    Kv* kv_;
    const RepairOptions* options_;
    RepairReport* report_;
    std::map<std::string, std::optional<std::string>> pending_;
};

/// The whole of a store's bodies, as the parts need them.
struct RepairState {
    RepairWork work;
    BodyReader bodies;
    /// Also what is in no row is kept.
    bool are_keys_missing = false;
    /// Bodies that somebody refers to and nobody can give.
    std::unordered_set<BlobId> lost{};
    /// Whose body a link names, for owners without a row. Made when first needed.
    std::optional<std::map<std::pair<std::uint32_t, std::uint64_t>, std::vector<BlobId>>> links{};

    /// Bodies that links say this email, or (account 0) this queued message, holds.
    Result<std::vector<BlobId>> linked_to(AccountId account, std::uint64_t number);
};

// The parts, in their order.
Result<> repair_simple_rows(RepairState& state);
Result<> repair_store_rows(RepairState& state);
Result<> repair_directory(RepairState& state);
Result<> repair_links(RepairState& state);
Result<> repair_bodies(RepairState& state);
Result<> repair_accounts(RepairState& state);
Result<> repair_grants(RepairState& state);
Result<> repair_domain_use(RepairState& state);
Result<> repair_queue(RepairState& state);
/// Links without an owner, bodies without a link, the counters of segments.
Result<> repair_ends(RepairState& state);

/// Accounts that have any row, rising; one seek each.
Result<std::vector<AccountId>> accounts_with_rows(RepairWork& work);

}  // namespace godwit::store
