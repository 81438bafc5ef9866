// The rows of the directory (family P) and their codecs. Law: docs/storage.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "store/directory/directory.h"

namespace godwit::store {

/// P d name -> Domain.
std::string domain_row_key(std::string_view name);
/// P m name -> how many accounts and aliases the domain has: what keeps it from being removed, and
/// what makes rival changes of one domain see each other.
std::string domain_members_key(std::string_view name);
/// P u name -> QuotaUse: what the domain's accounts hold together. The stamper keeps it.
std::string domain_use_key(std::string_view name);
/// P a id -> Account. Rising ids: the oldest account first.
std::string account_row_key(AccountId id);
/// P n account_key -> AccountId.
std::string login_row_key(std::string_view key);
/// P l account_key -> Alias.
std::string alias_row_key(std::string_view key);
/// P c -> the next AccountId.
std::string next_account_key();
/// P k -> AddressKeys.
std::string address_keys_key();

/// Prefixes for walks.
std::string domain_rows_prefix();
std::string account_rows_prefix();
std::string alias_rows_prefix();
std::string domain_uses_prefix();

std::string encode(const Domain& domain);
Result<Domain> decode_domain(std::string_view value);
std::string encode_domain_use(const QuotaUse& use);
Result<QuotaUse> decode_domain_use(std::string_view value);
std::string encode(const Account& account);
Result<Account> decode_account(std::string_view value);
std::string encode(const Alias& alias);
Result<Alias> decode_alias(std::string_view value);

}  // namespace godwit::store
