#include "store/directory/schema.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "store/kv/key.h"
#include "store/kv/record.h"
#include "store/mailbox/keys.h"

namespace godwit::store {

namespace {
// 5: whose mailboxes a domain shares. 4: quotas of messages, of mailboxes, of domains. 3: SCRAM-SHA-1 keys. 2: domain aliases,
// archives, tags; forwarding and send-as; owners of groups.
constexpr std::uint8_t kVersion = 5;
constexpr std::uint8_t kVersionOfQuotas = 4;
constexpr std::uint8_t kVersionOfSha1 = 3;
constexpr std::uint8_t kVersionOfForwarding = 2;
constexpr std::uint8_t kVersionFirst = 1;
constexpr auto kFamily = static_cast<char>(Family::Directory);

struct Opened {
    ByteReader in;
    std::uint8_t version = kVersion;
};
Result<Opened> open(std::string_view value, std::string_view name) {
    const auto record = open_record(value);
    const bool is_known = record && record->version >= kVersionFirst && record->version <= kVersion;
    const std::uint8_t version = is_known ? record->version : kVersion;
    return Opened{.in = TRY(read_record(value, version, name)), .version = version};
}

void write_keys(ByteWriter& out, const ScramKeys& keys) {
    out.bytes(keys.salt).varint(keys.iterations).bytes(keys.stored_key).bytes(keys.server_key);
}
ScramKeys read_keys(ByteReader& in) {
    ScramKeys keys;
    keys.salt = in.bytes();
    keys.iterations = static_cast<std::uint32_t>(in.varint_at_most(UINT32_MAX));
    keys.stored_key = in.bytes();
    keys.server_key = in.bytes();
    return keys;
}

void write_texts(ByteWriter& out, const std::vector<std::string>& texts) {
    out.varint(texts.size());
    for (const std::string& text : texts) {
        out.bytes(text);
    }
}
std::vector<std::string> read_texts(ByteReader& in, std::size_t most) {
    std::vector<std::string> texts;
    const std::uint64_t count = in.varint_at_most(most);
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        texts.emplace_back(in.bytes());
    }
    return texts;
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
std::string domain_use_key(std::string_view name) {
    return key('u', name);
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

std::string address_keys_key() {
    return key('k', {});
}

std::string domain_rows_prefix() {
    return key('d', {});
}
std::string account_rows_prefix() {
    return key('a', {});
}
std::string domain_uses_prefix() {
    return key('u', {});
}
std::string alias_rows_prefix() {
    return key('l', {});
}

std::string encode(const Domain& domain) {
    ByteWriter out = begin_record(kVersion);
    out.bytes(domain.name).bytes(domain.catch_all).bytes(domain.subaddress_delimiter);
    out.svarint(domain.created_at);
    out.bytes(domain.alias_of).u8(domain.rewrites_senders ? 1 : 0);
    out.bytes(domain.archive_inbound).bytes(domain.archive_outbound);
    out.u8(domain.tags_senders ? 1 : 0);
    out.varint(domain.account_quota.bytes).varint(domain.account_quota.messages);
    out.varint(domain.account_quota.mailboxes);
    out.varint(domain.quota.bytes).varint(domain.quota.messages);
    out.bytes(domain.shared_mailboxes);
    return seal(std::move(out));
}
Result<Domain> decode_domain(std::string_view value) {
    auto [in, version] = TRY(open(value, "domain"));
    Domain domain;
    domain.name = in.bytes();
    domain.catch_all = in.bytes();
    domain.subaddress_delimiter = in.bytes();
    domain.created_at = in.svarint();
    if (version >= kVersionOfForwarding) {
        domain.alias_of = in.bytes();
        domain.rewrites_senders = in.u8() != 0;
        domain.archive_inbound = in.bytes();
        domain.archive_outbound = in.bytes();
        domain.tags_senders = in.u8() != 0;
    }
    if (version >= kVersionOfQuotas) {
        domain.account_quota.bytes = in.varint();
        domain.account_quota.messages = in.varint();
        domain.account_quota.mailboxes = in.varint();
        domain.quota.bytes = in.varint();
        domain.quota.messages = in.varint();
    }
    if (version >= kVersion) {
        domain.shared_mailboxes = in.bytes();
    }
    TRY(in.finish("domain"));
    return domain;
}

std::string encode_domain_use(const QuotaUse& use) {
    ByteWriter out = begin_record(kVersionFirst);
    out.varint(use.bytes).varint(use.messages);
    return seal(std::move(out));
}
Result<QuotaUse> decode_domain_use(std::string_view value) {
    ByteReader in = TRY(read_record(value, kVersionFirst, "use of a domain"));
    QuotaUse use;
    use.bytes = in.varint();
    use.messages = in.varint();
    TRY(in.finish("use of a domain"));
    return use;
}

std::string encode(const Account& account) {
    ByteWriter out = begin_record(kVersion);
    out.u32(account.id.value()).bytes(account.name).bytes(account.full_name);
    out.varint(account.quota.bytes).svarint(account.created_at);
    out.u8(account.is_disabled ? 1 : 0).varint(account.auth_epoch);
    const Credentials& credentials = account.credentials;
    out.bytes(credentials.argon2id);
    write_keys(out, credentials.scram);
    out.varint(credentials.app_passwords.size());
    for (const AppPassword& password : credentials.app_passwords) {
        out.bytes(password.name).bytes(password.argon2id).svarint(password.created_at);
    }
    write_texts(out, account.forward_to);
    out.u8(account.forward_keeps ? 1 : 0);
    write_texts(out, account.send_as);
    write_keys(out, credentials.scram_sha1);
    out.varint(account.quota.messages).varint(account.quota.mailboxes);
    return seal(std::move(out));
}
Result<Account> decode_account(std::string_view value) {
    auto [in, version] = TRY(open(value, "account"));
    Account account;
    account.id = AccountId(in.u32());
    account.name = in.bytes();
    account.full_name = in.bytes();
    account.quota.bytes = in.varint();
    account.created_at = in.svarint();
    account.is_disabled = in.u8() != 0;
    account.auth_epoch = in.varint();
    Credentials& credentials = account.credentials;
    credentials.argon2id = in.bytes();
    credentials.scram = read_keys(in);
    const std::uint64_t count = in.varint_at_most(limits::app_passwords_max);
    for (std::uint64_t i = 0; i < count; ++i) {
        AppPassword password;
        password.name = in.bytes();
        password.argon2id = in.bytes();
        password.created_at = in.svarint();
        credentials.app_passwords.push_back(std::move(password));
    }
    if (version >= kVersionOfForwarding) {
        account.forward_to = read_texts(in, forward_targets_max);
        account.forward_keeps = in.u8() != 0;
        account.send_as = read_texts(in, send_as_max);
    }
    if (version >= kVersionOfSha1) {
        credentials.scram_sha1 = read_keys(in);
    }
    if (version >= kVersionOfQuotas) {
        account.quota.messages = in.varint();
        account.quota.mailboxes = in.varint();
    }
    TRY(in.finish("account"));
    return account;
}

std::string encode(const Alias& alias) {
    ByteWriter out = begin_record(kVersion);
    out.bytes(alias.address);
    write_texts(out, alias.targets);
    out.bytes(alias.owner);
    return seal(std::move(out));
}
Result<Alias> decode_alias(std::string_view value) {
    auto [in, version] = TRY(open(value, "alias"));
    Alias alias;
    alias.address = in.bytes();
    alias.targets = read_texts(in, limits::alias_expansion_max);
    if (version >= kVersionOfForwarding) {
        alias.owner = in.bytes();
    }
    TRY(in.finish("alias"));
    return alias;
}

}  // namespace godwit::store
