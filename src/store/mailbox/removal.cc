#include "store/mailbox/removal.h"

#include "base/bytes.h"
#include "store/kv/key.h"
#include "store/kv/record.h"
#include "store/mailbox/schema.h"

namespace godwit::store {

namespace {
constexpr std::size_t kTrimRowsMax = 1024;

struct FirstRow {
    std::string key;
    std::string value;
};
Result<std::optional<FirstRow>> first_row(const Snapshot& snapshot, ReadTier tier,
                                          const std::string& prefix) {
    const std::string upper = prefix_end(prefix);
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    cursor->seek(prefix);
    TRY(cursor->status());
    if (!cursor->is_valid()) {
        return std::nullopt;
    }
    return FirstRow{.key = std::string(cursor->key()), .value = std::string(cursor->value())};
}

Plan one_step(PlanStep step) {
    Plan plan;
    plan.steps.push_back(std::move(step));
    return plan;
}
}  // namespace

Result<std::optional<Plan>> plan_removal(const Snapshot& snapshot, ReadTier tier) {
    const std::string prefix(1, static_cast<char>(Family::Remains));
    const std::optional<FirstRow> row = TRY(first_row(snapshot, tier, prefix));
    if (!row) {
        return std::nullopt;
    }
    ByteReader key(std::string_view(row->key).substr(1));
    const AccountId account(key.u32());
    return one_step(PurgeRemains{.account = account, .messages_max = kRemovalMessagesMax});
}

Result<std::optional<Plan>> plan_log_trim(const Snapshot& snapshot, ReadTier tier,
                                          AccountId account, WallTime before) {
    const std::optional<FirstRow> row =
        TRY(first_row(snapshot, tier, account_prefix(Family::ChangeLog, account)));
    if (!row) {
        return std::nullopt;
    }
    // A damaged row says no time: it goes with the old ones, which must not stay for ever.
    const auto oldest =
        TRY(if_sound(row->key, decode_log(ModSeq(key_tail_u64(row->key)), row->value)));
    if (oldest && oldest->at >= unix_seconds(before)) {
        return std::nullopt;
    }
    return one_step(TrimChangeLog{.account = account, .before = before, .rows_max = kTrimRowsMax});
}

Result<std::optional<Plan>> plan_trace_trim(const Snapshot& snapshot, ReadTier tier,
                                            WallTime before) {
    const std::string prefix(1, static_cast<char>(Family::Trace));
    const std::optional<FirstRow> row = TRY(first_row(snapshot, tier, prefix));
    if (!row) {
        return std::nullopt;
    }
    const auto oldest = TRY(if_sound(row->key, decode_trace(MailId(0), row->value)));
    if (oldest && oldest->at >= before) {
        return std::nullopt;
    }
    return one_step(TrimTrace{.before = before, .rows_max = kTrimRowsMax});
}

}  // namespace godwit::store
