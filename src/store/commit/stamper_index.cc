// Stamps rows of search indexes. They follow from emails: the account must be there, and the index
// as the planner saw it.
#include "store/commit/stamper_steps.h"
#include "store/mailbox/keys.h"

namespace godwit::store {

Result<StepResult> stamp_step(StampContext& context, const ChangeIndex& step) {
    TRY(context.accounts.account(step.account));
    const std::string state = account_prefix(Family::SearchIndex, step.account);
    if (TRY(context.rows.get(state)) != step.state) {
        return temporary_error(ErrorCode::Stale,
                               "the search index changed since the plan was made");
    }
    for (const Batch::Entry& entry : step.entries) {
        if (!entry.key.starts_with(state)) {
            return internal_error(ErrorCode::Invalid, "ChangeIndex: no row of the account's index");
        }
        if (entry.value) {
            context.rows.put(entry.key, *entry.value);
        } else {
            context.rows.erase(entry.key);
        }
    }
    return Done{};
}

}  // namespace godwit::store
