// The part of fsck that looks at what domains hold together.
#include <map>

#include "store/directory/schema.h"
#include "store/fsck_walk.h"
#include "store/mailbox/schema.h"

namespace godwit::store {

Result<> fsck_domains(FsckWalk& walk) {
    std::map<std::string, QuotaUse> counted;
    TRY(walk.each(account_rows_prefix(), [&](std::string_view, std::string_view value) -> Result<> {
        const auto account = decode_account(value);
        const auto row = account ? TRY(walk.get(account_prefix(Family::AccountHead, account->id)))
                                 : std::nullopt;
        const auto head = row ? decode_head(*row) : Result<AccountHead>();
        if (row && head) {
            QuotaUse& use = counted[std::string(domain_of(account->name))];
            use.bytes += head->bytes_used;
            use.messages += head->messages_used;
        }
        return {};
    }));
    FsckCount totals("every domain's use equals the sum of its accounts");
    const std::string prefix = domain_uses_prefix();
    TRY(walk.each(prefix, [&](std::string_view key, std::string_view value) -> Result<> {
        const std::string name(key.substr(prefix.size()));
        const auto use = decode_domain_use(value);
        const bool is_there = TRY(walk.has(domain_row_key(name)));
        totals.expect(is_there && use && *use == counted[name], [&] { return key_text(key); });
        return {};
    }));
    TRY(walk.each(domain_rows_prefix(),
                  [&](std::string_view key, std::string_view value) -> Result<> {
                      const auto domain = decode_domain(value);
                      if (domain && domain->quota != Quota{}) {
                          totals.expect(TRY(walk.has(domain_use_key(domain->name))),
                                        [&] { return key_text(key); });
                      }
                      return {};
                  }));
    walk.add(std::move(totals));
    return {};
}

}  // namespace godwit::store
