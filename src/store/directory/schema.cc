#include "store/directory/schema.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "store/kv/key.h"
#include "store/kv/record.h"
#include "store/mailbox/keys.h"

namespace godwit::store {

namespace {
constexpr std::uint8_t kVersion = 1;
constexpr auto kFamily = static_cast<char>(Family::Directory);

Result<ByteReader> open(std::string_view value, std::string_view name) {
    return read_record(value, kVersion, name);
}

std::string key(char kind, std::string_view text) {
    return make_key(kFamily, std::string_view(&kind, 1), text);
}
}  // namespace

std::string domain_row_key(std::string_view name) {
    return key('d', name);
}
std::string domain_members_key(std::string_view name) {
    return key('m', name);
}
std::string account_row_key(AccountId id) {
    return make_key(kFamily, std::string_view("a"), id);
}
std::string login_row_key(std::string_view name) {
    return key('n', name);
}
std::string alias_row_key(std::string_view name) {
    return key('l', name);
}
std::string next_account_key() {
    return key('c', {});
}

std::string domain_rows_prefix() {
    return key('d', {});
}
std::string account_rows_prefix() {
    return key('a', {});
}
std::string alias_rows_prefix() {
    return key('l', {});
}

std::string encode(const Domain& domain) {
    ByteWriter out = begin_record(kVersion);
    out.bytes(domain.name).bytes(domain.catch_all).bytes(domain.subaddress_delimiter);
    out.svarint(domain.created_at);
    return seal(std::move(out));
}
Result<Domain> decode_domain(std::string_view value) {
    ByteReader in = TRY(open(value, "domain"));
    Domain domain;
    domain.name = in.bytes();
    domain.catch_all = in.bytes();
    domain.subaddress_delimiter = in.bytes();
    domain.created_at = in.svarint();
    TRY(in.finish("domain"));
    return domain;
}

std::string encode(const Account& account) {
    ByteWriter out = begin_record(kVersion);
    out.u32(account.id.value()).bytes(account.name).bytes(account.full_name);
    out.varint(account.quota_bytes).svarint(account.created_at);
    out.u8(account.is_disabled ? 1 : 0).varint(account.auth_epoch);
    const Credentials& credentials = account.credentials;
    out.bytes(credentials.argon2id);
    out.bytes(credentials.scram.salt).varint(credentials.scram.iterations);
    out.bytes(credentials.scram.stored_key).bytes(credentials.scram.server_key);
    out.varint(credentials.app_passwords.size());
    for (const AppPassword& password : credentials.app_passwords) {
        out.bytes(password.name).bytes(password.argon2id).svarint(password.created_at);
    }
    return seal(std::move(out));
}
Result<Account> decode_account(std::string_view value) {
    ByteReader in = TRY(open(value, "account"));
    Account account;
    account.id = AccountId(in.u32());
    account.name = in.bytes();
    account.full_name = in.bytes();
    account.quota_bytes = in.varint();
    account.created_at = in.svarint();
    account.is_disabled = in.u8() != 0;
    account.auth_epoch = in.varint();
    Credentials& credentials = account.credentials;
    credentials.argon2id = in.bytes();
    credentials.scram.salt = in.bytes();
    credentials.scram.iterations = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
    credentials.scram.stored_key = in.bytes();
    credentials.scram.server_key = in.bytes();
    const std::uint64_t count = in.varint_at_most(limits::app_passwords_max);
    for (std::uint64_t i = 0; i < count; ++i) {
        AppPassword password;
        password.name = in.bytes();
        password.argon2id = in.bytes();
        password.created_at = in.svarint();
        credentials.app_passwords.push_back(std::move(password));
    }
    TRY(in.finish("account"));
    return account;
}

std::string encode(const Alias& alias) {
    ByteWriter out = begin_record(kVersion);
    out.bytes(alias.address).varint(alias.targets.size());
    for (const std::string& target : alias.targets) {
        out.bytes(target);
    }
    return seal(std::move(out));
}
Result<Alias> decode_alias(std::string_view value) {
    ByteReader in = TRY(open(value, "alias"));
    Alias alias;
    alias.address = in.bytes();
    const std::uint64_t count = in.varint_at_most(limits::alias_expansion_max);
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        alias.targets.emplace_back(in.bytes());
    }
    TRY(in.finish("alias"));
    return alias;
}

}  // namespace godwit::store
