#include "store/mailbox/keys.h"

#include "base/bytes.h"

namespace godwit::store {

namespace {
constexpr char letter(Family family) {
    return static_cast<char>(family);
}
}  // namespace

std::string account_prefix(Family family, AccountId account) {
    return make_key(letter(family), account);
}
std::string mailbox_key(Family family, AccountId account, MailboxId mailbox) {
    return make_key(letter(family), account, mailbox);
}
std::string message_key(AccountId account, MailboxId mailbox, Uid uid) {
    return make_key(letter(Family::Message), account, mailbox, uid);
}
std::string email_key(Family family, AccountId account, EmailId email) {
    return make_key(letter(family), account, email);
}
std::string name_key(Family family, AccountId account, std::string_view name) {
    return make_key(letter(family), account, name);
}
std::string annotation_prefix(AccountId account, MailboxId mailbox) {
    return make_key(letter(Family::Annotation), account, mailbox);
}
std::string annotation_key(AccountId account, MailboxId mailbox, AccountId user,
                           std::string_view entry) {
    return make_key(letter(Family::Annotation), account, mailbox, user, entry);
}
std::string log_key(AccountId account, ModSeq mod_seq) {
    return make_key(letter(Family::ChangeLog), account, mod_seq);
}
std::string thread_reference_key(AccountId account, std::uint64_t hash) {
    return make_key(letter(Family::ThreadReference), account, hash);
}
std::string thread_member_key(AccountId account, ThreadId thread, EmailId email) {
    return make_key(letter(Family::ThreadMember), account, thread, email);
}

std::optional<BlobLink> parse_link_key(std::string_view key) {
    ByteReader reader(key);
    const auto first = static_cast<char>(reader.u8());
    const std::string_view hash = reader.raw(sizeof(BlobId::hash));
    BlobLink link;
    link.account = AccountId(reader.u32());
    const std::uint64_t number = reader.u64();
    if (!reader.ok() || !reader.at_end() || first != family::link) {
        return std::nullopt;
    }
    link.blob = BlobId::from_bytes(hash);
    if (link.account.value() == 0) {
        link.queued = MailId(number);
        return link;
    }
    if (number > UINT32_MAX) {
        return std::nullopt;
    }
    link.email = EmailId(static_cast<std::uint32_t>(number));
    return link;
}

std::string once_family_prefix() {
    return make_key(letter(Family::Once));
}
std::string once_prefix(MailId mail) {
    return make_key(letter(Family::Once), mail);
}
std::string once_key(MailId mail, std::uint64_t once, AccountId account) {
    return make_key(letter(Family::Once), mail, once, account);
}
std::string trace_prefix(MailId mail) {
    return make_key(letter(Family::Trace), mail);
}
std::string trace_key(MailId mail, CommitSeq seq, std::uint32_t ordinal) {
    return make_key(letter(Family::Trace), mail, seq, ordinal);
}

std::uint32_t key_tail_u32(std::string_view key) {
    return key.size() < 4 ? 0 : ByteReader(key.substr(key.size() - 4)).u32();
}
std::uint64_t key_tail_u64(std::string_view key) {
    return key.size() < 8 ? 0 : ByteReader(key.substr(key.size() - 8)).u64();
}

}  // namespace godwit::store
