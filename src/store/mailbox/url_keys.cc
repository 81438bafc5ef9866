#include "store/mailbox/url_keys.h"

#include "store/kv/key.h"
#include "store/mailbox/schema.h"

namespace godwit::store {

namespace {

std::string row_key(UrlKeyName name) {
    return make_key(static_cast<char>(Family::UrlKey), name.account, name.mailbox, name.user);
}

}  // namespace

std::string encode_url_key(std::string_view secret) {
    return encode_annotation(secret);
}

Result<std::string> decode_url_key(std::string_view row) {
    std::string secret = TRY(decode_annotation(row));
    if (secret.size() != url_key_size) {
        return internal_error(ErrorCode::Corrupt, "a key of URLs has another size");
    }
    return secret;
}

Result<std::optional<std::string>> read_url_key(const Snapshot& snapshot, ReadTier tier,
                                                UrlKeyName name) {
    const std::optional<std::string> row = TRY(snapshot.get(row_key(name), tier));
    if (!row) {
        return std::nullopt;
    }
    return TRY(decode_url_key(*row));
}

Result<Plan> plan_url_key(const Snapshot& snapshot, ReadTier tier, UrlKeyName name,
                          std::string_view secret) {
    std::string mailbox = mailbox_key(Family::Mailbox, name.account, name.mailbox);
    std::optional<std::string> mailbox_row = TRY(snapshot.get(mailbox, tier));
    if (!mailbox_row) {
        return peer_error(ErrorCode::NotFound, "no such mailbox");
    }
    std::string key = row_key(name);
    std::optional<std::string> before = TRY(snapshot.get(key, tier));
    ChangeRows step;
    step.expects.push_back({std::move(mailbox), std::move(mailbox_row)});
    step.expects.push_back({key, std::move(before)});
    step.entries.push_back({std::move(key), encode_url_key(secret)});
    Plan plan;
    plan.steps.emplace_back(std::move(step));
    return plan;
}

Result<Plan> plan_forget_url_keys(const Snapshot& snapshot, ReadTier tier, AccountId account,
                                  AccountId user) {
    ChangeRows step;
    const std::string prefix = account_prefix(Family::UrlKey, account);
    const std::string upper = prefix_end(prefix);
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    for (cursor->seek(prefix); cursor->is_valid(); cursor->next()) {
        const std::string_view key = cursor->key();
        if (key_tail_u32(key) == user.value()) {
            step.entries.push_back({std::string(key), std::nullopt});
        }
    }
    TRY(cursor->status());
    Plan plan;
    plan.steps.emplace_back(std::move(step));
    return plan;
}

}  // namespace godwit::store
