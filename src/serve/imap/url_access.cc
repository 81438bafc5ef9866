#include "serve/imap/url_access.h"

#include "base/ascii.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "flow/read.h"
#include "mail/text/charset.h"
#include "store/directory/directory.h"
#include "store/mailbox/mailbox.h"
#include "store/mailbox/url_keys.h"
#include "wire/imap/url.h"

namespace godwit::serve {

namespace {

// RFC 4467 2.4.1: which algorithm made the token, so that another one can follow it.
constexpr char kHmacSha256 = '\1';

std::string make_token(std::string_view rump, std::string_view key) {
    return kHmacSha256 + hmac_sha256(key, rump);
}

// All that is asked of the store, in one step of it.
struct Question {
    imap::ServerUrl url;
    std::string rump;
    UrlReader reader;
    bool is_own_server = false;
    std::string default_domain;
};

Result<AccountId> find_user(const store::Snapshot& snapshot, store::ReadTier tier,
                            const Question& question, const std::string& name) {
    const auto account = TRY(store::find_account(snapshot, tier, name, question.default_domain));
    return account && !account->is_disabled ? account->id : AccountId(0);
}

// RFC 4467 3: whether the access identifier names this reader.
Result<bool> is_meant(const store::Snapshot& snapshot, store::ReadTier tier,
                      const Question& question) {
    const bool is_submission = question.reader.desk == UrlReader::Desk::Submission;
    switch (*question.url.access) {
        case imap::UrlAccess::Authenticated:
        case imap::UrlAccess::Anonymous: return !is_submission;
        case imap::UrlAccess::Submit:
        case imap::UrlAccess::User: break;
    }
    const AccountId named = TRY(find_user(snapshot, tier, question, question.url.access_user));
    // The submission desk is in this house: no session of IMAP is one that submits for others.
    return is_submission == (question.url.access == imap::UrlAccess::Submit) &&
           named == question.reader.account;
}

// Every look-up is done whatever the one before it found (RFC 4467 6).
Result<bool> may_have(const store::Snapshot& snapshot, store::ReadTier tier,
                      const Question& question, AccountId owner, MailboxId mailbox) {
    if (!question.url.access) {
        return question.reader.desk == UrlReader::Desk::Submission && question.is_own_server &&
               owner == question.reader.account;
    }
    const bool is_reader_meant = TRY(is_meant(snapshot, tier, question));
    const auto key = TRY(
        store::read_url_key(snapshot, tier, {.account = owner, .mailbox = mailbox, .user = owner}));
    const std::string token =
        make_token(question.rump, key.value_or(std::string(store::url_key_size, '\0')));
    const std::optional<imap::UrlVerifier>& verifier = question.url.verifier;
    const bool is_signed = verifier && equals_ignore_case(verifier->mechanism, "INTERNAL") &&
                           constant_time_equal(token, verifier->token);
    return is_reader_meant && is_signed && key.has_value();
}

Result<std::optional<store::MessageRecord>> find_record(const store::Snapshot& snapshot,
                                                        store::ReadTier tier,
                                                        const Question& question) {
    const imap::MessageUrl& message = question.url.message;
    AccountId owner = question.reader.account;
    if (question.url.access || !question.url.user.empty()) {
        owner = TRY(find_user(snapshot, tier, question, question.url.user));
    }
    const auto mailbox = TRY(store::find_mailbox(snapshot, tier, owner, message.mailbox));
    const MailboxId id = mailbox ? mailbox->id : MailboxId(0);
    const bool may = TRY(may_have(snapshot, tier, question, owner, id));
    const bool is_there = mailbox && mailbox->is_selectable &&
                          mailbox->uid_validity.value() ==
                              message.uid_validity.value_or(mailbox->uid_validity.value());
    if (!may || !is_there) {
        return std::nullopt;
    }
    const auto row = TRY(store::read_row(snapshot, tier, owner, id, Uid(message.uid)));
    if (!row) {
        return std::nullopt;
    }
    return store::read_record(snapshot, tier, owner, row->email);
}

}  // namespace

std::string url_signature(std::string_view rump, std::string_view key) {
    return ":internal:" + hex_encode(make_token(rump, key));
}

net::Task<Result<std::optional<SectionOctets>>> open_url(const flow::Services* services,
                                                         std::string url, UrlReader reader) {
    using Opened = std::optional<SectionOctets>;
    Result<imap::ServerUrl> parsed = imap::parse_server_url(url);
    if (!parsed) {
        co_return Opened();
    }
    const std::int64_t now = unix_seconds(services->clock->wall());
    if (now > parsed->expire.value_or(now)) {
        co_return Opened();  // Said by the URL itself: no secret.
    }
    const auto settings = services->settings();
    Question question{.url = *std::move(parsed),
                      .rump = {},
                      .reader = reader,
                      .is_own_server = false,
                      .default_domain = settings->default_domain};
    question.rump = url.substr(0, question.url.rump_size);
    question.is_own_server = equals_ignore_case(question.url.host, settings->hostname);
    question.url.message.mailbox = mail::to_nfc(question.url.message.mailbox);
    SectionPiece piece{question.url.message.section, question.url.message.partial};
    std::optional<store::MessageRecord> record = CO_TRY(co_await flow::read(
        services,
        [question = std::move(question)](const store::Snapshot& snapshot, store::ReadTier tier) {
            return find_record(snapshot, tier, question);
        }));
    if (!record) {
        co_return Opened();
    }
    co_return co_await SectionOctets::open(services, *std::move(record), std::move(piece));
}

}  // namespace godwit::serve
