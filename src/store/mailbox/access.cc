#include "store/mailbox/access.h"

#include <algorithm>
#include <bit>
#include <memory>

#include "base/bytes.h"
#include "store/directory/directory.h"
#include "store/kv/key.h"
#include "store/kv/record.h"
#include "store/mailbox/schema.h"

namespace godwit::store {

namespace {

constexpr std::uint8_t kVersion = 1;
// Above every chunk: uids have 32 bits.
constexpr std::uint32_t kCountChunk = UINT32_MAX;

constexpr char letter(Family family) {
    return static_cast<char>(family);
}

Result<std::optional<std::string>> domain_of_account(const Snapshot& snapshot, ReadTier tier,
                                                     AccountId id) {
    const std::optional<Account> account = TRY(read_account(snapshot, tier, id));
    if (!account) {
        return std::nullopt;
    }
    return std::string(domain_of(account->name));
}

Result<Rights> rights_in_row(const Snapshot& snapshot, ReadTier tier, const std::string& key) {
    const std::optional<std::string> row = TRY(snapshot.get(key, tier));
    if (!row) {
        return Rights();
    }
    // A damaged row gives nobody anything.
    const std::optional<AccessRow> read = TRY(if_sound(key, decode_access(*row)));
    return read ? read->rights : Rights();
}

Result<> add_grants(const Snapshot& snapshot, ReadTier tier, const std::string& prefix,
                    std::vector<Grant>& grants) {
    const std::string upper = prefix_end(prefix);
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    for (cursor->seek(prefix); cursor->is_valid() && grants.size() < grants_max; cursor->next()) {
        if (const auto grant = parse_grant_key(cursor->key(), prefix)) {
            grants.push_back(*grant);
        }
    }
    return cursor->status();
}

}  // namespace

std::string access_prefix(AccountId owner, MailboxId mailbox) {
    return make_key(letter(Family::Access), owner, mailbox);
}
std::string access_key(AccountId owner, MailboxId mailbox, AccountId grantee) {
    return make_key(letter(Family::Access), owner, mailbox, grantee);
}
std::string grant_prefix(AccountId grantee, std::string_view domain) {
    std::string prefix = make_key(letter(Family::Grant), grantee, domain);
    if (grantee == kAnyone) {
        prefix.push_back('\0');
    }
    return prefix;
}
std::string grant_key(AccountId grantee, std::string_view domain, Grant grant) {
    std::string key = grant_prefix(grantee, domain);
    append_key(key, grant.owner);
    append_key(key, grant.mailbox);
    return key;
}
std::optional<Grant> parse_grant_key(std::string_view key, std::string_view prefix) {
    ByteReader reader(key.substr(std::min(prefix.size(), key.size())));
    Grant grant;
    grant.owner = AccountId(reader.u32());
    grant.mailbox = MailboxId(reader.u32());
    return reader.ok() && reader.at_end() ? std::optional(grant) : std::nullopt;
}

std::string access_key_of_grant(std::string_view key) {
    ByteReader reader(key.substr(std::min<std::size_t>(key.size(), 1)));
    const AccountId grantee(reader.u32());
    std::size_t front = 1 + sizeof(std::uint32_t);
    if (grantee == kAnyone) {
        const std::size_t end = key.find('\0', std::min(front, key.size()));
        front = end == std::string_view::npos ? key.size() : end + 1;
    }
    const auto grant = parse_grant_key(key, key.substr(0, std::min(front, key.size())));
    return reader.ok() && grant ? access_key(grant->owner, grant->mailbox, grantee) : "";
}

std::string encode(const AccessRow& row) {
    ByteWriter out = begin_record(kVersion);
    out.varint(row.rights.bits()).bytes(row.domain);
    return seal(std::move(out));
}
Result<AccessRow> decode_access(std::string_view value) {
    ByteReader in = TRY(read_record(value, kVersion, "access"));
    AccessRow row;
    row.rights = Rights::of_bits(in.varint_at_most(UINT16_MAX));
    row.domain = in.bytes();
    TRY(in.finish("access"));
    return row;
}

Result<SeenChunk> SeenChunk::decode(std::string_view value) {
    ByteReader in = TRY(read_record(value, kVersion, "seen"));
    SeenChunk chunk;
    chunk.bits_ = in.raw(kUids / 8);
    TRY(in.finish("seen"));
    return chunk;
}
std::string SeenChunk::encode() const {
    ByteWriter out = begin_record(kVersion);
    out.raw(bits_);
    return seal(std::move(out));
}
bool SeenChunk::has(Uid uid) const {
    const std::uint32_t at = uid.value() % kUids;
    return (static_cast<unsigned char>(bits_[at / 8]) >> (at % 8) & 1U) != 0;
}
void SeenChunk::set(Uid uid, bool is_seen) {
    const std::uint32_t at = uid.value() % kUids;
    const auto octet = static_cast<unsigned char>(bits_[at / 8]);
    const unsigned bit = 1U << (at % 8);
    bits_[at / 8] = static_cast<char>(is_seen ? octet | bit : octet & ~bit);
}
std::uint32_t SeenChunk::count() const {
    std::uint32_t marks = 0;
    for (const char octet : bits_) {
        marks += static_cast<std::uint32_t>(std::popcount(static_cast<unsigned char>(octet)));
    }
    return marks;
}
bool SeenChunk::is_empty() const {
    return std::ranges::all_of(bits_, [](char octet) { return octet == '\0'; });
}

std::string seen_prefix(AccountId owner, MailboxId mailbox) {
    return make_key(letter(Family::SeenBy), owner, mailbox);
}
std::string seen_prefix(AccountId owner, MailboxId mailbox, std::uint32_t chunk) {
    return make_key(letter(Family::SeenBy), owner, mailbox, chunk);
}
std::string seen_key(AccountId owner, MailboxId mailbox, std::uint32_t chunk, AccountId user) {
    return make_key(letter(Family::SeenBy), owner, mailbox, chunk, user);
}
std::string seen_count_key(AccountId owner, MailboxId mailbox, AccountId user) {
    return seen_key(owner, mailbox, kCountChunk, user);
}

Result<SeenRow> decode_seen_row(std::string_view key, std::string_view value) {
    ByteReader in(key.substr(std::min<std::size_t>(key.size(), 1)));
    SeenRow row;
    row.owner = AccountId(in.u32());
    row.mailbox = MailboxId(in.u32());
    row.is_count = in.u32() == kCountChunk;
    row.user = AccountId(in.u32());
    if (!in.ok() || !in.at_end()) {
        return internal_error(ErrorCode::Corrupt, "the key of a row of what is seen has 17 octets");
    }
    row.count =
        row.is_count ? TRY(decode_number(value, "seen")) : TRY(SeenChunk::decode(value)).count();
    return row;
}

void SeenTotals::add(const SeenRow& row) {
    Total& total = totals_[{row.owner, row.mailbox, row.user}];
    if (row.is_count) {
        total.told = row.count;
    } else {
        total.marks += row.count;
    }
}

Result<std::vector<AccessEntry>> read_access(const Snapshot& snapshot, ReadTier tier,
                                             AccountId owner, MailboxId mailbox) {
    std::vector<AccessEntry> entries;
    const std::string prefix = access_prefix(owner, mailbox);
    const std::string upper = prefix_end(prefix);
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    for (cursor->seek(prefix); cursor->is_valid(); cursor->next()) {
        const auto row = TRY(if_sound(cursor->key(), decode_access(cursor->value())));
        if (row && !row->rights.is_empty()) {
            entries.push_back(
                {.grantee = AccountId(key_tail_u32(cursor->key())), .rights = row->rights});
        }
    }
    TRY(cursor->status());
    return entries;
}

Result<Rights> read_rights(const Snapshot& snapshot, ReadTier tier, AccountId owner,
                           MailboxId mailbox, AccountId user) {
    if (owner == user) {
        return Rights::all();
    }
    const auto owners = TRY(domain_of_account(snapshot, tier, owner));
    const auto users = TRY(domain_of_account(snapshot, tier, user));
    if (!owners || !users) {
        return Rights();
    }
    Rights rights = TRY(rights_in_row(snapshot, tier, access_key(owner, mailbox, user)));
    if (*owners == *users) {
        rights = rights | TRY(rights_in_row(snapshot, tier, access_key(owner, mailbox, kAnyone)));
    }
    return rights;
}

Result<std::vector<Grant>> list_grants(const Snapshot& snapshot, ReadTier tier, AccountId user) {
    std::vector<Grant> grants;
    const auto domain = TRY(domain_of_account(snapshot, tier, user));
    if (!domain) {
        return grants;
    }
    TRY(add_grants(snapshot, tier, grant_prefix(user, {}), grants));
    TRY(add_grants(snapshot, tier, grant_prefix(kAnyone, *domain), grants));
    std::ranges::sort(grants);
    const auto doubles = std::ranges::unique(grants);
    grants.erase(doubles.begin(), doubles.end());
    std::erase_if(grants, [user](const Grant& grant) { return grant.owner == user; });
    return grants;
}

Result<SeenChunk> read_seen(const Snapshot& snapshot, ReadTier tier, AccountId owner,
                            MailboxId mailbox, std::uint32_t chunk, AccountId user) {
    const std::string key = seen_key(owner, mailbox, chunk, user);
    const std::optional<std::string> row = TRY(snapshot.get(key, tier));
    if (!row) {
        return SeenChunk();
    }
    return TRY(if_sound(key, SeenChunk::decode(*row))).value_or(SeenChunk());
}

Result<std::uint32_t> read_seen_count(const Snapshot& snapshot, ReadTier tier, AccountId owner,
                                      MailboxId mailbox, AccountId user) {
    const std::string key = seen_count_key(owner, mailbox, user);
    const std::optional<std::string> row = TRY(snapshot.get(key, tier));
    if (!row) {
        return 0U;
    }
    return static_cast<std::uint32_t>(TRY(if_sound(key, decode_number(*row, "seen"))).value_or(0));
}

}  // namespace godwit::store
