// Counts again what domains hold together: when the heads of their accounts are right.
#include <map>

#include "store/directory/schema.h"
#include "store/repair/work.h"

namespace godwit::store {

Result<> repair_domain_use(RepairState& state) {
    RepairWork& work = state.work;
    std::map<std::string, QuotaUse> counted;
    // Those that have a row or a bound: the others are counted when they are first met.
    TRY(work.each(domain_rows_prefix(), [&](std::string_view, std::string_view value) -> Result<> {
        const auto domain = decode_domain(value);
        if (domain && (domain->quota != Quota{} || TRY(work.has(domain_use_key(domain->name))))) {
            counted[domain->name];
        }
        return {};
    }));
    TRY(work.each(account_rows_prefix(), [&](std::string_view, std::string_view value) -> Result<> {
        const auto account = decode_account(value);
        const auto use =
            account ? counted.find(std::string(domain_of(account->name))) : counted.end();
        if (use == counted.end()) {
            return {};
        }
        const auto row = TRY(work.get(account_prefix(Family::AccountHead, account->id)));
        if (const auto head = row ? decode_head(*row) : Result<AccountHead>(); row && head) {
            use->second.bytes += head->bytes_used;
            use->second.messages += head->messages_used;
        }
        return {};
    }));
    const std::string prefix = domain_uses_prefix();
    TRY(work.each(prefix, [&](std::string_view key, std::string_view) -> Result<> {
        return counted.contains(std::string(key.substr(prefix.size())))
                   ? Result<>()
                   : work.erase(std::string(key), "use of domains");
    }));
    for (const auto& [name, use] : counted) {
        TRY(work.put(domain_use_key(name), encode_domain_use(use), "use of domains"));
    }
    return {};
}

}  // namespace godwit::store
